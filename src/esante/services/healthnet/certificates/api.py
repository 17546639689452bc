"""HTTP endpoints of certificates under /healthnet/certificates, and the identity of clients by their certificate.

TLS ends at the proxy before the platform, which asks clients for their certificates and hands them on in the field
`Client-Cert` (RFC 9440); what a client sends in that field it must remove. The setting `healthnet_client_cert` says
that there is such a proxy; without it nobody is known by a certificate.
"""

import base64
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from esante.core.web import N_, Problem, bad_request, origin_of, read_body
from esante.services.healthnet.certificates.authority import MAX_REQUEST_BYTES
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.sites.model import NetworkSite
from esante.services.healthnet.sites.service import Gateway

PREFIX = "/healthnet/certificates"
NO_STORE = {"Cache-Control": "no-store"}


class SiteIdentity:
    """Which site a client is; `proxied`: whether the field `Client-Cert` counts."""

    def __init__(self, certificates: Certificates, *, proxied: bool) -> None:
        self._certificates, self._proxied = certificates, proxied

    async def site_of(self, request: Request) -> NetworkSite:
        """Return the active site whose certificate a request came with.

        Raises: Problem 403 for no certificate, and for one that is forged, ended, revoked or of a site that is not
        active (all alike).
        """
        found = certificate_of(request) if self._proxied else b""
        site = await self._certificates.identify(found) if found else None
        if site is None:
            raise Problem(403, "forbidden", N_("This certificate is not valid. Enrol the site again."))
        return site


class CertificateEndpoints:
    """The endpoints."""

    def __init__(
        self, certificates: Certificates, identity: SiteIdentity, signed_by: Callable[[Request, bytes], str]
    ) -> None:
        """Take what returns the key of the site whose agent signed a request with a body, or raises Problem."""
        self._certificates, self._identity, self._signed_by = certificates, identity, signed_by

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(f"{PREFIX}/chain.pem", self.chain),
            Route(f"{PREFIX}/revoked.crl", self.revoked),
            Route(f"{PREFIX}/identity", self.identity),
            Route(f"{PREFIX}/renew", self.renew, methods=["POST"]),
        ]

    async def chain(self, request: Request) -> Response:
        """Return the certificates of the intermediate authority and of the root."""
        return PlainTextResponse(await self._certificates.chain(), media_type="application/x-pem-file")

    async def revoked(self, request: Request) -> Response:
        """Return the signed list of revoked certificates."""
        return Response(await self._certificates.revocations(), media_type="application/pkix-crl", headers=NO_STORE)

    async def identity(self, request: Request) -> Response:
        """Return which site the client is."""
        site = await self._identity.site_of(request)
        found = {"site": site.key, "provider_code": site.provider_code, "kind": site.kind}
        return JSONResponse(found, headers=NO_STORE)

    async def renew(self, request: Request) -> Response:
        """Return a new certificate, with the chain and the time of its renewal, for the key of a request.

        The site is that of the present certificate, or that of the agent which signed the request: agents renew
        behind any proxy, and after their certificate has ended.
        """
        is_signed = "signature-input" in request.headers
        if not is_signed:
            await self._identity.site_of(request)
        content = await read_body(request, 2 * MAX_REQUEST_BYTES)
        key = self._signed_by(request, content) if is_signed else ""
        try:
            asked = msgspec.json.decode(content, type=dict[str, str])["request"]
        except (msgspec.DecodeError, KeyError, RecursionError) as error:
            title = N_("This request for a certificate is not accepted.")
            raise bad_request("request", title, code="structure") from error
        initiator, wanted = Gateway(origin_of(request)), asked.encode(errors="replace")
        if is_signed:
            renewed = await self._certificates.renew_for_agent(initiator, key, wanted)
        else:
            renewed = await self._certificates.renew(initiator, certificate_of(request), wanted)
        return JSONResponse(await self._certificates.answer(renewed), headers=NO_STORE)


def certificate_of(request: Request) -> bytes:
    """Return the certificate (DER) of the field `Client-Cert`; empty for none, for several, and for what is none."""
    fields = request.headers.getlist("client-cert")
    text = fields[0].strip() if len(fields) == 1 else ""
    if len(text) < 3 or text[0] != ":" or text[-1] != ":":
        return b""
    try:
        return base64.b64decode(text[1:-1], validate=True)
    except ValueError:
        return b""
