"""The pages of a patient: their fee notes with the shares, sending, consents, and the statement of a year."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, language_of, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.billing.adjudication.words import explain
from esante.services.billing.nomenclature import nomenclature
from esante.services.billing.note.model import NoteLine
from esante.services.billing.note.pdf import note_pdf
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.model import ConsentType
from esante.services.billing.ra.service import Reimbursements
from esante.services.billing.statements.model import STANDING_NAMES, OwnNote, Standing
from esante.services.billing.statements.service import FIRST_YEAR, Statements

OWN, CONSENTS, YEARS = "/fee-notes", "/fee-notes/consents", "/fee-notes/years"
_PATIENT = ("patient",)
_MAX_TEXT = 100
_SHOWN_IN_NOTE = (403, 409)
CHOICES = (ConsentType.MH, ConsentType.CNS, ConsentType.CNS_AUTO)
"""The consents that a person chooses on the page."""
LONGEST = timedelta(days=365 * 5)
"""How long a consent of the page lasts."""


class PatientPages:
    """What patients see of their fee notes, and do with them."""

    def __init__(
        self, statements: Statements, reimbursements: Reimbursements, consents: NoteConsents, access: Access
    ) -> None:
        self._statements, self._reimbursements = statements, reimbursements
        self._consents, self._access = consents, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        one = f"{OWN}/{{note_id:uuid}}"
        return [
            Route(OWN, self.listed),
            Route(CONSENTS, self.consents),
            Route(f"{CONSENTS}/{{kind:str}}", self.choose, methods=["POST"]),
            Route(f"{YEARS}/{{year:int}}", self.year),
            Route(one, self.show),
            Route(f"{one}.pdf", self.pdf),
            Route(f"{one}/send", self.send, methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """List the fee notes, the latest first, with what counts for the limit of this year."""
        requester = await self._access.page_requester(request, _PATIENT)
        text = request.query_params.get("q", "").strip()[:_MAX_TEXT]
        return await render(
            request,
            "billing/own_notes.html",
            page=await self._statements.search(requester, text, request.query_params.get("cursor")),
            q=text,
            standings=STANDING_NAMES,
            statement=await self._statements.year(requester, today().year),
        )

    async def show(self, request: Request, problem: Problem | None = None) -> Response:
        """Show a fee note: each line with its shares and the rules that applied."""
        requester = await self._access.page_requester(request, _PATIENT)
        own, content = await self._statements.read(requester, request.path_params["note_id"])
        language = language_of(request)
        decisions = {one.number: one for one in own.adjudication.lines} if own.adjudication else {}
        findings = [*own.adjudication.findings] if own.adjudication else []
        findings += [finding for one in decisions.values() for finding in one.findings]
        return await render(
            request,
            "billing/own_note.html",
            problem.status if problem else 200,
            problem=problem,
            own=own,
            content=content,
            decisions=decisions,
            explanations=list({explain(one, language): one for one in findings}.items()),
            names={line.number: _name(line, language) for line in content.lines},
            standings=STANDING_NAMES,
            may_send=own.standing is Standing.TO_SEND and own.reimbursement is not None,
            sent=request.query_params.get("sent") == "yes",
        )

    async def pdf(self, request: Request) -> Response:
        """Return a fee note as PDF, with the note in national XML and FHIR inside."""
        requester = await self._access.page_requester(request, _PATIENT)
        own, content = await self._statements.read(requester, request.path_params["note_id"])
        made = await asyncio.to_thread(note_pdf, content, own.adjudication, language_of(request), own.note.received_at)
        headers = {
            "Content-Disposition": f'attachment; filename="{own.note.issued_on}-{own.note.note_id}.pdf"',
            "Cache-Control": "no-store",
        }
        return Response(made, media_type="application/pdf", headers=headers)

    async def send(self, request: Request) -> Response:
        """Ask the health insurance for the money of a fee note."""
        requester = await self._access.page_requester(request, _PATIENT)
        await read_form(request)
        note_id: UUID = request.path_params["note_id"]
        try:
            await self._reimbursements.send(requester, _person(requester), note_id)
        except Problem as problem:
            if problem.status not in _SHOWN_IN_NOTE:
                raise
            return await self.show(request, problem)
        return redirect(f"{OWN}/{note_id}?sent=yes")

    async def consents(self, request: Request) -> Response:
        """Show the choices about fee notes."""
        requester = await self._access.page_requester(request, _PATIENT)
        now, known = clock.now(), await self._consents.of_person(requester, _person(requester))
        refused = {one.type for one in await self._consents.known(_person(requester)) if one.ended_at is not None}
        return await render(
            request,
            "billing/consents.html",
            choices=CHOICES,
            given={one.type: one for one in known if one.is_in_force(now)},
            refused=refused,
            saved=request.query_params.get("saved", ""),
        )

    async def choose(self, request: Request) -> Response:
        """Give or end a consent."""
        requester = await self._access.page_requester(request, _PATIENT)
        kind, wanted = request.path_params["kind"], str((await read_form(request)).get("wanted", ""))
        if kind not in CHOICES or wanted not in ("yes", "no"):
            raise Problem(404, "not-found", NOT_FOUND)
        await self._change(requester, ConsentType(kind), wanted=wanted == "yes")
        return redirect(f"{CONSENTS}?saved={wanted}")

    async def _change(self, requester: Requester, kind: ConsentType, *, wanted: bool) -> None:
        """Give or end a consent; what is so already stays."""
        person_id, now = _person(requester), clock.now()
        given = any(
            one.type is kind and one.is_in_force(now) for one in await self._consents.of_person(requester, person_id)
        )
        if wanted and not given:
            await self._consents.give(requester, person_id, kind, _until(now))
        elif not wanted:
            if not given:
                await self._consents.give(requester, person_id, kind, _until(now))
            await self._consents.end(requester, person_id, kind)

    async def year(self, request: Request) -> Response:
        """Show what was paid in a year."""
        requester = await self._access.page_requester(request, _PATIENT)
        year: int = request.path_params["year"]
        statement = await self._statements.year(requester, year)
        return await render(
            request,
            "billing/year.html",
            statement=statement,
            months=_months(statement.notes),
            standings=STANDING_NAMES,
            before=year - 1 if year > FIRST_YEAR else None,
            after=year + 1 if year < today().year else None,
        )


def _person(requester: Requester) -> UUID:
    """Return whose notes the requester sees. Raises: Problem 404 where there is nobody."""
    if requester.only_person_id is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return requester.only_person_id


def _name(line: NoteLine, language: str) -> str:
    """Return what an act is called, in a language where the nomenclature has it."""
    act = nomenclature().act(line.act.code, line.period.start)
    return act.labels.get(language, "") if act else line.act.label


def _until(now: datetime) -> datetime:
    return now + LONGEST


def _months(notes: Sequence[OwnNote]) -> list[tuple[object, float, str]]:
    """Return what the person bore of the notes of each month, for the plot: day, amount, amount as text."""
    sums: dict[object, float] = {}
    for one in sorted(notes, key=lambda own: own.note.issued_on):
        month = one.note.issued_on.replace(day=1)
        sums[month] = sums.get(month, 0.0) + float(one.own or 0)
    return [(month, value, f"{value:.2f}") for month, value in sums.items()]
