"""HTTP endpoints of messages under /api/healthnet/messages, for software of sites: known by the site's certificate."""

from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from esante.core.storage import parse_uuid
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, origin_of, read_body
from esante.services.healthnet.certificates.api import SiteIdentity, certificate_of
from esante.services.healthnet.messages.model import SiteMessage
from esante.services.healthnet.messages.service import Messages
from esante.services.healthnet.messages.terms import message_terms_on
from esante.services.healthnet.sites.service import Gateway

PREFIX = "/api/healthnet/messages"
_SMALL = 20_000
_PRIVATE = {"Cache-Control": "no-store"}


class MessageEndpoints:
    """The endpoints."""

    def __init__(self, messages: Messages, identity: SiteIdentity) -> None:
        self._messages, self._identity = messages, identity

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(f"{PREFIX}/key", self.announce_key, methods=["PUT"]),
            Route(f"{PREFIX}/keys/{{site}}", self.key),
            Route(f"{PREFIX}/incoming", self.waiting),
            Route(f"{PREFIX}/{{message_id}}", self.send, methods=["PUT"]),
            Route(f"{PREFIX}/{{message_id}}/content", self.content),
            Route(f"{PREFIX}/{{message_id}}/state", self.acknowledge, methods=["PUT"]),
            Route(f"{PREFIX}/{{message_id}}/receipts", self.receipts),
        ]

    async def announce_key(self, request: Request) -> Response:
        """Keep the statement (JWS) of the site about its key."""
        site = await self._identity.site_of(request)
        statement = (await read_body(request, _SMALL)).decode("ascii", "replace")
        await self._messages.announce_key(Gateway(origin_of(request)), site, certificate_of(request), statement)
        return Response(status_code=204)

    async def key(self, request: Request) -> Response:
        """Return the statement of a site about its key."""
        site = await self._identity.site_of(request)
        return PlainTextResponse(await self._messages.key_of(site, request.path_params["site"]), headers=_PRIVATE)

    async def waiting(self, request: Request) -> Response:
        """Return the messages that the site has not fetched, and where the next page begins."""
        site = await self._identity.site_of(request)
        page = await self._messages.waiting(site, request.query_params.get("cursor"))
        listed = [_listed(message, receipt) for message, receipt in page.items]
        return JSONResponse({"messages": listed, "next": page.next}, headers=_PRIVATE)

    async def send(self, request: Request) -> Response:
        """Accept a message; the body is its encrypted content, `recipient` the site that it is for."""
        site, message_id = await self._identity.site_of(request), _id(request)
        content = await read_body(request, message_terms_on(today()).max_bytes)
        recipient = request.query_params.get("recipient", "")
        receipt = await self._messages.send(Gateway(origin_of(request)), site, message_id, recipient, content)
        return PlainTextResponse(receipt, headers=_PRIVATE)

    async def content(self, request: Request) -> Response:
        """Return the encrypted content of a message."""
        site = await self._identity.site_of(request)
        content = await self._messages.content(site, _id(request))
        return Response(content, media_type="application/jose", headers=_PRIVATE)

    async def acknowledge(self, request: Request) -> Response:
        """Store what the recipient says: `{"state": "delivered" | "read" | "refused", "reason": ...}`."""
        site, message_id = await self._identity.site_of(request), _id(request)
        try:
            said = msgspec.json.decode(await read_body(request, _SMALL), type=dict[str, str])
            state, reason = said["state"], said.get("reason", "")
        except (msgspec.DecodeError, KeyError, RecursionError) as error:
            raise bad_request("state", N_("This state is unknown."), code="structure") from error
        initiator = Gateway(origin_of(request))
        receipt = await self._messages.acknowledge(initiator, site, message_id, state, reason)
        return PlainTextResponse(receipt, headers=_PRIVATE)

    async def receipts(self, request: Request) -> Response:
        """Return the receipts of a message from or to the site, each as a file."""
        site = await self._identity.site_of(request)
        files = await self._messages.receipts([site.key], _id(request))
        content = b'{"receipts":[' + b",".join(files) + b"]}"
        return Response(content, media_type="application/json", headers=_PRIVATE)


def _id(request: Request) -> UUID:
    try:
        return parse_uuid(request.path_params["message_id"])
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error


def _listed(message: SiteMessage, receipt: str) -> dict[str, Any]:
    return {
        "id": str(message.message_id),
        "from": message.sender,
        "accepted_at": message.accepted_at.isoformat(),
        "expires_at": message.expires_at.isoformat(),
        "digest": message.digest.hex(),
        "bytes": message.size,
        "receipt": receipt,
    }
