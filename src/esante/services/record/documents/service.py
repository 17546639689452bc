"""The use cases of the record: deposit, list, read, replace, withdraw, correct, restrict."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from esante.contract import Focus
from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import INLINE_LIMIT, NIL, Connection, Database, DataLoader, Objects, Row
from esante.core.web import LargeBodyQueue, decode_cursor, encode_cursor
from esante.identity.access import Access, AccessEvent, Action, Confidentiality, Requester, Verdict
from esante.identity.directory import Directory
from esante.services.record import errors, rules
from esante.services.record.audit import AuditWriter
from esante.services.record.bulk_read import BulkReader
from esante.services.record.clinical.read import ClinicalReader
from esante.services.record.clinical.transactions.transaction import TransactionProcessor
from esante.services.record.clinical.write import ClinicalWriter
from esante.services.record.clinical_types import TypeRules
from esante.services.record.deadlines.deposit_tracker import DepositTracker
from esante.services.record.deadlines.service import Deadlines
from esante.services.record.documents import store
from esante.services.record.documents.content.validation import check_reason
from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.documents.corrections import CorrectionService
from esante.services.record.documents.current import CurrentDocuments
from esante.services.record.documents.deposit import DepositService, PreparedDeposit
from esante.services.record.documents.description import Descriptions
from esante.services.record.documents.series_lock import lock_visible
from esante.services.record.documents.volumes import fetch_merged_page, find_volume, show_merged
from esante.services.record.errors import Denied
from esante.services.record.model import (
    ConfidentialitySet,
    Deposit,
    Deposited,
    DepositFailed,
    DepositItem,
    Document,
    Filters,
    Listed,
    Order,
    Read,
    Timeline,
)
from esante.services.record.rendering.preview import Previews
from esante.services.record.rendering.worker_pool import WorkerPool
from esante.services.record.restrictions.service import LineRestrictions
from esante.services.record.restrictions.wholes import Wholes
from esante.services.record.retention.service import Retention
from esante.services.record.secondary_use.reader import SecondaryUse
from esante.services.record.statements.service import Statements
from esante.services.record.uploads.kept_uploads import KeptUploads
from esante.services.record.visibility import FocusSnapshot, load_snapshot

MAX_PAGE = 500
"""Documents of a page."""
_RECENT_READS = 50
"""Entries that are searched for the reading that continues; if it is not among them, a new entry is written."""
_SPARE = 50
"""Documents fetched beyond a page, so that a few which are not visible cost no second query."""


Viewer = Callable[[Document], str]
"""Returns the address of the page that shows what a document stands for: after that of the person's own pages, or of
a professional's page of the patient; "" for none."""


class Record:
    """The shared care record.

    What a requester may not see does not exist for them: every method raises the same `Problem` 404 for a document
    that does not exist and for one that they may not see. Every act is journalled with its verdict, in the
    transaction of the act. `previews` renders documents; `clinical` reads the resources that documents hold and that
    were created directly; `extracts` makes copies for exports; `secondary_use` reads what may be used for research;
    `large_bodies` limits how many large uploads are in memory; `uploads` keeps the files of the deposit form;
    `retention` says how long data are kept, `deadlines` until when documents must come; `type_rules` are those of
    services for the resources that are written, by type; `current` decides on documents for services whose data
    belong to one; `restrictions` restricts lines of documents; `viewers` say where services show documents, by
    category, `descriptions` what they say of them.
    """

    def __init__(self, db: Database, objects: Objects, journal: Journal, directory: Directory, access: Access) -> None:
        self._db, self._objects = db, objects
        self._documents: DataLoader[store.DocumentKey, Document] = DataLoader(db, partial(store.fetch_documents, db))
        self._contents: DataLoader[store.DocumentKey, bytes] = DataLoader(db, partial(store.fetch_contents, db))
        self._wholes = Wholes(db, objects)
        self._directory, self._access = directory, access
        self._journal, self._audit = journal, AuditWriter(db, journal)
        self._workers = WorkerPool()
        self.restrictions = LineRestrictions(db, objects, self._audit, access, self._wholes)
        self._deposits = DepositService(
            db, objects, self._audit, directory, access, self._workers, self._wholes, self.restrictions
        )
        self._corrections = CorrectionService(db, self._audit, directory, access, self._workers, self._wholes)
        self.current = CurrentDocuments(db, access)
        self.previews = Previews(self._workers)
        self.clinical = ClinicalReader(db, objects, self._audit, access, self._workers)
        self.extracts = BulkReader(db, self._audit, self.clinical, self._wholes)
        self.secondary_use = SecondaryUse(db, access, self.clinical.indexer)
        self.large_bodies = LargeBodyQueue()
        self.deadlines = Deadlines(db, journal, directory, access)
        self.deposit_tracker = DepositTracker(db, journal, access)
        self.retention = Retention(db, objects, journal, self._audit, access)
        self.uploads = KeptUploads(db)
        self.type_rules: dict[str, TypeRules] = {}
        self.viewers: dict[str, Viewer] = {}
        self.descriptions = Descriptions()

    def clinical_writer(self, base_url: str) -> ClinicalWriter:
        """Return the use cases of writing clinical resources; `base_url` is the address of /fhir."""
        return ClinicalWriter(
            self._db, self._audit, self._directory, self._access, self.clinical, self.type_rules, base_url
        )

    def transactions(self, base_url: str) -> TransactionProcessor:
        """Return the use case of a transaction; `base_url` is the address of /fhir."""
        writer = self.clinical_writer(base_url)
        return TransactionProcessor(self._db, self.clinical, writer, self._directory, base_url)

    def statements(self, base_url: str) -> Statements:
        """Return the use cases of statements; `base_url` is the address of /fhir."""
        writer = self.clinical_writer(base_url)
        return Statements(self._db, self._journal, self.clinical, writer, self.deposit, base_url)

    async def close(self) -> None:
        """Stop the processes that open documents."""
        await self._workers.close()

    async def deposit(
        self,
        requester: Requester,
        person_id: UUID,
        content: bytes,
        meta: Deposit,
        replaces: UUID | None = None,
    ) -> Deposited:
        """Validate and store a document; for bytes that are in the record already, return the existing document.

        Raises: `InvalidContent` (422, or 413 when too large); `PersonDiffers` (409) for a document that differs from
        the person unless `meta.confirmation` says that it is the right one; `Problem` 403 (record not open, or no
        write access by the matrix), 422 (no such person), 404 (`replaces` does not exist), 409 (`replaces` is not the
        current version, or the bytes are another current document).
        """
        item = DepositItem(content=content, meta=meta, replaces=replaces)
        return (await self.deposit_all(requester, person_id, [item]))[0]

    async def check_deposit(
        self,
        requester: Requester,
        person_id: UUID,
        content: bytes,
        meta: Deposit,
        replaces: UUID | None = None,
    ) -> PreparedDeposit:
        """Return a document as `deposit` would store it, with the findings and in what it differs from the person.

        Nothing is stored; a difference is journalled. Raises: as `deposit`, but not for a difference.
        """
        item = DepositItem(content=content, meta=meta, replaces=replaces)
        person_id = await self._directory.merges.surviving(person_id)
        async with self._audit.refusals(requester, person_id, "deposit"):
            return await self._deposits.check(requester, person_id, item)

    def deposit_rows(self, requester: Requester, prepared: PreparedDeposit) -> list[Row]:
        """Return the rows of a new document that `check_deposit` prepared, for a write of another service."""
        return self._deposits.rows(requester, prepared)

    async def deposit_all(
        self, requester: Requester, person_id: UUID, items: Sequence[DepositItem]
    ) -> list[Deposited]:
        """Validate and store documents, all or none, in one transaction; raises as `deposit`."""
        person_id = await self._directory.merges.surviving(person_id)
        async with self._audit.refusals(requester, person_id, "deposit"):
            try:
                return await self._deposits.deposit(requester, person_id, items)
            except InvalidContent as invalid:
                known = person_id if await self._directory.person(person_id) else NIL
                fields = {"allowed": False, "rule": "deposit.content", "problem": invalid.key}
                await self._audit.append(DepositFailed, requester, known, None, **fields)
                raise

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
        """Return a page of the documents that the requester may see; journalled as one entry.

        `limit` is at most `MAX_PAGE`; `matching` is a further filter on visible documents. For an unknown person,
        and for a record that the requester may not see, the page is empty.

        Raises: `Problem` 400 for an invalid cursor.
        """
        position = _position(cursor) if cursor else store.FIRST[order]
        limit = max(0, min(limit, MAX_PAGE))
        volumes = await self._directory.merges.volumes(person_id)
        seen = {volume: await self._visibility(requester, volume, Action.LIST) for volume in volumes}
        shown: list[Document] = []
        more = True
        while more and len(shown) <= limit:
            batch = await fetch_merged_page(self._db, seen, filters, order, position, limit + _SPARE)
            more = len(batch) == limit + _SPARE
            visible = await show_merged(self._wholes, seen, batch)
            shown += [document for document in visible if rules.matches(document, filters) and matching(document)]
            if batch:
                position = batch[-1].event_date, batch[-1].id
        rest, shown = shown[limit:], shown[:limit]
        for volume, visibility in seen.items():
            listed = [document for document in shown if document.person_id == volume]
            if listed or volume == volumes[0]:
                verdict = visibility.verdict(listed[0]) if listed else visibility.record_verdict()
                categories = tuple(sorted({document.category for document in listed}))
                await self._audit.append(Listed, requester, volume, verdict, categories=categories, count=len(listed))
        next_cursor = encode_cursor(shown[-1].event_date, shown[-1].id) if rest and shown else None
        return Timeline(tuple(shown), next_cursor, seen[volumes[0]].grant)

    async def document(self, requester: Requester, person_id: UUID, document_id: UUID) -> Document:
        """Return the metadata of a document; journalled as a listing. Raises: `Problem` 404."""
        document, verdict, visibility = await self._find(requester, person_id, document_id)
        [document] = await self._wholes.shown(visibility, [document])
        await self._audit.append(Listed, requester, document.person_id, verdict, [document], count=1)
        return document

    async def content(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        *,
        matching: Callable[[Document], bool] = lambda document: True,
    ) -> tuple[Document, bytes]:
        """Return a document and its bytes as deposited; journalled as a reading.

        Raises: `Problem` 404, also for a document that is not `matching`.
        """
        document, content, verdict = await self._open(requester, person_id, document_id, matching)
        await self._audit.append(Read, requester, document.person_id, verdict, [document])
        return document, content

    async def continue_reading(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        *,
        matching: Callable[[Document], bool] = lambda document: True,
    ) -> tuple[Document, bytes]:
        """Return the same as `content`, for a further page or image of a document that is being read.

        Access is decided each time. An entry is written unless the journal has one for the same requester, document,
        rule and grant within `ONE_READING`.
        """
        document, content, verdict = await self._open(requester, person_id, document_id, matching)
        person_id = document.person_id
        entries = await self._journal.entries_of(person_id, [Read], limit=_RECENT_READS)
        if not any(rules.is_same_reading(entry, requester, document, verdict, clock.now()) for entry in entries):
            await self._audit.append(Read, requester, person_id, verdict, [document])
        return document, content

    async def _open(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        matching: Callable[[Document], bool],
    ) -> tuple[Document, bytes, Verdict]:
        person_id = await find_volume(self._db, self._directory, person_id, document_id)
        async with self._audit.refusals(requester, person_id, "read"):
            pending = self._documents.load((person_id, document_id))
            visibility, found = await self._visibility(requester, person_id), await pending
            match = found if found is not None and matching(found) else None
            document, verdict = rules.require_visible(visibility, match)
        [document] = await self._wholes.shown(visibility, [document])
        if document.is_whole:
            return document, await self._wholes.content(document), verdict
        content = None if document.size > INLINE_LIMIT else await self._contents.load((person_id, document_id))
        if content is None:
            content = await self._objects.get(document.sha256)
        return document, content, verdict

    async def versions(self, requester: Requester, person_id: UUID, document_id: UUID) -> tuple[Document, ...]:
        """Return all versions of a document that the requester may see, the newest first. Raises: `Problem` 404."""
        document, verdict, visibility = await self._find(requester, person_id, document_id)
        person_id, wanted = document.person_id, visibility.filter
        series = await store.fetch_readable_versions(self._db, person_id, document.series_id, wanted)
        shown = tuple(await self._wholes.shown(visibility, [one for one in series if visibility.includes(one)]))
        await self._audit.append(Listed, requester, person_id, verdict, shown, count=len(shown))
        return shown

    async def _find(
        self, requester: Requester, person_id: UUID, document_id: UUID
    ) -> tuple[Document, Verdict, rules.Visibility]:
        person_id = await find_volume(self._db, self._directory, person_id, document_id)
        async with self._audit.refusals(requester, person_id, "look"):
            pending = self._documents.load((person_id, document_id))
            visibility = await self._visibility(requester, person_id)
            document, verdict = rules.require_visible(visibility, await pending)
        return document, verdict, visibility

    async def withdraw(self, requester: Requester, person_id: UUID, document_id: UUID, reason: str) -> Document:
        """Mark a document as entered in error: allowed for its author and their organisation, and for patients' notes.

        Raises: `Problem` 404, 403 (seen but not the author), 409 (not the current version), 422 (no reason).
        """
        reason = check_reason(reason)
        person_id = await find_volume(self._db, self._directory, person_id, document_id)
        async with self._audit.refusals(requester, person_id, "withdraw"):
            visibility = await self._visibility(requester, person_id)
            withdrawn = await self._corrections.withdraw(requester, visibility, document_id, reason)
        return (await self._wholes.shown(visibility, [withdrawn]))[0]

    async def correct_person(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        right_person_id: UUID,
        reason: str,
        *,
        confirmed: bool = False,
    ) -> Document:
        """Move a document that was filed under the wrong patient; return it as it is in the right record.

        Allowed for its author, their organisation and operators. In the wrong record all its versions are withdrawn
        and hidden from the patient and everybody else; in the right one the current version is a new document.

        Raises: as `withdraw`, and as `deposit` for the right person: a document that differs from them is moved only
        when the requester has `confirmed` that they are the right one.
        """
        reason = check_reason(reason)
        person_id = await find_volume(self._db, self._directory, person_id, document_id)
        async with self._audit.refusals(requester, person_id, "correct"):
            visibility = await self._visibility(requester, person_id)
            return await self._corrections.move(
                requester, visibility, document_id, right_person_id, reason, confirmed=confirmed
            )

    async def set_confidentiality(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        level: Confidentiality,
        *,
        risk_confirmed: bool = False,
    ) -> Document:
        """Set who may see a document and all its versions; only the patient may.

        `risk_confirmed`: the patient was told of the risk and confirmed it, which the entry says.
        Raises: `Problem` 404, 403.
        """
        person_id = await find_volume(self._db, self._directory, person_id, document_id)
        async with self._audit.refusals(requester, person_id, "restrict"):
            visibility = await self._visibility(requester, person_id)
            async with self._db.transaction() as conn:
                document, verdict, _ = await lock_visible(conn, visibility, document_id)
                if not rules.decides_for_holder(requester, verdict):
                    raise Denied(errors.patient_only(), verdict, document)
                await store.set_confidentiality(conn, person_id, document.series_id, level)
                risk = level.value if risk_confirmed and level is not Confidentiality.NORMAL else ""
                values = {"level": level.value, "risk": risk}
                await self._audit.append(
                    ConfidentialitySet, requester, person_id, verdict, [document], conn=conn, **values
                )
        return (await self._wholes.shown(visibility, [replace(document, confidentiality=level)]))[0]

    async def document_of(self, person_id: UUID, source: UUID) -> UUID:
        """Return the key of the document whose resources have a source, which the requester saw; not journalled."""
        return await self._wholes.document_of(person_id, source)

    async def look(self, conn: Connection, foci: Iterable[Focus]) -> FocusSnapshot:
        """Return some resources and who may see them, within a transaction; not journalled."""
        return await load_snapshot(conn, self._access, foci)

    def audit_rows(
        self,
        event: type[AccessEvent],
        requester: Requester,
        person_id: UUID,
        verdict: Verdict | None,
        documents: Iterable[Document],
        **fields: Any,
    ) -> list[Row]:
        """Return the rows of an entry about documents of a person that another service disclosed to a requester.

        `verdict` None: nothing was there to decide on.
        """
        return self._audit.rows(event, requester, person_id, verdict, documents, **fields)

    async def _visibility(
        self, requester: Requester, person_id: UUID, action: Action = Action.READ
    ) -> rules.Visibility:
        return rules.Visibility(requester, await self._access.consent(person_id), clock.now(), action)


def _position(cursor: str) -> store.PagePosition:
    day, key = decode_cursor(cursor, date, UUID)
    return day, key
