"""The use cases of the record: deposit, list, read, replace, withdraw, correct, restrict."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from esante.contract import Focus
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, DataLoader, Objects, Row, insert, uuid7
from esante.core.web import LargeBodyQueue, decode_cursor, encode_cursor
from esante.identity.access import (
    Access,
    AccessEvent,
    Action,
    Confidentiality,
    Consent,
    Item,
    RecordState,
    Requester,
    Verdict,
    decide,
)
from esante.identity.directory import Directory, Person
from esante.services.record import audit, rules, visibility
from esante.services.record.audit import Denied, Teller
from esante.services.record.bulk_read import Extracts
from esante.services.record.clinical.read import Clinical
from esante.services.record.clinical.reference_resolver import Meanings
from esante.services.record.clinical.transaction import Transactions
from esante.services.record.clinical.write import Changing
from esante.services.record.documents import store
from esante.services.record.documents.deposit import Deposits, subject_findings
from esante.services.record.documents.validation import subject_of
from esante.services.record.documents.validation_messages import UNCONFIRMED, InvalidContent
from esante.services.record.model import (
    ConfidentialitySet,
    Corrected,
    Deposit,
    Deposited,
    Document,
    Entry,
    Filters,
    Listed,
    Order,
    Read,
    Status,
    Timeline,
    Withdrawn,
)
from esante.services.record.rendering.preview import Showing
from esante.services.record.rendering.worker_pool import Sandbox
from esante.services.record.visibility import Look

MAX_PAGE = 500
MAX_REASON = 500
_LATEST = 50
"""Readings of a record that are looked through for one that goes on; beyond them it is told again."""
_SPARE = 50
"""Documents read beyond a page, so that a few which are not shown cost no second query."""


class Record:
    """The shared care record.

    What a requester may not see does not exist for him: every method raises the same Problem 404 for a
    document that is not there and for one that is not for him. Every act is journalled with its verdict, in
    the transaction of the act. `showing` makes pages and pictures of what was read; `clinical` shows the resources
    that documents hold and that were created directly; `extracts` makes copies to take along; `large` gives turns to
    what comes in.
    """

    def __init__(self, db: Database, objects: Objects, journal: Journal, directory: Directory, access: Access) -> None:
        self._db, self._objects = db, objects
        self._documents: DataLoader[store.Key, tuple[Document, bytes | None]] = DataLoader(
            db, partial(store.with_content, db)
        )
        self._directory, self._access = directory, access
        self._journal, self._teller = journal, Teller(db, journal)
        self._sandbox = Sandbox()
        self._deposits = Deposits(db, objects, self._teller, directory, access, self._sandbox)
        self.showing = Showing(self._sandbox)
        self.clinical = Clinical(db, objects, self._teller, access)
        self.extracts = Extracts(db, objects, self._teller, self.clinical)
        self.large = LargeBodyQueue()

    def changing(self, base_url: str) -> Changing:
        """The use cases of writing clinical resources, for a FHIR face at an address."""
        return Changing(self._db, self._teller, self._directory, self._access, self.clinical, base_url)

    def transactions(self, base_url: str) -> Transactions:
        """The use case of a transaction, for a FHIR face at an address."""
        meanings = Meanings(self._directory, base_url)
        return Transactions(self._db, self._teller, self.clinical, self.changing(base_url), meanings, base_url)

    async def open_documents(self, person_id: UUID) -> None:
        """Take the resources of a person's documents into her record, for who reads them without a requester."""
        await self.clinical.open(person_id)

    async def close(self) -> None:
        """Stop the processes that open documents."""
        await self._sandbox.close()

    async def deposit(
        self,
        requester: Requester,
        person_id: UUID,
        content: bytes,
        meta: Deposit,
        replaces: UUID | None = None,
    ) -> Deposited:
        """Check and keep a document; the same bytes again answer with the document that is there.

        Raises `InvalidContent` (422, or 413 when too large), Problem 403 (record not open, or the matrix gives
        no write right), 404 (no such person; `replaces` is not there), 409 (`replaces` is not the current
        version, or the bytes are another current document).
        """
        entry = Entry(content=content, meta=meta, replaces=replaces)
        return (await self.deposit_all(requester, person_id, [entry]))[0]

    async def deposit_all(self, requester: Requester, person_id: UUID, entries: Sequence[Entry]) -> list[Deposited]:
        """Check and keep the documents of one act, all or none, in one transaction; raises as `deposit`."""
        async with self._teller.refusals(requester, person_id, "deposit"):
            return await self._deposits.take(requester, person_id, entries)

    async def timeline(
        self,
        requester: Requester,
        person_id: UUID,
        filters: Filters = Filters(),  # noqa: B008 - frozen
        *,
        cursor: str | None = None,
        limit: int = 50,
        order: Order = Order.NEWEST,
        matching: Callable[[Document], bool] = lambda document: True,
    ) -> Timeline:
        """A page of the documents that the requester may see; journalled as one look.

        `limit` is at most 500; `matching` is a further test on documents that he may see. Problem 400 for a
        cursor that is none. Of an unknown person's record, and of one that is not for the requester, the page
        is empty.
        """
        place = _place(cursor) if cursor else store.FIRST[order]
        limit = max(0, min(limit, MAX_PAGE))
        sight = await self._sight(requester, person_id)
        shown: list[Document] = []
        more = True
        while more and len(shown) <= limit:
            batch = await store.page(self._db, person_id, filters, order, place, limit + _SPARE)
            more = len(batch) == limit + _SPARE
            shown += [
                document
                for document in batch
                if sight.sees(document) and rules.matches(document, filters) and matching(document)
            ]
            if batch:
                place = batch[-1].event_date, batch[-1].id
        rest, shown = shown[limit:], shown[:limit]
        verdict = sight.verdict(shown[0]) if shown else sight.whole()
        categories = tuple(sorted({document.category for document in shown}))
        told = self._teller.rows(Listed, requester, person_id, verdict, categories=categories, count=len(shown))
        await self._db.write(told)
        following = encode_cursor(shown[-1].event_date.isoformat(), shown[-1].id.hex) if rest and shown else None
        return Timeline(tuple(shown), following, sight.grant)

    async def document(self, requester: Requester, person_id: UUID, document_id: UUID) -> Document:
        """What is known of a document, without its bytes; journalled as a look. Problem 404."""
        async with self._teller.refusals(requester, person_id, "look"):
            sight = await self._sight(requester, person_id)
            document = await store.find(self._db, person_id, document_id)
            verdict = audit.must_see(sight, document)
        assert document is not None
        await self._db.write(self._teller.rows(Listed, requester, person_id, verdict, [document], count=1))
        return document

    async def content(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        *,
        matching: Callable[[Document], bool] = lambda document: True,
    ) -> tuple[Document, bytes]:
        """A document with its bytes as they came in; journalled as a reading. Problem 404.

        One that is not `matching` is as one that is not there.
        """
        document, content, verdict = await self._opened(requester, person_id, document_id, matching)
        await self._db.write(self._teller.rows(Read, requester, person_id, verdict, [document]))
        return document, content

    async def part(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        *,
        matching: Callable[[Document], bool] = lambda document: True,
    ) -> tuple[Document, bytes]:
        """As `content`, for one more page or picture of a document that is being read.

        Decided on anew each time; journalled unless the journal tells already that the requester opened the
        document, on the same ground and within `ONE_READING`.
        """
        document, content, verdict = await self._opened(requester, person_id, document_id, matching)
        entries = await self._journal.entries_of(person_id, [Read], limit=_LATEST)
        if not any(rules.is_same_reading(entry, requester, document, verdict, datetime.now(UTC)) for entry in entries):
            await self._db.write(self._teller.rows(Read, requester, person_id, verdict, [document]))
        return document, content

    async def _opened(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        matching: Callable[[Document], bool],
    ) -> tuple[Document, bytes, Verdict]:
        async with self._teller.refusals(requester, person_id, "read"):
            sight = await self._sight(requester, person_id)
            found = await self._documents.load((person_id, document_id))
            document, content = found if found and matching(found[0]) else (None, None)
            verdict = audit.must_see(sight, document)
        assert document is not None
        if content is None:
            content = await self._objects.get(document.sha256)
        return document, content, verdict

    async def versions(self, requester: Requester, person_id: UUID, document_id: UUID) -> tuple[Document, ...]:
        """All versions of a document that the requester may see, the newest first. Problem 404."""
        async with self._teller.refusals(requester, person_id, "look"):
            sight = await self._sight(requester, person_id)
            document = await store.find(self._db, person_id, document_id)
            verdict = audit.must_see(sight, document)
        assert document is not None
        series = await store.versions(self._db, person_id, document.series_id)
        shown = tuple(version for version in series if sight.sees(version))
        rows = self._teller.rows(Listed, requester, person_id, verdict, shown, count=len(shown))
        await self._db.write(rows)
        return shown

    async def withdraw(self, requester: Requester, person_id: UUID, document_id: UUID, reason: str) -> Document:
        """Mark a document as entered in error: its author or his organisation, the patient her own note.

        Problem 404, 403 (seen but not one's own), 409 (not the current version), 422 (no reason).
        """
        reason = _reason(reason)
        async with self._teller.refusals(requester, person_id, "withdraw"):
            sight = await self._sight(requester, person_id)
            async with self._db.transaction() as conn:
                document, verdict = await _lock_own(conn, requester, sight, person_id, document_id)
                await store.set_status(conn, [document], Status.WITHDRAWN, reason=reason)
                told = self._teller.rows(Withdrawn, requester, person_id, verdict, [document], why=reason)
                await insert(conn, told)
        return replace(document, status=Status.WITHDRAWN, withdrawn_reason=reason)

    async def correct_person(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        right_person_id: UUID,
        reason: str,
    ) -> Document:
        """Move a document that was filed under the wrong patient; returns it as it is at the right one.

        Its author, his organisation or an operator may. All its versions end at the wrong patient, where they
        stay hidden from her and from everybody else; at the right one the current version is a new document.
        Problem as `withdraw`, and as `deposit` for the right person: a document that names another patient
        does not get into her record this way either.
        """
        reason = _reason(reason)
        async with self._teller.refusals(requester, person_id, "correct"):
            sight = await self._sight(requester, person_id)
            right = await self._access.consent(right_person_id)
            person = await self._directory.person(right_person_id)
            if right_person_id == person_id or person is None:
                raise audit.unknown_person()
            try:
                return await self._move(requester, sight, person_id, person, right, document_id, reason)
            except asyncpg.UniqueViolationError as error:
                raise audit.elsewhere() from error

    async def _move(
        self,
        requester: Requester,
        sight: rules.Sight,
        person_id: UUID,
        person: Person,
        right: Consent,
        document_id: UUID,
        reason: str,
    ) -> Document:
        """`person` and `right`: who is the right one, and what she allows."""
        async with self._db.transaction() as conn:
            document, verdict = await _lock_own(conn, requester, sight, person_id, document_id, operator=True)
            if requester.kind == "patient":
                raise Denied(audit.not_yours(), verdict, document)
            there = _taken_in(requester, right, document)
            series = await store.versions(conn, person_id, document.series_id)
            content = await store.content_of(conn, person_id, document.id)
            key, now = uuid7(), datetime.now(UTC)
            moved = replace(
                document,
                id=key,
                person_id=right.person_id,
                series_id=key,
                replaces=None,
                version=1,
                deposited_at=now,
                changed_at=now,
                confidentiality=Confidentiality.NORMAL,
                submission_id=key,
                findings=await self._findings_at(person, document, content),
            )
            await store.set_status(conn, series, Status.WITHDRAWN, reason=reason, misfiled=True)
            out = self._teller.rows(Corrected, requester, person_id, verdict, [document], moved="out", why=reason)
            into = self._teller.rows(Corrected, requester, right.person_id, there, [moved], moved="in", why=reason)
            await insert(conn, [*store.rows_of(moved, content), *out, *into])
        return moved

    async def _findings_at(self, person: Person, document: Document, content: bytes | None) -> tuple[str, ...]:
        """The findings on a document when it is another person's; `content` None: it is in the object store."""
        if content is None:
            content = await self._objects.get(document.sha256)
        subject = await subject_of(content, document.media_type, self._sandbox)
        others = (key for key in document.findings if key != UNCONFIRMED)
        return (*others, *(finding.key for finding in subject_findings(person, subject)))

    async def set_confidentiality(
        self, requester: Requester, person_id: UUID, document_id: UUID, level: Confidentiality
    ) -> Document:
        """Set how far a document and all its versions go: the patient alone may. Problem 404, 403."""
        async with self._teller.refusals(requester, person_id, "restrict"):
            sight = await self._sight(requester, person_id)
            async with self._db.transaction() as conn:
                series = await store.lock_series(conn, person_id, document_id)
                document = next((version for version in series if version.id == document_id), None)
                verdict = audit.must_see(sight, document)
                assert document is not None
                if requester.kind != "patient":
                    raise Denied(audit.patient_alone(), verdict, document)
                await store.set_confidentiality(conn, person_id, document.series_id, level)
                told = self._teller.rows(
                    ConfidentialitySet, requester, person_id, verdict, [document], level=level.value
                )
                await insert(conn, told)
        return replace(document, confidentiality=level)

    async def look(self, conn: Connection, foci: Iterable[Focus]) -> Look:
        """What there is to tell of some things, and to whom, within a transaction; tells the journal nothing."""
        return await visibility.look(conn, self._access, foci)

    def told(
        self,
        event: type[AccessEvent],
        requester: Requester,
        person_id: UUID,
        verdict: Verdict,
        documents: Iterable[Document],
        **fields: Any,
    ) -> list[Row]:
        """The rows that tell the journal that a requester was told of documents of a person."""
        return self._teller.rows(event, requester, person_id, verdict, documents, **fields)

    async def _sight(self, requester: Requester, person_id: UUID) -> rules.Sight:
        return rules.Sight(requester, await self._access.consent(person_id), datetime.now(UTC))


async def _lock_own(
    conn: Connection,
    requester: Requester,
    sight: rules.Sight,
    person_id: UUID,
    document_id: UUID,
    *,
    operator: bool = False,
) -> tuple[Document, Verdict]:
    """A current document that the requester may change, locked with its series."""
    series = await store.lock_series(conn, person_id, document_id)
    document = next((version for version in series if version.id == document_id), None)
    if document is not None and operator and requester.kind == "operator":
        verdict = rules.CORRECTION
    else:
        verdict = audit.must_see(sight, document)
        assert document is not None
        if not rules.is_own(document, requester):
            raise Denied(audit.not_yours(), verdict, document)
    if document.status is not Status.CURRENT:
        raise audit.not_current()
    return document, verdict


def _taken_in(requester: Requester, right: Consent, document: Document) -> Verdict:
    """The verdict on taking a moved document in at the right person."""
    if requester.kind == "operator":
        if right.state is not RecordState.OPEN:
            raise audit.record_closed()
        return rules.CORRECTION
    item = Item(category=document.category, author_id=document.author_id, organization_id=document.organization_id)
    verdict = decide(right, requester, Action.WRITE, item, rules.purpose_of(requester), datetime.now(UTC))
    if not verdict.allowed:
        raise audit.no_right() if right.state is RecordState.OPEN else audit.record_closed()
    return verdict


def _reason(reason: str) -> str:
    text = " ".join(reason.split())
    if not text:
        raise InvalidContent("reason-missing", place="reason")
    if len(text) > MAX_REASON or not text.isprintable():
        raise InvalidContent("bad-text", place="reason")
    return text


def _place(cursor: str) -> store.Place:
    day, key = decode_cursor(cursor, str, str)
    try:
        return date.fromisoformat(str(day)), UUID(hex=str(key))
    except ValueError as error:
        raise audit.no_such_page() from error
