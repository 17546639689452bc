"""The page of receipts for the owner of a site: which messages came and went, how far each is, its receipts."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.storage import Database
from esante.core.web import N_, NOT_FOUND, Problem, render
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.healthnet.messages.model import MessageState, RefusalReason
from esante.services.healthnet.messages.owners import owned_sites
from esante.services.healthnet.messages.service import Messages
from esante.services.healthnet.sites.model import NetworkSite

PLACE = "/network-messages"
STATES = {
    MessageState.ACCEPTED: N_("Waits for the recipient"),
    MessageState.DELIVERED: N_("Delivered"),
    MessageState.READ: N_("Read by the recipient"),
    MessageState.REFUSED: N_("Refused by the recipient"),
    MessageState.EXPIRED: N_("Not fetched in time"),
}
RECEIPTS = {
    MessageState.ACCEPTED: N_("Receipt of acceptance"),
    MessageState.DELIVERED: N_("Receipt of delivery"),
    MessageState.READ: N_("Receipt of reading"),
    MessageState.REFUSED: N_("Receipt of refusal"),
    MessageState.EXPIRED: N_("Receipt of expiry"),
}
REASONS = {
    RefusalReason.UNREADABLE: N_("The message could not be read."),
    RefusalReason.WRONG_RECIPIENT: N_("The message is not for this recipient."),
    RefusalReason.UNKNOWN_PATIENT: N_("The patient is not known there."),
    RefusalReason.DUPLICATE: N_("The recipient has it already."),
    RefusalReason.OTHER: N_("Ask the recipient for the reason."),
}
TONES = {
    MessageState.ACCEPTED: "",
    MessageState.DELIVERED: "",
    MessageState.READ: "good",
    MessageState.REFUSED: "danger",
    MessageState.EXPIRED: "danger",
}
_MAX_WORDS = 60


class MessagePages:
    """What owners of sites see of their messages."""

    def __init__(self, db: Database, messages: Messages, access: Access, directory: Directory) -> None:
        self._db, self._messages, self._access, self._directory = db, messages, access, directory

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.show),
            Route(f"{PLACE}/{{message_id:uuid}}/{{state:str}}.json", self.download),
        ]

    async def show(self, request: Request) -> Response:
        """Show the messages of the requester's sites, the newest first."""
        sites, query = await self._sites(request), request.query_params
        text, state = query.get("q", "").strip()[:_MAX_WORDS], query.get("state", "")
        state = state if state in {*MessageState} else ""
        keys = [site.key for site in sites]
        page = await self._messages.page(keys, text, state, query.get("cursor") or None)
        return await render(
            request,
            "healthnet/messages.html",
            sites=sites,
            keys={*keys},
            page=page,
            names=await self._messages.names({one for m in page.items for one in (m.sender, m.recipient)}),
            receipts=await self._messages.states_with_receipt([one.message_id for one in page.items]),
            text=text,
            state=state,
            states=STATES,
            receipt_words=RECEIPTS,
            reasons=REASONS,
            tones=TONES,
        )

    async def download(self, request: Request) -> Response:
        """Return a receipt as a file."""
        sites = await self._sites(request)
        message_id: UUID = request.path_params["message_id"]
        state: str = request.path_params["state"]
        if state not in {*MessageState}:
            raise Problem(404, "not-found", NOT_FOUND)
        file = await self._messages.receipt([site.key for site in sites], message_id, state)
        headers = {
            "Content-Disposition": f'attachment; filename="{message_id}-{state}.json"',
            "Cache-Control": "no-store",
        }
        return Response(file, media_type="application/json", headers=headers)

    async def _sites(self, request: Request) -> list[NetworkSite]:
        requester: Requester = await self._access.page_requester(request, ("practitioner",))
        return await owned_sites(self._db, self._directory, requester)
