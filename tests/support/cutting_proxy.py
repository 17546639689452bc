"""A TCP proxy before a server that cuts the connection at a request, as a network does.

`cut(path, side)`: the next request whose path contains `path` is lost: "before": the server never gets it; "after":
the server carries it out, and its answer is lost. `hold` does the same, but leaves the client waiting. `down`: no
connection gets through.
"""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CuttingProxy:
    """The proxy; `log` has the requests (method and path) that reached the server."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self.down = False
        self.log: list[str] = []
        self._rules: list[tuple[str, str, bool]] = []
        self.reached = threading.Event()
        """Set when a request is held."""
        self.released = threading.Event()
        """Lets the held ones end."""
        self.base = ""

    def cut(self, path: str, side: str) -> None:
        """Lose the next request to a path, at a side."""
        self._rules.append((path, side, False))

    def hold(self, path: str, side: str) -> None:
        """Let the client of the next request to a path wait for ever."""
        self._rules.append((path, side, True))

    def handle(self, client: socket.socket) -> None:
        """Relay one request."""
        if self.down:
            return
        request = _read_message(client)
        if not request:
            return
        line = request.split(b"\r\n", 1)[0].decode().rsplit(" ", 1)[0]
        rule = next((one for one in self._rules if one[0] in line), None)
        if rule is not None:
            self._rules.remove(rule)
        answer = b""
        if rule is None or rule[1] == "after":
            with socket.create_connection(self._target) as server:
                server.sendall(request)
                answer = _read_message(server)
            self.log.append(line)
        if rule is not None:
            if rule[2]:
                self.reached.set()
                self.released.wait(60)
            return
        client.sendall(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))


def _read_message(source: socket.socket) -> bytes:
    """Return one HTTP message with its body, b"" when there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = source.recv(65_536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = (int(sizes[0]) if sizes else 0) - len(body)
    while missing > 0:
        more = source.recv(65_536)
        if not more:
            return b""
        data += more
        missing -= len(more)
    return data


@contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    """Yield a proxy before the server at a port of this machine."""
    proxy = CuttingProxy(port)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                proxy.handle(self.request)

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 64

    with Listener(("127.0.0.1", 0), Handler) as listener:
        proxy.base = f"http://127.0.0.1:{listener.server_address[1]}"
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield proxy
        proxy.released.set()
        listener.shutdown()
