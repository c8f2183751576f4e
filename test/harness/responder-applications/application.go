// An application of the test: told by lines of JSON what to be, then what its pool logs in with.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"

	"application/challenge"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	var given struct {
		Host, Instance, Consumer, InstanceID string
		Port                                 int
		File                                 *string
	}
	lines.Scan()
	if err := json.Unmarshal(lines.Bytes(), &given); err != nil {
		panic(err)
	}
	var pool atomic.Value
	passwordInUse := func() string {
		if given.File == nil {
			return pool.Load().(string)
		}
		content, _ := os.ReadFile(*given.File)
		return string(content)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(given.Host, strconv.Itoa(given.Port)))
	if err != nil {
		panic(err)
	}
	settings := challenge.Settings{Instance: given.Instance, Consumer: given.Consumer, InstanceID: given.InstanceID}
	for isServing := false; lines.Scan(); isServing = true {
		var password string // stays empty when it is told null
		if err := json.Unmarshal(lines.Bytes(), &password); err != nil {
			panic(err)
		}
		pool.Store(password)
		if !isServing {
			go http.Serve(listener, challenge.Answer(settings, passwordInUse))
		}
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	}
}
