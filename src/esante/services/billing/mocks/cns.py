"""A mock of the health insurance (CNS): who is insured, the national messages of RA, and what was reimbursed.

    GET  /insured/{matricule}?on=DAY    {"covers": [{"fund", "since", "until", "third_party_payer"}]}, 404 not insured
    GET  /insured/{matricule}/approvals                 {"approvals": [{"code", "since", "until", "quantity"}]}
    GET  /insured/{matricule}/income?year=YYYY          {"income": "41000.00"}, the contributory income of a year
    POST /messages/{modelUID}           a national message; the answer to a note is a DEPOT-RES, to others empty
    GET  /notes/{UuidSecu}              {"state": deposited | asked | reimbursed | cancelled, "amount", "on"}
    GET  /control/messages, /control/notes             what came, and what became of it
    PUT  /control/insured/{matricule}   who is insured how ("covers"), what the medical control approved ("approvals")
    PUT  /control/faults                what goes wrong from now on

It remembers as long as it runs. A refusal is 4xx with {"code", "text"}.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core import clock
from esante.services.billing.insurance.messages import (
    CANCELLATION,
    CONSENT,
    DEPOSIT,
    Anomaly,
    DepositAnswer,
    read_cancellation,
    read_consent,
    write_answer,
)
from esante.services.billing.mocks.faults import Faults, change_faults
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.national_xml import read_note
from esante.services.billing.note.xml_blocks import MAX_BYTES

log = logging.getLogger(__name__)
_CENT, _RATE = Decimal("0.01"), Decimal("0.88")
_MAX_LOG = 100_000


@dataclass(kw_only=True)
class CnsNote:
    """A note at the insurance."""

    note_id: UUID
    secu_id: UUID
    digest: str
    matricule: str
    statutory: Decimal
    state: str = "deposited"
    asked_at: datetime | None = None
    on: date | None = None
    replaced_by: UUID | None = None
    deposits: int = 1
    consents: int = 0
    cancellations: int = 0

    def shown(self) -> dict[str, Any]:
        """Return the note as JSON."""
        return {
            "note": str(self.note_id),
            "secu": str(self.secu_id),
            "matricule": self.matricule,
            "state": self.state,
            "amount": f"{self.statutory:.2f}" if self.state == "reimbursed" else None,
            "on": self.on.isoformat() if self.on else None,
            "replaced_by": str(self.replaced_by) if self.replaced_by else None,
            "deposits": self.deposits,
            "consents": self.consents,
            "cancellations": self.cancellations,
        }


class _Refusal(Exception):
    """A message that is refused."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.response = JSONResponse({"code": code, "text": text}, status)


@dataclass(kw_only=True)
class MockCns:
    """The state of the mock.

    `reimburse_after`: seconds from a consent until the money. `anomaly`: a code that every note is answered with.
    `callback`: where reimbursements are reported to, with the bearer `token`; "": nowhere, they are asked about.
    """

    faults: Faults = field(default_factory=Faults)
    reimburse_after: float = 2.0
    anomaly: str = ""
    callback: str = ""
    token: str = ""
    say: Callable[[str], None] = log.info
    notes: dict[UUID, CnsNote] = field(default_factory=dict)
    insured: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    approvals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    messages: list[dict[str, str]] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def covers(self, matricule: str) -> list[dict[str, Any]]:
        """Return how somebody is insured: as was set, or else at the CNS since their birth."""
        if matricule in self.insured:
            return self.insured[matricule]
        try:
            since = date.fromisoformat(f"{matricule[:4]}-{matricule[4:6]}-{matricule[6:8]}")
        except ValueError:  # a test number begins with no day
            since = date(1900, 1, 1)
        return [{"fund": "CNS", "since": since.isoformat(), "until": None, "third_party_payer": False}]

    def income(self, matricule: str, year: int) -> str:
        """Return the contributory income of somebody in a year: invented, the same each time."""
        digest = hashlib.sha256(f"{matricule} {year}".encode()).digest()
        return f"{30_000 + int.from_bytes(digest[:2], 'big') % 60_000}.00"

    async def take(self, model: str, body: bytes) -> Response:
        """Carry out a message and return the answer."""
        taken = {DEPOSIT: self._deposit, CONSENT: self._consent, CANCELLATION: self._cancel}
        try:
            if model not in taken:
                raise _Refusal(404, "MODEL", f"there is no model {model}")
            response, about = await taken[model](body)
        except BadNote as bad:
            response, about = JSONResponse({"code": "XML", "text": f"{bad.place} {bad.title}"}, 422), bad.place
        except _Refusal as refusal:
            response, about = refusal.response, str(refusal)
        self.messages.append({"model": model, "about": about, "status": str(response.status_code)})
        del self.messages[:-_MAX_LOG]
        self.say(f"{clock.now():%H:%M:%S} {model} {about}: {response.status_code}")
        return response

    async def _deposit(self, body: bytes) -> tuple[Response, str]:
        note, digest = read_note(body).note, hashlib.sha256(body).hexdigest()
        known = self.notes.get(note.id)
        if known is not None and known.digest != digest:
            raise _Refusal(409, "DUPLICATE", f"{note.id} was deposited with another content")
        if known is None:
            shares = ((line.gross * _RATE).quantize(_CENT, ROUND_HALF_UP) for line in note.lines)
            known = CnsNote(
                note_id=note.id,
                secu_id=uuid4(),
                digest=digest,
                matricule=note.patient.matricule,
                statutory=sum(shares, Decimal(0)),
            )
            self.notes[note.id] = known
        else:
            known.deposits += 1
        anomalies = (Anomaly(type="warning", code=self.anomaly),) if self.anomaly else ()
        answer = write_answer(DepositAnswer(note_id=note.id, secu_id=known.secu_id, anomalies=anomalies))
        return Response(answer, media_type="application/xml"), str(note.id)

    async def _consent(self, body: bytes) -> tuple[Response, str]:
        consent = read_consent(body)
        note = self._known(consent.secu_id)
        if note.matricule != consent.matricule:
            raise _Refusal(422, "PERSON", "the note is for another person")
        if note.state == "cancelled":
            raise _Refusal(409, "CANCELLED", f"{note.note_id} was cancelled")
        note.consents += 1
        if note.state == "deposited":
            note.state, note.asked_at = "asked", clock.now()
            await self._report_later(note)
        return Response(status_code=200), str(note.note_id)

    async def _cancel(self, body: bytes) -> tuple[Response, str]:
        cancellation = read_cancellation(body)
        note = self._known(cancellation.secu_id)
        note.cancellations += 1
        note.state, note.replaced_by = "cancelled", cancellation.replaced_by
        return Response(status_code=200), str(note.note_id)

    def _known(self, secu_id: UUID) -> CnsNote:
        for note in self.notes.values():
            if note.secu_id == secu_id:
                return note
        raise _Refusal(404, "UNKNOWN", f"there is no note {secu_id}")

    def find(self, secu_id: UUID) -> CnsNote:
        """Return a note, reimbursed when its time has come. Raises: `_Refusal` for an unknown one."""
        note = self._known(secu_id)
        if note.state == "asked" and note.asked_at is not None:
            due = note.asked_at + timedelta(seconds=self.reimburse_after)
            if clock.now() >= due:
                note.state, note.on = "reimbursed", due.date()
        return note

    async def _report_later(self, note: CnsNote) -> None:
        """Report a reimbursement to the platform, where it wants that."""
        if not self.callback:
            return
        if self.faults.reorder:
            note.state, note.on = "reimbursed", clock.now().date()
            await self._report(note)
            return

        async def wait() -> None:
            pause = self.reimburse_after
            while True:
                await asyncio.sleep(pause)
                if self.find(note.secu_id).state != "asked":
                    break
                # The timer runs by another clock than the calendar's, by which the note is due: it ended too early.
                pause = 0.02
            if note.state == "reimbursed":
                await self._report(note)

        task = asyncio.create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, note: CnsNote) -> None:
        body = {
            "uuidPrestataire": str(note.note_id),
            "uuidSecu": str(note.secu_id),
            "ssn": note.matricule,
            "amount": f"{note.statutory:.2f}",
            "on": note.on.isoformat() if note.on else None,
        }
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(timeout=10) as client:
            for _ in range(2 if self.faults.duplicate else 1):
                try:
                    response = await client.post(self.callback, json=body, headers=headers)
                    self.say(f"reported {note.note_id}: {response.status_code}")
                except httpx.HTTPError as error:
                    self.say(f"could not report {note.note_id}: {type(error).__name__}")


def create_app(mock: MockCns) -> Starlette:
    """Return the mock as an application."""
    faults = mock.faults

    def refuse(code: str) -> Response:
        return JSONResponse({"code": code, "text": "refused by the mock"}, 422)

    async def insured(request: Request) -> Response:
        async def make() -> Response:
            covers = mock.covers(request.path_params["matricule"])
            return JSONResponse({"covers": covers}, 200 if covers else 404)

        return await faults.answer(make, lambda code: JSONResponse({"code": code}, 503))

    async def approvals(request: Request) -> Response:
        async def make() -> Response:
            return JSONResponse({"approvals": mock.approvals.get(request.path_params["matricule"], [])})

        return await faults.answer(make, lambda code: JSONResponse({"code": code}, 503))

    async def income(request: Request) -> Response:
        async def make() -> Response:
            year = int(request.query_params.get("year", "0"))
            return JSONResponse({"income": mock.income(request.path_params["matricule"], year)})

        return await faults.answer(make, lambda code: JSONResponse({"code": code}, 503))

    async def message(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return JSONResponse({"code": "SIZE", "text": "too large"}, 413)

        async def make() -> Response:
            return await mock.take(request.path_params["model"], body)

        return await faults.answer(make, refuse)

    async def note(request: Request) -> Response:
        async def make() -> Response:
            try:
                return JSONResponse(mock.find(UUID(request.path_params["secu_id"])).shown())
            except (ValueError, _Refusal):
                return JSONResponse({"code": "UNKNOWN", "text": "there is no such note"}, 404)

        return await faults.answer(make, lambda code: JSONResponse({"code": code}, 503))

    async def show_messages(request: Request) -> Response:
        return JSONResponse(mock.messages)

    async def show_notes(request: Request) -> Response:
        return JSONResponse([one.shown() for one in mock.notes.values()])

    async def set_insured(request: Request) -> Response:
        given, matricule = await request.json(), request.path_params["matricule"]
        for name, kept in (("covers", mock.insured), ("approvals", mock.approvals)):
            if name in given:
                kept[matricule] = given[name]
        return Response(status_code=204)

    async def set_faults(request: Request) -> Response:
        return await change_faults(request, faults)

    return Starlette(
        routes=[
            Route("/insured/{matricule}", insured),
            Route("/insured/{matricule}/approvals", approvals),
            Route("/insured/{matricule}/income", income),
            Route("/messages/{model}", message, methods=["POST"]),
            Route("/notes/{secu_id}", note),
            Route("/control/messages", show_messages),
            Route("/control/notes", show_notes),
            Route("/control/insured/{matricule}", set_insured, methods=["PUT"]),
            Route("/control/faults", set_faults, methods=["PUT"]),
        ]
    )


async def _body(request: Request) -> bytes | None:
    """Return the body; None when it is larger than any message."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return body
