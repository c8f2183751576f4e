// Package challenge answers rekey's challenge. Copy this file; it needs nothing but the standard library.
package challenge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"
)

const protocol = "rekey/challenge/v1"

var nonceForm = regexp.MustCompile(`^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$`)

// Settings say which rekey may ask this process, and who it is.
type Settings struct{ Instance, Consumer, InstanceID string }

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// Answer is a handler. passwordInUse returns what the pool logs in with at this moment; it may be called at any time.
func Answer(settings Settings, passwordInUse func() string) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		if request.ContentLength < 0 || request.ContentLength > 1024 {
			response.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		var asked struct{ Instance, Consumer, Nonce string }
		body, err := io.ReadAll(request.Body)
		isForUs := err == nil && json.Unmarshal(body, &asked) == nil &&
			asked.Instance == settings.Instance && asked.Consumer == settings.Consumer
		if !isForUs || !nonceForm.MatchString(asked.Nonce) {
			response.WriteHeader(http.StatusForbidden)
			return
		}
		password := passwordInUse()
		if utf8.RuneCountInString(password) < 22 {
			response.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		text := strings.Join([]string{protocol, settings.Instance, settings.Consumer, settings.InstanceID, asked.Nonce}, "\n")
		mac := base64.RawURLEncoding.EncodeToString(sign(sign([]byte(password), protocol), text))
		response.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(response).Encode(map[string]string{"instanceId": settings.InstanceID, "mac": mac})
	}
}
