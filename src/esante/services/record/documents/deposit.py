"""Deposit of documents: validate, decide, find duplicates, store; all documents of a deposit or none."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from uuid import UUID

import asyncpg
from msgspec import structs

from esante.core import clock
from esante.core.storage import INLINE_LIMIT, Connection, Database, DataLoader, Objects, Row, insert, sha256, uuid7
from esante.core.time_zone import today
from esante.core.types import Json
from esante.identity.access import (
    Access,
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
from esante.services.record import errors, rules
from esante.services.record.audit import AuditWriter
from esante.services.record.documents import store
from esante.services.record.documents.validation import Examination, Subject, examine
from esante.services.record.documents.validation_messages import UNCONFIRMED, InvalidContent
from esante.services.record.errors import Denied
from esante.services.record.model import (
    Deposit,
    Deposited,
    DepositedEvent,
    DepositItem,
    Document,
    Finding,
    Listed,
    Replaced,
    Status,
)
from esante.services.record.rendering.worker_pool import WorkerPool
from esante.services.record.retention.object_removal import ObjectRemoval
from esante.services.record.retention.rules import last_kept_day

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """The author of a document, and the organisation that it comes from."""

    kind: str
    id: UUID
    name: str
    organization_id: UUID | None = None
    organization: str = ""


@dataclass(frozen=True, slots=True)
class PreparedDeposit:
    """An item after validation and decision: the document as it will be stored."""

    item: DepositItem
    document: Document
    findings: tuple[Finding, ...]
    verdict: Verdict


class DepositService:
    """The use case of depositing documents."""

    def __init__(
        self,
        db: Database,
        objects: Objects,
        audit: AuditWriter,
        directory: Directory,
        access: Access,
        workers: WorkerPool,
    ) -> None:
        self._db, self._objects, self._audit = db, objects, audit
        self._directory, self._access, self._workers = directory, access, workers
        self._removal = ObjectRemoval(db, objects)
        self._same_bytes: DataLoader[tuple[UUID, bytes], list[Document]] = DataLoader(
            db, partial(store.find_same_bytes, db)
        )

    async def deposit(self, requester: Requester, person_id: UUID, items: Sequence[DepositItem]) -> list[Deposited]:
        """Store documents for one person, all or none (see `Record.deposit`)."""
        if requester.only_person_id not in (None, person_id):
            raise Denied(errors.unknown_person())
        examinations = []
        for index, item in enumerate(items):
            with _naming_index(index):
                examinations.append(await examine(item.content, item.meta, self._workers, requester.id))
        person = await self._directory.person(person_id)
        if person is None:
            raise errors.unknown_person()
        consent = await self._access.consent(person_id)
        deposits = []
        for index, (item, examination) in enumerate(zip(items, examinations, strict=True)):
            with _naming_index(index):
                author = await self._author(requester, item.meta)
                document, findings = new_document(person, item, examination, author)
            verdict = _require_write_access(requester, consent, document)
            deposits.append(PreparedDeposit(item, document, findings, verdict))
        for deposit in deposits:
            if deposit.document.size > INLINE_LIMIT:
                await self._removal.keep_for_deposit(deposit.document.sha256)
                await self._objects.put(deposit.item.content)
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._store(requester, consent, deposits)
            except asyncpg.UniqueViolationError:
                continue  # another request stored the same bytes at the same moment: the next attempt finds them
        return await self._store(requester, consent, deposits)

    async def _author(self, requester: Requester, meta: Deposit) -> Author:
        """Return the requester, or the practitioner for whom the software of their organisation deposits."""
        is_organization = requester.kind == "organization"
        own = Author(
            kind=requester.kind,
            id=requester.id,
            name=requester.name,
            organization_id=requester.id if is_organization else requester.organization_id,
            organization=requester.name if is_organization else requester.organization,
        )
        if meta.author_id is None or meta.author_id == requester.id:
            return own
        author = await self._directory.practitioner(meta.author_id) if is_organization else None
        day = today()
        if author is None or not any(
            role.organization_id == own.organization_id and role.is_in_force(day) for role in author.roles
        ):
            raise InvalidContent("author-unknown", place="author")
        return replace(own, kind="practitioner", id=author.id, name=author.name)

    async def _store(
        self, requester: Requester, consent: Consent, deposits: Sequence[PreparedDeposit]
    ) -> list[Deposited]:
        visibility = rules.Visibility(requester, consent, clock.now())
        existing = await self._find_existing(visibility, consent, deposits)
        new = {one.document.sha256: one for one in reversed(deposits) if one.document.sha256 not in existing}
        inserted = await self._insert(requester, visibility, list(new.values())[::-1])
        if existing:
            shown = list(existing.values())
            verdict = visibility.verdict(shown[0])
            await self._audit.append(Listed, requester, consent.person_id, verdict, shown, count=len(shown))
        documents = existing | {document.sha256: document for document in inserted}
        created = {document.sha256 for document in inserted}
        results = []
        for deposit in deposits:
            digest = deposit.document.sha256
            results.append(Deposited(documents[digest], digest in created, deposit.findings))
            created.discard(digest)
        return results

    async def _find_existing(
        self, visibility: rules.Visibility, consent: Consent, deposits: Sequence[PreparedDeposit]
    ) -> dict[bytes, Document]:
        """Return the current documents with the same bytes that the requester may know of, by their SHA-256."""
        by_digest = {one.document.sha256: one for one in deposits}
        found: dict[bytes, Document] = {}
        batches = await asyncio.gather(*(self._same_bytes.load((consent.person_id, digest)) for digest in by_digest))
        for document in (document for documents in batches for document in documents or ()):
            deposit = by_digest[document.sha256]
            if document.depositor_id == deposit.document.depositor_id:
                if deposit.item.replaces not in (None, document.id, document.replaces):
                    raise errors.duplicate_content()
                found[document.sha256] = document
            elif deposit.item.replaces is None and document.sha256 not in found and visibility.includes(document):
                found[document.sha256] = document
        return found

    async def _insert(
        self, requester: Requester, visibility: rules.Visibility, new: Sequence[PreparedDeposit]
    ) -> list[Document]:
        """Insert documents: in a shared transaction, or in one of their own when some replace others."""
        if any(one.item.replaces for one in new):
            async with self._db.transaction() as conn:
                new = [await self._as_next_version(conn, requester, visibility, one) for one in new]
                await insert(conn, (row for one in new for row in self._rows(requester, one)))
        elif new:
            await self._db.write([row for one in new for row in self._rows(requester, one)])
        return [one.document for one in new]

    async def _as_next_version(
        self, conn: Connection, requester: Requester, visibility: rules.Visibility, deposit: PreparedDeposit
    ) -> PreparedDeposit:
        """Lock and supersede the document that a deposit replaces; return the deposit as its next version."""
        if deposit.item.replaces is None:
            return deposit
        series = await store.lock_series(conn, deposit.document.person_id, deposit.item.replaces)
        match = next((document for document in series if document.id == deposit.item.replaces), None)
        old, verdict = rules.require_visible(visibility, match)
        if not rules.is_own(old, requester):
            raise Denied(errors.not_the_author(), verdict, old)
        if old.status is not Status.CURRENT:
            raise errors.not_current()
        if old.category != deposit.document.category:
            raise InvalidContent("category-changed", place="type")
        await store.set_status(conn, [old], Status.SUPERSEDED)
        document = structs.replace(
            deposit.document,
            series_id=old.series_id,
            replaces=old.id,
            version=old.version + 1,
            expires_on=_agreed_last_day(old) or deposit.document.expires_on,
            confidentiality=rules.stricter(old.confidentiality, deposit.document.confidentiality),
        )
        return replace(deposit, document=document)

    def _rows(self, requester: Requester, deposit: PreparedDeposit) -> list[Row]:
        """Return the rows of the document, of its bytes where they are small, and of the audit entry."""
        document = deposit.document
        fields: Json = {"type": document.type, "media_type": document.media_type, "size": document.size}
        event = Replaced if document.replaces else DepositedEvent
        fields |= {"replaces": document.replaces} if document.replaces else {"delay": document.delay}
        entry = self._audit.rows(event, requester, document.person_id, deposit.verdict, [document], **fields)
        return [*store.document_rows(document, deposit.item.content), *entry]


@contextmanager
def _naming_index(index: int) -> Iterator[None]:
    """Set the index of the document on a refusal that is raised within the block."""
    try:
        yield
    except InvalidContent as invalid:
        invalid.index = index
        raise


def new_document(
    person: Person, item: DepositItem, examination: Examination, author: Author, at: datetime | None = None
) -> tuple[Document, tuple[Finding, ...]]:
    """Return the first version of a document and its findings; `at` is given for history that is loaded later."""
    if item.meta.confidentiality is Confidentiality.HIDDEN and author.kind != "patient":
        raise InvalidContent("hidden-by-author", place="securityLabel")
    key = uuid7(at)
    now = at or clock.now()
    findings = (*examination.findings, *subject_findings(person, examination.subject))
    document = Document(
        id=key,
        person_id=person.id,
        series_id=key,
        replaces=None,
        version=1,
        status=Status.CURRENT,
        category=examination.category.key,
        type=examination.type,
        title=examination.title,
        language=examination.language,
        event_date=examination.event_date,
        deposited_at=now,
        changed_at=now,
        author_kind=author.kind,
        author_id=author.id,
        author=author.name,
        organization_id=author.organization_id,
        organization=author.organization,
        media_type=examination.media_type,
        format=item.meta.format,
        size=len(item.content),
        sha256=sha256(item.content),
        sha1=hashlib.sha1(item.content, usedforsecurity=False).digest(),
        confidentiality=item.meta.confidentiality,
        submission_id=item.meta.submission_id or key,
        findings=tuple(dict.fromkeys(finding.key for finding in findings)),
        identifiers=item.meta.identifiers,
        expires_on=last_kept_day(now),
    )
    return document, findings


def subject_findings(person: Person, subject: Subject | None) -> tuple[Finding, ...]:
    """Return the findings on the patient that a document names.

    Raises: `InvalidContent` when it is another person.
    """
    if subject is None:
        return ()
    match rules.is_same_subject(person, subject.identifiers, subject.family, subject.birth_date):
        case True:
            return ()
        case False:
            raise InvalidContent("subject-differs", place="subject")
        case None:
            return (Finding(UNCONFIRMED, "subject"),)


def _agreed_last_day(document: Document) -> date | None:
    """Return the last day on which a document is kept by an agreement, which holds for its next versions too."""
    return None if document.expires_on == last_kept_day(document.deposited_at) else document.expires_on


def _require_write_access(requester: Requester, consent: Consent, document: Document) -> Verdict:
    """Return the verdict on a deposit. Raises: `Denied` when the requester may not write the document."""
    item = Item(category=document.category, author_id=document.author_id, organization_id=document.organization_id)
    purpose = rules.purpose_of(requester)
    verdict = decide(consent, requester, Action.WRITE, item, purpose, document.deposited_at)
    if verdict.allowed:
        return verdict
    problem = errors.write_refused(verdict) if consent.state is RecordState.OPEN else errors.record_closed()
    raise Denied(problem, verdict, category=document.category)
