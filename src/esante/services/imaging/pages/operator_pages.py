"""The pages of operators: what comes in, quarantine, and copies for secondary use."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import (
    Problem,
    decode_uuid_cursor,
    encode_cursor,
    gettext_of,
    language_of,
    read_form,
    redirect,
    render,
    show_date,
)
from esante.identity.access import Access
from esante.services.imaging.deidentification.model import STATES
from esante.services.imaging.deidentification.service import Copies
from esante.services.imaging.model import REASONS
from esante.services.imaging.operation.service import Operation, advice_on, words_of

PLACE, COPIES = "/operator/images", "/operator/images/copies"
_OPERATOR = ("operator",)
_SHOWN = (400, 403, 409)
_MAX_WORDS = 100
_COMMAND = "esante imaging copy"


class OperatorPages:
    """What operators see of images, none of which they can open."""

    def __init__(self, operation: Operation, copies: Copies, access: Access) -> None:
        self._operation, self._copies, self._access = operation, copies, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.intake),
            Route(f"{PLACE}/quarantine/{{id:uuid}}/settle", self.settle, methods=["POST"]),
            Route(COPIES, self.copies),
            Route(COPIES, self.propose, methods=["POST"]),
            Route(f"{COPIES}/{{id:uuid}}/decide", self.decide, methods=["POST"]),
        ]

    async def intake(self, request: Request, problem: Problem | None = None) -> Response:
        """Show the studies of the last days as a plot, and the quarantine."""
        await self._access.page_requester(request, _OPERATOR)
        query, gettext = request.query_params, gettext_of(request)
        text, settled = query.get("q", "").strip()[:_MAX_WORDS], query.get("show") == "settled"
        reasons = [
            key for key, reason in REASONS.items() if text and text.casefold() in gettext(reason.words).casefold()
        ]
        items, following = await self._operation.quarantine(text, reasons, _after(request), settled=settled)
        intake, language = await self._operation.intake(), language_of(request)
        return await render(
            request,
            "imaging/operator_intake.html",
            problem.status if problem else 200,
            problem=problem,
            items=items,
            next=encode_cursor(following) if following else None,
            text=text,
            settled=settled,
            studies=_marks(intake.studies, language),
            quarantined=_marks(intake.quarantined, language),
            words_of=words_of,
            advice_on=advice_on,
        )

    async def settle(self, request: Request) -> Response:
        """Note what was done about an instance in quarantine."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        try:
            await self._operation.settle(requester, request.path_params["id"], str(form.get("note", "")))
        except Problem as problem:
            return await self.intake(request, _shown(problem))
        return redirect(PLACE)

    async def copies(
        self, request: Request, problem: Problem | None = None, values: dict[str, str] | None = None
    ) -> Response:
        """List the copies for secondary use, with the form of a proposal."""
        requester = await self._access.page_requester(request, _OPERATOR)
        text = request.query_params.get("q", "").strip()[:_MAX_WORDS]
        items, following = await self._copies.search(text, _after(request))
        return await render(
            request,
            "imaging/operator_copies.html",
            problem.status if problem else 200,
            problem=problem,
            values=values or {},
            items=items,
            next=encode_cursor(following) if following else None,
            text=text,
            states=STATES,
            command=_COMMAND,
            own_id=requester.id,
        )

    async def propose(self, request: Request) -> Response:
        """Propose a copy."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        values = {name: str(form.get(name, "")) for name in ("purpose", "permit", "studies")}
        try:
            await self._copies.propose(requester, values["purpose"], values["permit"], values["studies"])
        except Problem as problem:
            return await self.copies(request, _shown(problem), values)
        return redirect(COPIES)

    async def decide(self, request: Request) -> Response:
        """Confirm or refuse a copy."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        try:
            await self._copies.decide(requester, request.path_params["id"], confirmed=form.get("act") == "confirm")
        except Problem as problem:
            return await self.copies(request, _shown(problem))
        return redirect(COPIES)


def _marks(counts: Sequence[tuple[date, int]], language: str) -> list[tuple[str, int, str]]:
    """Return a series for the plot: tick, value, value as text."""
    return [(show_date(day, language), number, str(number)) for day, number in counts]


def _after(request: Request) -> UUID | None:
    """Return the key after which a page begins; None for the first. Raises: Problem 400."""
    return decode_uuid_cursor(request.query_params.get("cursor"))


def _shown(problem: Problem) -> Problem:
    """Return a problem that a page shows; raise any other."""
    if problem.status not in _SHOWN:
        raise problem
    return problem
