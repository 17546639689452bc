"""The server processes: uvicorn, with each worker listening for itself.

Workers that share one listening socket take connections as they happen to wake: the idle one takes all that wait, and
clients that keep their connections then keep one worker busy beside others that are not (24 of 32 on one of two
workers: half the deposits a second). With a socket each (SO_REUSEPORT) the kernel spreads the connections. The sockets
are there before the application is loaded: the worker that is ready first would otherwise have all early clients.
"""

import socket
from dataclasses import dataclass
from typing import Any

import uvicorn
import uvloop
from uvicorn.supervisors import Multiprocess

from esante.core.web.connection_limits import BoundedConnection

BACKLOG = 2048
"""Connections that wait at each worker, as uvicorn has it."""


class ListeningLoop(uvloop.Loop):
    """An event loop with a socket that listens already, and on which its one server serves."""

    listening: socket.socket

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """Serve what has come to the socket, and what comes."""
        options |= {"host": None, "port": None, "sock": self.listening}
        return await super().create_server(*args, **options)


@dataclass(frozen=True, slots=True)
class Listening:
    """Makes the event loop of a worker, which listens at an address together with the others."""

    host: str
    port: int

    def __call__(self) -> ListeningLoop:
        """A loop that listens from now on. OSError when the address is taken."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        loop = ListeningLoop()
        loop.listening = socket.create_server((self.host, self.port), family=family, backlog=BACKLOG, reuse_port=True)
        return loop


def serve(app: str, host: str, port: int, workers: int) -> None:
    """Serve the application that the factory `app` ("module:function") makes, until told to stop.

    Exits with a message when the address is taken.
    """
    config = uvicorn.Config(
        app,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop" if workers == 1 else Listening(host, port),  # type: ignore[arg-type]  # called as it is
        http=BoundedConnection,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    if workers == 1:
        uvicorn.Server(config).run()
        return
    config.bind_socket().close()  # whoever has the address already is found out here, and not by every worker
    Multiprocess(config, sockets=None).run()  # type: ignore[arg-type]  # None: each listens for itself
