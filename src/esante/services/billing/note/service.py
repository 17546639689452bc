"""The use cases of fee notes: keep one once, read it, list them, end it. Access is decided before anything is read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import asyncpg

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import INLINE_LIMIT, Connection, Database, Objects, Row, insert
from esante.core.time_zone import time_zone, today
from esante.core.web import N_, NOT_FOUND, Page, Problem, encode_cursor
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person, Practitioner
from esante.services.billing.adjudication.model import PastAct
from esante.services.billing.note import note_store
from esante.services.billing.note.faults import BadNote, NoteFault
from esante.services.billing.note.model import (
    Channel,
    FeeNote,
    KeptNote,
    NoteEnded,
    NoteKept,
    NoteQuery,
    NoteRead,
    NotesListed,
    NoteStatus,
)
from esante.services.billing.note.national_xml import read_note, write_note
from esante.services.billing.note.rules import (
    NoteFacts,
    is_insurance,
    may_act_as_biller,
    may_read,
    organizations_in_force,
)

FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST = datetime(9999, 12, 30, tzinfo=UTC)


class Notes:
    """The fee notes of all persons."""

    def __init__(self, db: Database, objects: Objects, journal: Journal, directory: Directory) -> None:
        self._db, self._objects, self._journal, self._directory = db, objects, journal, directory

    # Who and whose

    async def patient_of(self, note: FeeNote) -> Person:
        """Return the person whom a note is for. Raises: BadNote for one without a matricule, Problem 404 unknown."""
        place = "/memoireHonoraire/entete/patient/matricule"
        if not note.patient.matricule:
            title = N_("A fee note on the platform needs the matricule of the patient.")
            raise BadNote([NoteFault(place=place, title=title, remedy=N_("Give the patient the note on paper."))])
        person = await self._directory.find_person(self._uri("matricule"), note.patient.matricule)
        if person is None:
            raise Problem(404, "not-found", N_("This person does not exist."), remedy=N_("Check the identifier."))
        return person

    async def biller_of(self, provider_code: str) -> Practitioner:
        """Return the practitioner with a provider code. Raises: Problem 404 when there is none."""
        found = await self._directory.find_practitioner(self._uri("provider_code"), provider_code)
        if found is None:
            raise Problem(404, "not-found", N_("No professional has this provider code."), detail=provider_code)
        return found

    async def may_bill(self, requester: Requester, biller: Practitioner) -> bool:
        """Return whether a requester may deposit, follow and cancel notes of a biller."""
        return may_act_as_biller(requester, biller.id, organizations_in_force(biller, today()))

    def _uri(self, key: str) -> str:
        return self._directory.catalogue.system(key).uri

    # Keeping

    async def keep(
        self,
        requester: Requester,
        note: FeeNote,
        channel: Channel,
        *,
        person: Person,
        biller: Practitioner,
        body: bytes | None = None,
        replaces_id: UUID | None = None,
        sent: bool = False,
        acts: Sequence[PastAct] | None = None,
        rows: Sequence[Row] = (),
        conn: Connection | None = None,
    ) -> KeptNote:
        """Keep a note, once for ever: a UUID is used once by a biller and once for a person.

        The caller has decided that the requester may. `body`: the note in national XML as it came. `sent`: the health
        insurance has it by this. `acts`: those that count for later notes (None: all, as of accelerated reimbursement,
        where the insurance decides and does not say which lines it refused). `rows` are written with it;
        `conn`: in this transaction.
        Raises: Problem 409 for a UUID that is known.
        """
        kept = await self._prepare(note, channel, person, biller, requester, body or write_note(note))
        kept = replace(kept, replaces_id=replaces_id, sent_at=kept.received_at if sent else None)
        event = NoteKept(
            note_ids=(note.id,),
            provider_code=kept.provider_code,
            channel=channel.value,
            replaces_id=replaces_id,
            biller_id=biller.id,
            association_code=note.association_code,
            amount=f"{note.total:.2f}",
            acts=tuple((one.code, one.on, one.quantity, one.hospital_class in ("1", "2")) for one in acts_of(note)),
        )
        written = [
            *note_store.note_rows(kept, acts_of(note) if acts is None else acts),
            *self._journal.rows_for(requester, event, person_id=person.id),
            *rows,
        ]
        try:
            if conn is None:
                await self._db.write(written)
            else:
                await insert(conn, written)
        except asyncpg.UniqueViolationError as error:
            raise await self.known(kept.provider_code, note.id) from error
        return kept

    async def known(self, provider_code: str, note_id: UUID) -> Problem:
        """Return the refusal of a UUID that is known, to a biller with the way and the status of their own note."""
        person_id = await note_store.find_person_of(self._db, provider_code, note_id)
        kept = await note_store.fetch_note(self._db, person_id, note_id) if person_id else None
        return known_note(note_id, f"{kept.channel.value}, {kept.status.value}" if kept else "")

    async def _prepare(
        self,
        note: FeeNote,
        channel: Channel,
        person: Person,
        biller: Practitioner,
        requester: Requester,
        body: bytes,
    ) -> KeptNote:
        """Return a new note, its body in the object store where it is large."""
        digest = sha256(body).digest() if len(body) > INLINE_LIMIT else None
        if digest is not None:
            await self._objects.put_named(body_name(digest), body)
        return KeptNote(
            person_id=person.id,
            note_id=note.id,
            provider_code=note.biller.provider_code,
            biller_id=biller.id,
            biller=biller.name,
            organization_id=requester.organization_id,
            channel=channel,
            issued_on=note.issued_on,
            received_at=clock.now(),
            total=note.total,
            settled=note.settlement.settled,
            body=body if digest is None else None,
            object_sha256=digest,
        )

    async def end(
        self,
        conn: Connection,
        requester: Requester,
        note: KeptNote,
        *,
        replaced_by_id: UUID | None = None,
    ) -> None:
        """Cancel a note, or have it replaced by another one, in a transaction; its acts do not count any more."""
        status = NoteStatus.REPLACED if replaced_by_id else NoteStatus.CANCELLED
        await note_store.end_note(conn, note.person_id, note.note_id, status, replaced_by_id)
        event = NoteEnded(
            note_ids=(note.note_id,),
            provider_code=note.provider_code,
            status=status.value,
            replaced_by_id=replaced_by_id,
        )
        await self._journal.append_for(requester, event, person_id=note.person_id, conn=conn)

    async def mark_sent(self, conn: Connection, person_id: UUID, note_id: UUID) -> None:
        """Write in a transaction that a note reached the health insurance, which may read it from then on."""
        await note_store.mark_sent(conn, person_id, note_id, clock.now())

    # Reading

    async def read(
        self, requester: Requester, person_id: UUID, note_id: UUID, *, part: str = "data"
    ) -> tuple[KeptNote, FeeNote]:
        """Return a note with its content, and journal it; `part`: what is shown of it (data, pdf).

        Raises: Problem 404 when there is none, or the requester may not read it.
        """
        kept = await self.find(requester, person_id, note_id, part=part)
        return kept, await self.content(kept)

    async def find(self, requester: Requester, person_id: UUID, note_id: UUID, *, part: str = "data") -> KeptNote:
        """Return a note without its content, and journal the access. Raises: as `read`."""
        kept = await note_store.fetch_note(self._db, person_id, note_id)
        if kept is None:
            raise _not_found()
        allowed = await self._may_read(requester, kept)
        event = NoteRead(
            note_ids=(note_id,),
            provider_code=kept.provider_code,
            part=part,
            allowed=allowed,
            rule="" if allowed else "billing.note",
        )
        await self._journal.append_for(requester, event, person_id=person_id)
        if not allowed:
            raise _not_found()
        return kept

    async def record_read(self, requester: Requester, person_id: UUID, note_ids: Sequence[UUID], *, part: str) -> None:
        """Journal that somebody who may read notes of a person gets their contents; `part`: what of them."""
        if note_ids:
            event = NoteRead(note_ids=tuple(note_ids), part=part)
            await self._journal.append_for(requester, event, person_id=person_id)

    async def content(self, kept: KeptNote) -> FeeNote:
        """Return the content of a note that was found. Raises: ValueError when its stored bytes are damaged."""
        return read_note(await self.body(kept), lenient=True).note

    async def body(self, kept: KeptNote) -> bytes:
        """Return a found note in national XML. Raises: as `content`."""
        if kept.object_sha256 is None:
            full = kept if kept.body else await note_store.fetch_note(self._db, kept.person_id, kept.note_id)
            if full is None or full.body is None:
                raise ValueError(f"the body of the fee note {kept.note_id} is missing")
            return full.body
        body = await self._objects.get_named(body_name(kept.object_sha256))
        if sha256(body).digest() != kept.object_sha256:
            raise ValueError(f"the body of the fee note {kept.note_id} is damaged: its bytes have another SHA-256")
        return body

    async def _may_read(self, requester: Requester, kept: KeptNote) -> bool:
        biller = await self._directory.practitioner(kept.biller_id)
        organizations = organizations_in_force(biller, today()) if biller else frozenset()
        facts = NoteFacts(biller_organizations=organizations, sent=kept.sent_at is not None)
        return may_read(requester, kept, facts)

    # Lists

    async def of_person(
        self, requester: Requester, person_id: UUID, query: NoteQuery | None = None, start: int = 0, limit: int = 20
    ) -> Page[KeptNote]:
        """Return a page of the notes of a person, the latest first: to them, and to the insurance those sent to it.

        Raises: Problem 404 for everybody else.
        """
        insurance = is_insurance(requester)
        if not insurance and (requester.kind != "patient" or requester.only_person_id != person_id):
            raise _not_found()
        wanted = query or NoteQuery()
        wanted = replace(wanted, sent=wanted.sent or insurance)
        found = await note_store.search_notes(self._db, person_id, wanted, start, limit + 1)
        await self._record_list(requester, found[:limit])
        return _page(found, start, limit)

    async def of_biller(
        self,
        requester: Requester,
        biller: Practitioner,
        received: tuple[datetime, datetime] = (FIRST, LAST),
        start: int = 0,
        limit: int = 20,
    ) -> Page[KeptNote]:
        """Return a page of the notes of a biller that came from one moment until before another, the latest first.

        Raises: Problem 404 for who may not act as the biller.
        """
        if not await self.may_bill(requester, biller):
            raise _not_found()
        keys = await note_store.search_biller_notes(self._db, biller.id, received, start, limit + 1)
        notes = {(one.person_id, one.note_id): one for one in await note_store.fetch_notes(self._db, keys)}
        found = [notes[key] for key in keys if key in notes]
        await self._record_list(requester, found[:limit])
        return _page(found, start, limit)

    async def _record_list(self, requester: Requester, notes: Sequence[KeptNote]) -> None:
        """Journal for each person which notes of theirs were shown."""
        of_persons: dict[UUID, list[UUID]] = {}
        for note in notes:
            of_persons.setdefault(note.person_id, []).append(note.note_id)
        await self._db.write(
            [
                row
                for person_id, ids in of_persons.items()
                for row in self._journal.rows_for(requester, NotesListed(note_ids=tuple(ids)), person_id=person_id)
            ]
        )

    async def find_of_biller(self, biller_code: str, note_id: UUID) -> UUID | None:
        """Return the person of a biller's note; None when the biller has no such note."""
        return await note_store.find_person_of(self._db, biller_code, note_id)


def acts_of(note: FeeNote) -> list[PastAct]:
    """Return the acts of a note, in the order of its lines."""
    return [
        PastAct(
            code=line.act.code,
            on=line.period.start,
            provider_code=line.performer_code or note.biller.provider_code,
            quantity=line.quantity,
            hospital_class=line.hospital_class,
        )
        for line in note.lines
    ]


def days(since: date | None, until: date | None) -> tuple[datetime, datetime]:
    """Return the moments from the beginning of one day to the end of another; None: no bound."""
    zone = time_zone()
    first = datetime.combine(since, datetime.min.time(), zone) if since else FIRST
    last = datetime.combine(until + timedelta(days=1), datetime.min.time(), zone) if until else LAST
    return first, last


def known_note(note_id: UUID, state: str = "") -> Problem:
    """Return the refusal of a note whose UUID is known; `state`: its way and its status."""
    title = N_("A fee note with this UUID is known already.")
    remedy = N_("Nothing was changed. Give another fee note another UUID.")
    return Problem(409, "duplicate", title, detail=f"{note_id} ({state})" if state else str(note_id), remedy=remedy)


def _not_found() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)


def _page(found: Sequence[KeptNote], start: int, limit: int) -> Page[KeptNote]:
    return Page(list(found[:limit]), encode_cursor(start + limit) if len(found) > limit else None)


def body_name(digest: bytes) -> str:
    """Return the name under which a large body is in the object store."""
    return f"billing/{digest.hex()}"
