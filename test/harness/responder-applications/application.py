"""An application of the test: told by lines of JSON what to be, then what its pool logs in with."""
import json
import socketserver
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from responder import answer_challenge


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Server(WSGIServer):
    def server_bind(self):
        # Without the look-up of the host's name, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "application", self.server_address[1]
        self.setup_environ()


given = json.loads(sys.stdin.readline())
pool = {}


def password_in_use():
    if given["file"] is None:
        return pool["password"]
    with open(given["file"], encoding="utf-8") as file:
        return file.read()


server = Server((given["host"], given["port"]), Quiet)
server.set_app(answer_challenge(given["instance"], given["consumer"], given["instanceId"], password_in_use))
for line in sys.stdin:
    if not pool:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    pool["password"] = json.loads(line)
    print(server.server_port, flush=True)
