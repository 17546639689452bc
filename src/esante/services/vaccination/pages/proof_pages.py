"""The pages of the proof to carry, for the person: make a card or a link, show it, end it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import segno
from markupsafe import Markup
from segno.consts import MODE_BYTE, MODE_NUMERIC
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.journal import Journal
from esante.core.link_secrets import link_qr, qr_svg
from esante.core.web import (
    N_,
    Problem,
    decode_offset_cursor,
    encode_cursor,
    gettext_of,
    language_of,
    read_form,
    redirect,
    render,
)
from esante.identity.access import Access, Requester
from esante.services.vaccination.health_cards.codec import card_file, to_digits
from esante.services.vaccination.health_cards.issuer import HealthCards
from esante.services.vaccination.health_cards.model import MEDIA_TYPE, HealthCard
from esante.services.vaccination.health_links.model import (
    DURATIONS,
    MAX_LABEL,
    HealthLink,
    HealthLinkOpened,
)
from esante.services.vaccination.health_links.service import HealthLinks
from esante.services.vaccination.pages.card_pages import OWN, words
from esante.services.vaccination.pages.public_pages import OPEN

PROOF = f"{OWN}/proof"
PAGE_SIZE = 10
_SHOWN_IN_FORM = (400, 409)
_MAX_WORDS = 100
_MAX_OPENINGS = 50
_USUAL_DAYS = 7


@dataclass(frozen=True, slots=True)
class _Shared:
    """A card or a link in the list of what was shared."""

    id: UUID
    kind: str
    label: str
    doses: int
    at: datetime
    active: bool
    link: HealthLink | None = None


class ProofPages:
    """The pages of the proof; `base_url` is the platform's address."""

    def __init__(
        self, cards: HealthCards, links: HealthLinks, journal: Journal, access: Access, base_url: str
    ) -> None:
        self._cards, self._links = cards, links
        self._journal, self._access = journal, access
        self._viewer = f"{base_url}{OPEN}"

    def routes(self) -> list[Route]:
        """Return the pages."""
        card, link = f"{PROOF}/cards/{{card_id:uuid}}", f"{PROOF}/links/{{link_id:uuid}}"
        return [
            Route(PROOF, self.choose),
            Route(f"{PROOF}/cards", self.issue, methods=["POST"]),
            Route(card, self.show_card),
            Route(f"{card}/file", self.file),
            Route(f"{card}/revoke", self.revoke, methods=["POST"]),
            Route(f"{PROOF}/links", self.create_link, methods=["POST"]),
            Route(link, self.show_link),
            Route(f"{link}/end", self.end_link, methods=["POST"]),
            Route(f"{PROOF}/shared", self.shared),
        ]

    async def choose(self, request: Request) -> Response:
        """Show the form: which vaccinations, as a card or as a link."""
        return await self._form(request, await self._requester(request), None, None)

    async def issue(self, request: Request) -> Response:
        """Make a card, and show it."""
        requester, form = await self._requester(request), await read_form(request)
        try:
            card = await self._cards.issue(requester, _chosen(form))
        except Problem as problem:
            return await self._form(request, requester, form, problem)
        return redirect(f"{PROOF}/cards/{card.card_id}")

    async def show_card(self, request: Request) -> Response:
        """Show a card as a QR code."""
        card = await self._card(request)
        title = gettext_of(request)(N_("QR code of your signed vaccination card"))
        return await render(request, "vaccination/health_card.html", card=card, url=PROOF, qr=card_qr(card.jws, title))

    async def file(self, request: Request) -> Response:
        """Return a card as a file for wallets."""
        card = await self._card(request)
        headers = {"Content-Disposition": 'attachment; filename="vaccinations.smart-health-card"'}
        return Response(card_file(card.jws), headers=headers, media_type=MEDIA_TYPE)

    async def revoke(self, request: Request) -> Response:
        """Declare a card invalid."""
        requester = await self._requester(request)
        await read_form(request)
        await self._cards.revoke(requester, request.path_params["card_id"])
        return redirect(f"{PROOF}/shared?saved=revoked")

    async def create_link(self, request: Request) -> Response:
        """Make a link and show it: it is shown in this response only."""
        requester, form = await self._requester(request), await read_form(request)
        days = str(form.get("days", ""))
        try:
            made = await self._links.create(
                requester,
                _chosen(form),
                str(form.get("label", "")),
                int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 0,
                language_of(request),
            )
        except Problem as problem:
            return await self._form(request, requester, form, problem)
        address = f"{self._viewer}#{made.uri}"
        title = gettext_of(request)(N_("QR code of the link to your vaccinations"))
        return await render(
            request,
            "vaccination/health_link.html",
            made=made,
            url=PROOF,
            address=address,
            qr=link_qr(address, title),
        )

    async def show_link(self, request: Request) -> Response:
        """Show who opened a link."""
        requester, link_id = await self._requester(request), request.path_params["link_id"]
        link = next((one for one in await self._links.links_of(requester) if one.link_id == link_id), None)
        if link is None:
            return redirect(f"{PROOF}/shared")
        entries = await self._journal.entries_of(requester.id, [HealthLinkOpened], limit=500)
        openings = [one for one in entries if one.event is not None and one.event.link_id == link_id]
        return await render(
            request,
            "vaccination/link_openings.html",
            link=link,
            active=link.is_active(clock.now()),
            openings=openings[:_MAX_OPENINGS],
            url=PROOF,
        )

    async def end_link(self, request: Request) -> Response:
        """End a link."""
        requester = await self._requester(request)
        await read_form(request)
        await self._links.end(requester, request.path_params["link_id"])
        return redirect(f"{PROOF}/shared?saved=ended")

    async def shared(self, request: Request) -> Response:
        """List the cards and links that the person made, the latest first."""
        requester, query = await self._requester(request), request.query_params
        text, offset = query.get("q", "").strip()[:_MAX_WORDS], decode_offset_cursor(query.get("cursor"))
        now = clock.now()
        every = [*map(_of_card, await self._cards.cards_of(requester))]
        every += [_of_link(link, now) for link in await self._links.links_of(requester)]
        found = [one for one in every if all(word in one.label.casefold() for word in text.casefold().split())]
        found.sort(key=lambda one: (one.active, one.at), reverse=True)
        return await render(
            request,
            "vaccination/shared.html",
            shown=found[offset : offset + PAGE_SIZE],
            total=len(every),
            next=encode_cursor(offset + PAGE_SIZE) if len(found) > offset + PAGE_SIZE else None,
            text=text,
            saved=query.get("saved", ""),
            url=PROOF,
        )

    async def _form(
        self, request: Request, requester: Requester, form: FormData | None, problem: Problem | None
    ) -> Response:
        if problem is not None and problem.status not in _SHOWN_IN_FORM:
            raise problem
        doses = await self._cards.provable_doses(requester)
        chosen = {dose.id for dose in doses if dose.confidentiality == "normal"} if form is None else _chosen(form)
        values: dict[str, Any] = {"label": "", "days": str(_USUAL_DAYS)}
        values |= {name: str(form.get(name, "")) for name in values} if form is not None else {}
        return await render(
            request,
            "vaccination/proof.html",
            problem.status if problem else 200,
            problem=problem,
            doses=doses,
            chosen=chosen,
            values=values,
            durations=DURATIONS,
            max_label=MAX_LABEL,
            url=PROOF,
            **words(request),
        )

    async def _requester(self, request: Request) -> Requester:
        return await self._access.page_requester(request, kinds=("patient",))

    async def _card(self, request: Request) -> HealthCard:
        return await self._cards.find(await self._requester(request), request.path_params["card_id"])


def card_qr(jws: str, title: str) -> Markup:
    """Return the QR code of a card as inline SVG: a segment of bytes and one of digits, at most version 22."""
    segments: Any = [("shc:/", MODE_BYTE), (to_digits(jws), MODE_NUMERIC)]
    return qr_svg(segno.make_qr(segments, error="l", boost_error=False), title)


def _chosen(form: FormData) -> set[UUID]:
    """Return the keys of the chosen doses; what is no key is left out."""
    keys = set()
    for value in form.getlist("dose"):
        try:
            keys.add(UUID(str(value)))
        except ValueError:
            continue
    return keys


def _of_card(card: HealthCard) -> _Shared:
    return _Shared(card.card_id, "card", "", len(card.dose_ids), card.issued_at, active=card.revoked_at is None)


def _of_link(link: HealthLink, now: datetime) -> _Shared:
    return _Shared(link.link_id, "link", link.label, link.doses, link.created_at, link.is_active(now), link)
