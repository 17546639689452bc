"""Connections over mutual TLS: the certificate that the peer showed reaches each request of the connection."""

import asyncio

from cryptography import x509
from starlette.requests import Request

from esante.core.web import BoundedConnection

PEER = "peer_certificate"
"""The key in the state of a request: the certificate of the peer (DER), verified in the handshake."""


class PeerConnection(BoundedConnection):
    """An HTTP connection whose requests know the certificate of the peer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the certificate of the handshake in the state that requests see."""
        session = transport.get_extra_info("ssl_object")
        certificate = session.getpeercert(binary_form=True) if session is not None else None
        self.app_state = {**self.app_state, PEER: certificate}
        super().connection_made(transport)


def peer_certificate(request: Request) -> x509.Certificate | None:
    """Return the certificate of the peer of a request, None for a connection without one."""
    data = request.scope.get("state", {}).get(PEER)
    return x509.load_der_x509_certificate(data) if data else None
