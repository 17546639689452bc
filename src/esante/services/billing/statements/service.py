"""The use cases of a patient with their fee notes: see them with the shares, and the statement of a year."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from esante.core.storage import Database
from esante.core.time_zone import day_of, today
from esante.core.web import NOT_FOUND, Page, Problem, decode_offset_cursor
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person
from esante.services.billing.adjudication.model import Adjudication, Case, Cover
from esante.services.billing.insurance.client import Insurance, Silent
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.model import FeeNote, KeptNote, NoteQuery, NoteStatus
from esante.services.billing.note.service import Notes
from esante.services.billing.payment.service import Payments
from esante.services.billing.pid.cases import Cases
from esante.services.billing.pid.model import PidUnavailable
from esante.services.billing.ra import reimbursement_store
from esante.services.billing.statements import statement_store
from esante.services.billing.statements.model import OwnNote, YearStatement
from esante.services.billing.statements.rules import participation_limit, standing_of
from esante.services.billing.statements.terms import participation_terms

log = logging.getLogger(__name__)
MOST_NOTES = 1_000
"""Notes of a year that a statement has at most."""
FIRST_YEAR = 2000
_AT_ONCE = 50
"""Notes whose contents are read at a time."""


class Statements:
    """What patients paid. `adjudicate` gives the decision that the rules give on a case."""

    def __init__(
        self,
        db: Database,
        directory: Directory,
        notes: Notes,
        payments: Payments,
        insurance: Insurance,
        cases: Cases,
        adjudicate: Callable[[Case], Adjudication],
    ) -> None:
        self._db, self._directory, self._notes, self._payments = db, directory, notes, payments
        self._insurance, self._cases, self._adjudicate = insurance, cases, adjudicate

    async def search(
        self, requester: Requester, text: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page[OwnNote]:
        """Return a page of the requester's fee notes, the latest first. Raises: Problem 400 for a wrong cursor."""
        person_id, start = _own(requester), decode_offset_cursor(cursor)
        page = await self._notes.of_person(requester, person_id, NoteQuery(text=text), start, limit)
        return Page(await self._with_shares(requester, page.items), page.next)

    async def read(self, requester: Requester, note_id: UUID) -> tuple[OwnNote, FeeNote]:
        """Return a fee note of the requester with its content. Raises: Problem 404 when there is none."""
        kept, content = await self._notes.read(requester, _own(requester), note_id)
        (own,) = await self._with_shares(requester, [kept])
        return own, content

    async def contents(
        self, requester: Requester
    ) -> AsyncIterator[tuple[KeptNote, FeeNote | None, Adjudication | None]]:
        """Yield each fee note of the requester with its content and the decision on it (None: there is none).

        A content that is lost or damaged is None. Raises: Problem 404 for who is no patient.
        """
        person_id, start, more = _own(requester), 0, True
        while more:
            page = await self._notes.of_person(requester, person_id, NoteQuery(), start, _AT_ONCE)
            keys = [(person_id, one.note_id) for one in page.items]
            decisions = await statement_store.fetch_decisions(self._db, keys)
            await self._notes.record_read(requester, person_id, [one.note_id for one in page.items], part="export")
            for kept in page.items:
                try:
                    content = await self._notes.content(kept)
                except (BadNote, FileNotFoundError, ValueError):
                    log.exception("the fee note %s is lost or damaged; it is left out", kept.note_id)
                    content = None
                yield kept, content, decisions.get((person_id, kept.note_id))
            start, more = start + _AT_ONCE, page.next is not None

    async def count_to_send(self, requester: Requester) -> int:
        """Return how many fee notes the requester may send to the insurance. Raises: Problem 404 for others."""
        return await statement_store.count_to_send(self._db, _own(requester))

    async def year(self, requester: Requester, year: int) -> YearStatement:
        """Return what the requester paid in a year. Raises: Problem 404 for a year that has no statement."""
        if not FIRST_YEAR <= year <= today().year:
            raise Problem(404, "not-found", NOT_FOUND)
        query = NoteQuery(since=date(year, 1, 1), until=date(year, 12, 31), status=NoteStatus.ACTIVE)
        page = await self._notes.of_person(requester, _own(requester), query, 0, MOST_NOTES)
        terms, income = participation_terms(year), await self._income(requester, year - 1)
        return YearStatement(
            year=year,
            notes=await self._with_shares(requester, page.items),
            income=income,
            limit=participation_limit(income, terms),
            legal_source=terms.legal_source,
        )

    async def _with_shares(self, requester: Requester, notes: Sequence[KeptNote]) -> list[OwnNote]:
        """Return notes with how far they are and the shares; without a decision, with an estimate."""
        person_id = _own(requester)
        keys = [(person_id, one.note_id) for one in notes]
        reimbursements = {one.note_id: one for one in await reimbursement_store.fetch_many(self._db, keys)}
        payments = await self._payments.of_notes(keys)
        decisions = await statement_store.fetch_decisions(self._db, keys)
        person = await self._directory.person(person_id)
        found = []
        for note in notes:
            key = note.person_id, note.note_id
            reimbursement, payment = reimbursements.get(note.note_id), payments.get(key)
            own = OwnNote(
                note=note,
                standing=standing_of(note, reimbursement, payment),
                reimbursement=reimbursement,
                payment=payment,
                adjudication=decisions.get(key),
            )
            if own.adjudication is None and person is not None:
                own = replace(own, adjudication=await self._estimate(person, note), estimated=True)
            found.append(own)
        return found

    async def _estimate(self, person: Person, kept: KeptNote) -> Adjudication | None:
        """Return what the rules give on a note, as if the person is insured where the insurance does not answer."""
        note = await self._notes.content(kept)
        biller = await self._directory.practitioner(kept.biller_id)
        first = min(line.period.start for line in note.lines)
        try:
            covers = await self._cases.covers(note.patient.matricule, first)
            approvals = await self._cases.approvals(note)
        except PidUnavailable:
            covers, approvals = [Cover(fund=note.patient.fund or "CNS", since=person.birth_date)], []
        received = day_of(kept.received_at)
        case = await self._cases.gather(note, person, biller, covers, received, kept.note_id, approvals)
        return self._adjudicate(case)

    async def _income(self, requester: Requester, year: int) -> Decimal | None:
        """Return the contributory income of the requester in a year; None where the insurance does not say it."""
        person = await self._directory.person(_own(requester))
        uri = self._directory.catalogue.system("matricule").uri
        matricules = [one.value for one in person.identifiers if one.system == uri] if person else []
        if not matricules:
            return None
        try:
            return await self._insurance.income(matricules[0], year)
        except Silent:
            return None


def _own(requester: Requester) -> UUID:
    """Return whose notes a patient sees: their own, or of whom they represent. Raises: Problem 404 for others."""
    if requester.kind != "patient" or requester.only_person_id is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return requester.only_person_id
