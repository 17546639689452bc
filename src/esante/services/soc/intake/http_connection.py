"""HTTP connections of the intake, which know the client certificate."""

import asyncio

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from esante.core.web import BoundedConnection
from esante.services.soc.intake.http_api import CERTIFICATE


class IntakeConnection(BoundedConnection):
    """An HTTP connection; the client certificate (DER) stands in the scope of its requests."""

    _certificate: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the client certificate."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self._certificate = tls.getpeercert(binary_form=True) if tls is not None else None

    def on_message_begin(self) -> None:
        """Put the client certificate into the scope."""
        super().on_message_begin()
        self.scope[CERTIFICATE] = self._certificate  # type: ignore[literal-required]


class HttpServer:
    """The connections of a process, without a listening socket of their own."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="none", log_config=None
        )
        self._config.load()
        self._state = ServerState()

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return IntakeConnection(config=self._config, server_state=self._state, app_state={})

    def close(self) -> None:
        """Answer what has begun, and take no further request."""
        for connection in [*self._state.connections]:
            connection.shutdown()
