"""The server processes: uvicorn, with each worker listening for itself.

Workers that share one listening socket take connections as they happen to wake: the idle one takes all that wait, and
clients that keep their connections then keep one worker busy beside others that are not (24 of 32 on one of two
workers: half the deposits a second). With a socket each (SO_REUSEPORT) the kernel spreads the connections.
"""

from typing import Any

import uvicorn
import uvloop
from uvicorn.supervisors import Multiprocess

from esante.web.bounded import BoundedConnection


class SharingLoop(uvloop.Loop):
    """An event loop whose servers let others listen at the same address."""

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """Listen, and let other workers listen too."""
        return await super().create_server(*args, **options, reuse_port=True)


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
        loop="uvloop" if workers == 1 else f"{__name__}:SharingLoop",
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
