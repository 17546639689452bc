"""The use cases of accelerated reimbursement: deposit, cancel, replace, send, follow."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    clean_text,
    decode_offset_cursor,
    encode_cursor,
    readable,
)
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Directory, Person, Practitioner
from esante.services.billing.insurance.messages import MAX_REASON
from esante.services.billing.note import note_store
from esante.services.billing.note.faults import NoteFault
from esante.services.billing.note.model import Channel, FeeNote, KeptNote, NoteQuery
from esante.services.billing.note.rules import is_insurance
from esante.services.billing.note.service import Notes
from esante.services.billing.ra import reimbursement_store as store
from esante.services.billing.ra import rules
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.deposit_checks import CheckedNote, DepositChecks, opened_note, written_note
from esante.services.billing.ra.model import (
    AnomalyFound,
    ConsentType,
    NoteRefused,
    Reimbursement,
    ReimbursementChanged,
    Waiting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A note with how far it is: `waiting` is the message to the insurance that waits, `remarks` of its deposit."""

    note: KeptNote
    reimbursement: Reimbursement
    waiting: Waiting | None = None
    remarks: tuple[NoteFault, ...] = ()


class Reimbursements:
    """Accelerated reimbursement of all notes."""

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, notes: Notes, consents: NoteConsents
    ) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._notes, self._consents = notes, consents
        self._checks = DepositChecks(directory, notes, consents)

    # The biller

    async def deposit(self, requester: Requester, biller: Practitioner, matricule: str, package: bytes) -> Progress:
        """Keep the note in a package for the person with a matricule, and let it wait for the insurance.

        The caller has decided that the requester acts for the biller. Raises: BadNote with what is wrong, Problem 403
        for another person's note or where the person refused, 404 for an unknown person, 409 for a known UUID; each is
        journalled.
        """
        async with self._refusals(requester, biller):
            checked = await self._checks.check(biller, matricule, opened_note(package))
            return await self._keep(requester, biller, checked)

    async def deposit_note(self, requester: Requester, biller: Practitioner, note: FeeNote) -> Progress:
        """Keep a note that came on another way, as `deposit`."""
        async with self._refusals(requester, biller):
            checked = await self._checks.check(biller, note.patient.matricule, written_note(note))
            return await self._keep(requester, biller, checked)

    async def replace(
        self,
        requester: Requester,
        biller: Practitioner,
        matricule: str,
        note_id: UUID,
        package: bytes,
        reason: str = "",
    ) -> Progress:
        """Cancel a note and keep another one in its place, both or none; return the new one. Raises: as `deposit`."""
        async with self._refusals(requester, biller):
            checked = await self._checks.check(biller, matricule, opened_note(package))
            async with self._db.transaction() as conn:
                await self._cancel(conn, requester, biller, (checked.person.id, note_id), reason, checked.note.id)
                return await self._keep(requester, biller, checked, note_id, conn)

    async def cancel(
        self, requester: Requester, biller: Practitioner, matricule: str, note_id: UUID, reason: str = ""
    ) -> Progress:
        """Cancel a note. Raises: Problem 404 for one that is not the biller's, 409 for one cancelled before."""
        person = await self.person(matricule)
        async with self._db.transaction() as conn:
            await self._cancel(conn, requester, biller, (person.id, note_id), reason, None)
        return await self._progress(person.id, note_id)

    async def send_again(self, requester: Requester, biller: Practitioner, matricule: str, note_id: UUID) -> Progress:
        """Let a message to the insurance that was given up be tried again. Raises: Problem 404."""
        person = await self.person(matricule)
        await self._notes.find(requester, person.id, note_id)
        async with self._db.transaction() as conn:
            one = await store.fetch(conn, person.id, note_id, lock=True)
            kept = await note_store.fetch_note(conn, person.id, note_id)
            if one is None or kept is None or kept.biller_id != biller.id:
                raise _not_found()
            await self._let_wait(conn, one)
        return await self._progress(person.id, note_id)

    async def _cancel(
        self,
        conn: Connection,
        requester: Requester,
        biller: Practitioner,
        key: tuple[UUID, UUID],
        reason: str,
        replaced_by_id: UUID | None,
    ) -> None:
        reason = clean_text(reason or ("remplacé" if replaced_by_id else "annulé"), 1, MAX_REASON, "reason")
        one = await store.fetch(conn, *key, lock=True)
        kept = await note_store.fetch_note(conn, *key)
        if one is None or kept is None or kept.biller_id != biller.id:
            raise _not_found()
        changed = rules.cancel(one, reason, replaced_by_id, clock.now())
        await store.update(conn, changed)
        await self._notes.end(conn, requester, kept, replaced_by_id=replaced_by_id)
        await self._let_wait(conn, changed)
        await self.record(conn, requester, kept, one, changed)

    async def _keep(
        self,
        requester: Requester,
        biller: Practitioner,
        checked: CheckedNote,
        replaces_id: UUID | None = None,
        conn: Connection | None = None,
    ) -> Progress:
        note, person = checked.note, checked.person
        one = Reimbursement(
            person_id=person.id, note_id=note.id, settled=note.settlement.settled, changed_at=clock.now()
        )
        kept = await self._notes.keep(
            requester,
            note,
            Channel.RA,
            person=person,
            biller=biller,
            body=checked.body,
            replaces_id=replaces_id,
            rows=store.reimbursement_rows(one, one.changed_at),
            conn=conn,
        )
        return Progress(note=kept, reimbursement=one, remarks=checked.remarks)

    @asynccontextmanager
    async def _refusals(self, requester: Requester, biller: Practitioner) -> AsyncIterator[None]:
        """Journal a refusal within the context, with its cause."""
        try:
            yield
        except Problem as problem:
            codes = [one.value for one in biller.identifiers if one.system == self._code_system]
            event = NoteRefused(
                provider_code=codes[0] if codes else "",
                status=problem.status,
                cause=problem.title,
                place=problem.place,
            )
            await self._journal.append_for(requester, event)
            raise

    @property
    def _code_system(self) -> str:
        return self._directory.catalogue.system("provider_code").uri

    # The patient

    async def send(self, requester: Requester, person_id: UUID, note_id: UUID) -> Progress:
        """Let a patient ask the insurance for the money of a note; asking again changes nothing.

        Raises: Problem 404 for a note that is not theirs, 403 where they ended their consent, 409 for a cancelled one.
        """
        if requester.kind != "patient" or requester.only_person_id != person_id:
            raise _not_found()
        now = clock.now()
        async with self._db.transaction() as conn:
            one = await store.fetch(conn, person_id, note_id, lock=True)
            kept = await note_store.fetch_note(conn, person_id, note_id)
            if one is None or kept is None:
                raise _not_found()
            if rules.is_refused(await self._consents.known(person_id, conn), ConsentType.CNS, now):
                title = N_("You ended your consent to send fee notes to the health insurance.")
                raise Problem(403, "forbidden", title, remedy=N_("Give it again, then send the fee note."))
            changed = rules.ask(one, "patient", now)
            if changed != one:
                await store.update(conn, changed)
                await self._let_wait(conn, changed)
                await self.record(conn, requester, kept, one, changed)
        return await self._progress(person_id, note_id)

    # The insurance

    async def report(
        self, requester: Requester, matricule: str, note_id: UUID, secu_id: UUID, amount: Decimal, on: date
    ) -> Progress:
        """Record that the insurance paid a note; reporting it again changes nothing.

        Raises: Problem 404 for others than the insurance, and for a note that it never got.
        """
        if not is_insurance(requester):
            raise _not_found()
        person, now = await self.person(matricule), clock.now()
        async with self._db.transaction() as conn:
            one = await store.fetch(conn, person.id, note_id, lock=True)
            kept = await note_store.fetch_note(conn, person.id, note_id)
            if one is None or kept is None or not one.tried or one.secu_id not in (None, secu_id):
                raise _not_found()
            known = rules.deposited(one, secu_id, (), now, automatic=False)
            changed = rules.reimbursed(known, amount, on, now)
            await self.store(conn, requester, kept, one, changed)
        return await self._progress(person.id, note_id)

    # What changed

    async def store(
        self, conn: Connection, requester: Requester | None, kept: KeptNote, before: Reimbursement, now: Reimbursement
    ) -> None:
        """Write how far a note is, with its journal entries; `requester` None: the platform itself."""
        if now == before:
            return
        await store.update(conn, now)
        if now.secu_id and not before.secu_id:
            await self._notes.mark_sent(conn, kept.person_id, kept.note_id)
        if rules.next_message(now) is None:
            await store.remove_waiting(conn, now.person_id, now.note_id)
        await self.record(conn, requester, kept, before, now)

    async def record(
        self, conn: Connection, requester: Requester | None, kept: KeptNote, before: Reimbursement, now: Reimbursement
    ) -> None:
        """Journal what changed of a note: its state, and new anomalies."""
        events: list[ReimbursementChanged | AnomalyFound] = []
        if now.state is not before.state or now.amount != before.amount:
            amount = "" if now.amount is None else f"{now.amount:.2f}"
            events.append(
                ReimbursementChanged(
                    note_ids=(kept.note_id,),
                    provider_code=kept.provider_code,
                    state=now.state.value,
                    by=now.asked_by,
                    amount=amount,
                    anomalies=len(now.anomalies),
                )
            )
        if more := [one.code for one in now.anomalies if one not in before.anomalies]:
            codes = tuple(readable(code)[:40] for code in more)
            events.append(AnomalyFound(note_ids=(kept.note_id,), provider_code=kept.provider_code, codes=codes))
        for event in events:
            if requester is None:
                await insert(conn, self._journal.rows(event, person_id=kept.person_id))
            else:
                await self._journal.append_for(requester, event, person_id=kept.person_id, conn=conn)

    async def _let_wait(self, conn: Connection, one: Reimbursement) -> None:
        """Let what is to be sent next be sent now; where there is nothing, nothing waits."""
        if rules.next_message(one) is None:
            await store.remove_waiting(conn, one.person_id, one.note_id)
        else:
            waiting = Waiting(person_id=one.person_id, note_id=one.note_id, turn_at=clock.now())
            await store.put_waiting(conn, waiting)

    # Reading

    async def person(self, matricule: str) -> Person:
        """Return the person with a matricule. Raises: Problem 404."""
        uri = self._directory.catalogue.system("matricule").uri
        found = await self._directory.find_person(uri, matricule)
        if found is None:
            raise _not_found()
        return found

    async def progress(self, requester: Requester, person_id: UUID, note_id: UUID) -> Progress:
        """Return a note with how far it is. Raises: Problem 404 when the requester may not read it."""
        await self._notes.find(requester, person_id, note_id)
        return await self._progress(person_id, note_id)

    async def of_person(
        self, requester: Requester, person_id: UUID, query: NoteQuery | None = None, start: int = 0, limit: int = 20
    ) -> Page[Progress]:
        """Return a page of the notes of a person with how far they are. Raises: as `Notes.of_person`."""
        page = await self._notes.of_person(requester, person_id, query, start, limit)
        return Page(await self._with_progress(page.items), page.next)

    async def of_biller(
        self,
        requester: Requester,
        biller: Practitioner,
        received: tuple[datetime, datetime],
        start: int = 0,
        limit: int = 20,
    ) -> Page[Progress]:
        """Return a page of the notes of a biller with how far they are. Raises: as `Notes.of_biller`."""
        page = await self._notes.of_biller(requester, biller, received, start, limit)
        return Page(await self._with_progress(page.items), page.next)

    async def given_up(
        self, requester: Requester, cursor: str | None = None, limit: int = 20, *, text: str = ""
    ) -> Page[Waiting]:
        """Return a page of the messages that are not tried any more by themselves, the latest first.

        `text`: a part of the note's id or of the cause.
        Raises: Problem 403 for others than operators, 400 for a wrong cursor.
        """
        require_operator(requester)
        start = decode_offset_cursor(cursor)
        found = await store.fetch_dead(self._db, text, start, limit + 1)
        return Page(found[:limit], encode_cursor(start + limit) if len(found) > limit else None)

    async def _progress(self, person_id: UUID, note_id: UUID) -> Progress:
        kept = await note_store.fetch_note(self._db, person_id, note_id)
        found = await self._with_progress([kept] if kept else [])
        if not found:
            raise _not_found()
        return found[0]

    async def _with_progress(self, notes: Iterable[KeptNote]) -> list[Progress]:
        """Return notes of RA with how far they are; those of other ways are left out."""
        listed = list(notes)
        keys = [(one.person_id, one.note_id) for one in listed]
        found = {(one.person_id, one.note_id): one for one in await store.fetch_many(self._db, keys)}
        waiting = {(one.person_id, one.note_id): one for one in await store.fetch_waiting(self._db, keys)}
        return [
            Progress(note=note, reimbursement=found[key], waiting=waiting.get(key))
            for key, note in zip(keys, listed, strict=True)
            if key in found
        ]


def _not_found() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)
