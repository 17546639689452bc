"""The server processes: uvicorn, with a listening socket for each worker.

Of workers that share one listening socket the first one to wake accepts all waiting connections. Clients that keep
their connections then occupy one worker while others are idle (24 of 32 on one of two workers: half the deposits a
second). With a socket each (SO_REUSEPORT) the kernel distributes the connections. The sockets are opened before the
application is loaded: otherwise the worker that is ready first would get all early clients.
"""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from esante.core.web.limits.connection_limits import BoundedConnection

BACKLOG = 2048
"""Connections that wait at each worker at most (uvicorn's default)."""


class ListeningLoop(uvloop.Loop):
    """An event loop with a socket that listens already, for the one server of the loop."""

    listening: socket.socket

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """Create the server on the listening socket; connections that wait there already are served too."""
        options |= {"host": None, "port": None, "sock": self.listening}
        return await super().create_server(*args, **options)


@dataclass(frozen=True, slots=True)
class ListeningLoopFactory:
    """Creates the event loop of a worker, which listens at the same address as the other workers."""

    host: str
    port: int

    def __call__(self) -> ListeningLoop:
        """Return a loop whose socket listens from now on. Raises: OSError when the address is in use."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        loop = ListeningLoop()
        loop.listening = socket.create_server((self.host, self.port), family=family, backlog=BACKLOG, reuse_port=True)
        return loop


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificates:
    """TLS 1.3 for clients that have a certificate of `client_ca`; files in PEM form."""

    certificate: Path
    key: Path
    client_ca: Path

    def options(self) -> dict[str, Any]:
        """Return the options of uvicorn. Without a certificate the handshake fails."""
        return {
            "ssl_certfile": str(self.certificate),
            "ssl_keyfile": str(self.key),
            "ssl_ca_certs": str(self.client_ca),
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_context_factory": _tls_13_only,
        }


def _tls_13_only(config: uvicorn.Config, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = make()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def serve(
    app: str | Callable[[], ASGIApp], host: str, port: int, workers: int, tls: ClientCertificates | None = None
) -> None:
    """Serve the application of the factory `app` until a signal ends the process.

    Several workers need it as "module:function".
    Exits with a message when the address is in use.
    """
    config = uvicorn.Config(
        app,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop" if workers == 1 else ListeningLoopFactory(host, port),  # type: ignore[arg-type]  # uvicorn calls it
        http=BoundedConnection,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        **(tls.options() if tls else {}),
    )
    if workers == 1:
        uvicorn.Server(config).run()
        return
    config.bind_socket().close()  # an address in use is reported here, once, and not by every worker
    Multiprocess(config, sockets=None).run()  # type: ignore[arg-type]  # None: each worker has its own
