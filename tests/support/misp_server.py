"""A MISP server as far as feeds need it, as a process of its own: `python -m tests.support.misp_server PORT KEY`.

It answers `attributes/restSearch` with pages of its attributes. A PUT to /control/attributes replaces them, one to
/control/faults sets a fault: status (a number), garbage, giant.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers like MISP."""

    attributes = ()
    faults = {}  # noqa: RUF012 - replaced as a whole
    key = ""

    def log_message(self, *arguments):
        pass

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")

    def do_PUT(self) -> None:
        if self.path == "/control/attributes":
            Handler.attributes = self.body()
        else:
            Handler.faults = self.body()
        self.answer(200, b"{}")

    def do_POST(self) -> None:
        wanted = self.body()
        if self.headers.get("Authorization") != self.key:
            self.answer(403, b'{"message": "Authentication failed"}')
        elif status := self.faults.get("status"):
            self.answer(status, b"{}")
        elif self.faults.get("garbage"):
            self.answer(200, b"<html>")
        else:
            since, page, limit = int(wanted.get("timestamp", 0)), wanted["page"], wanted["limit"]
            found = [one for one in self.attributes if int(one["timestamp"]) >= since]
            part = found[(page - 1) * limit : page * limit]
            self.answer(200, json.dumps({"response": {"Attribute": part}}).encode())


if __name__ == "__main__":
    Handler.key = sys.argv[2]
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
