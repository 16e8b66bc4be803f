"""`python -m benchmarks.sink`: takes upserts of any index and keeps nothing of them but their number and size. Prints its port."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock


class Sink(BaseHTTPRequestHandler):
    """`POST` anything: counted; `GET`: what was counted since the last `DELETE`."""

    protocol_version = "HTTP/1.1"
    # Head and body of an answer go out together: apart, the second waits 40 ms until the client acknowledges the first.
    wbufsize = -1
    lock = Lock()
    requests = bytes = largest = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            Sink.requests += 1
            Sink.bytes += len(body)
            Sink.largest = max(Sink.largest, len(body))
        self._answer({"upsertedCount": body.count(b'"id":')})

    def do_GET(self) -> None:
        self._answer({"requests": Sink.requests, "bytes": Sink.bytes, "largest": Sink.largest})

    def do_DELETE(self) -> None:
        Sink.requests = Sink.bytes = Sink.largest = 0
        self._answer({})

    def _answer(self, body: dict[str, int]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing: a line a request would be most of the work."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    print(server.server_port, flush=True)
    server.serve_forever()
    sys.exit()
