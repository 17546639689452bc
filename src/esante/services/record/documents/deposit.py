"""Deposit of documents: validate, decide, find duplicates, store; all documents of a deposit or none."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
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
    AccessEvent,
    Action,
    Confidentiality,
    Consent,
    RecordState,
    Requester,
    Verdict,
    decide,
)
from esante.identity.directory import Directory, Person
from esante.services.record import errors, rules
from esante.services.record.audit import AuditWriter
from esante.services.record.documents import store
from esante.services.record.documents.content.validation import Examination, examine
from esante.services.record.documents.content.validation_messages import UNCONFIRMED, InvalidContent
from esante.services.record.documents.series_lock import lock_visible
from esante.services.record.errors import Denied
from esante.services.record.identification.check import (
    DIFFERS,
    compare_document,
    keys_of,
    refused_fields,
    require_answer,
)
from esante.services.record.identification.model import Comparison, Demographics
from esante.services.record.indexing.source_store import opening_row
from esante.services.record.model import (
    Compiled,
    Deposit,
    Deposited,
    DepositedEvent,
    DepositItem,
    DepositRefused,
    Document,
    Finding,
    Listed,
    Replaced,
    Status,
)
from esante.services.record.rendering.worker_pool import WorkerPool
from esante.services.record.restrictions.reduced_document import Reduced
from esante.services.record.restrictions.service import LineRestrictions
from esante.services.record.restrictions.wholes import Wholes
from esante.services.record.retention.object_removal import ObjectRemoval
from esante.services.record.retention.rules import last_kept_day

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """The author of a document, and the organisation that it comes from.

    `profession`: that in which a practitioner wrote it for whom software deposits it; "" where the requester deposits.
    """

    kind: str
    id: UUID
    name: str
    profession: str = ""
    organization_id: UUID | None = None
    organization: str = ""


@dataclass(frozen=True, slots=True)
class PreparedDeposit:
    """An item after validation, decision and comparison: the document as it will be stored."""

    item: DepositItem
    document: Document
    findings: tuple[Finding, ...]
    verdict: Verdict
    comparison: Comparison
    reduced: Reduced | None = None
    """What others are given of it, where it has lines that are restricted in the version that it replaces."""


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
        wholes: Wholes,
        restrictions: LineRestrictions,
    ) -> None:
        self._db, self._objects, self._audit = db, objects, audit
        self._directory, self._access, self._workers = directory, access, workers
        self._wholes, self._restrictions = wholes, restrictions
        self._removal = ObjectRemoval(db, objects)
        self._same_bytes: DataLoader[store.SameBytesKey, list[Document]] = DataLoader(
            db, partial(store.find_same_bytes, db)
        )

    async def deposit(self, requester: Requester, person_id: UUID, items: Sequence[DepositItem]) -> list[Deposited]:
        """Store documents for one person, all or none (see `Record.deposit`)."""
        consent, deposits = await self._prepare(requester, person_id, items)
        _require_answers(deposits)
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

    async def check(self, requester: Requester, person_id: UUID, item: DepositItem) -> PreparedDeposit:
        """Return a document as it would be stored; where it differs from the person, that is journalled."""
        _, [prepared] = await self._prepare(requester, person_id, [item])
        if prepared.comparison.differences:
            fields = refused_fields(prepared.comparison) | {"categories": (prepared.document.category,)}
            await self._audit.append(DepositRefused, requester, person_id, DIFFERS, **fields)
        return prepared

    async def _prepare(
        self, requester: Requester, person_id: UUID, items: Sequence[DepositItem]
    ) -> tuple[Consent, list[PreparedDeposit]]:
        """Validate items, decide on them, and compare them with the person, whom only who may write learns about.

        Somebody who is not known is refused after all else, and where documents differ from anybody like somebody who
        is known. Raises: as `Record.deposit`.
        """
        if requester.only_person_id not in (None, person_id):
            raise Denied(errors.unknown_person())
        examinations = []
        for index, item in enumerate(items):
            with _naming_index(index):
                examinations.append(await examine(item.content, item.meta, self._workers, requester.id))
        person = await self._directory.person(person_id)
        consent = await self._access.consent(person_id)
        deposits = []
        for index, (item, examination) in enumerate(zip(items, examinations, strict=True)):
            with _naming_index(index):
                author = await self._author(requester, item.meta)
                document = new_document(person_id, item, examination, author)
            writer = _writer(requester, author)
            verdict = _require_write_access(writer, consent, document) if person else DIFFERS
            comparison = await self._compare(requester, person, item, examination)
            deposits.append(_prepared(item, document, examination, verdict, comparison))
        if person is None:
            _require_answers(deposits)
            raise errors.unknown_person()
        return consent, deposits

    async def _compare(
        self, requester: Requester, person: Person | None, item: DepositItem, examination: Examination
    ) -> Comparison:
        """Return in what a document differs from its person; what patients write of themselves is not looked into."""
        text = examination.text if requester.kind != "patient" else ""
        if person is None:
            return compare_document(None, examination.subject, text, item.meta.patients)
        async with self._directory.lookups.admitted() as lookup:
            comparison = compare_document(person, examination.subject, text, item.meta.patients)
            if comparison.differences:
                await lookup.record_miss(journalled=True)
        return comparison

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
        professions = [
            role.profession
            for role in (author.roles if author else ())
            if role.organization_id == own.organization_id and role.is_in_force(day)
        ]
        if author is None or not professions:
            raise InvalidContent("author-unknown", place="author")
        return replace(own, kind="practitioner", id=author.id, name=author.name, profession=professions[0])

    async def _store(
        self, requester: Requester, consent: Consent, deposits: Sequence[PreparedDeposit]
    ) -> list[Deposited]:
        visibility = rules.Visibility(requester, consent, clock.now(), Action.LIST)
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
        keys = [(visibility.consent.person_id, digest, visibility.filter) for digest in by_digest]
        batches = await asyncio.gather(*map(self._same_bytes.load, keys))
        same = [document for documents in batches for document in documents or ()]
        for document in await self._wholes.shown(visibility, same):
            deposit = by_digest[document.sha256]
            if document.depositor_id == deposit.document.depositor_id:
                if deposit.item.replaces not in (None, document.id, document.replaces):
                    raise errors.duplicate_content()
                found[document.sha256] = document
            elif deposit.item.replaces is None and document.sha256 not in found:
                found[document.sha256] = document
        return found

    async def _insert(
        self, requester: Requester, visibility: rules.Visibility, new: Sequence[PreparedDeposit]
    ) -> list[Document]:
        """Insert documents: in a shared transaction, or in one of their own when some replace others."""
        if any(one.item.replaces for one in new):
            async with self._db.transaction() as conn:
                new = [await self._as_next_version(conn, requester, visibility, one) for one in new]
                await insert(conn, (row for one in new for row in self.rows(requester, one)))
        elif new:
            await self._db.write([row for one in new for row in self.rows(requester, one)])
        return [one.document for one in new]

    async def _as_next_version(
        self, conn: Connection, requester: Requester, visibility: rules.Visibility, deposit: PreparedDeposit
    ) -> PreparedDeposit:
        """Lock and supersede the document that a deposit replaces; return the deposit as its next version."""
        if deposit.item.replaces is None:
            return deposit
        old, verdict, _ = await lock_visible(conn, visibility, deposit.item.replaces)
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
        carried = await self._restrictions.carry_over(conn, old, document, deposit.item.content)
        if isinstance(carried, Reduced):
            return replace(deposit, document=carried.whole, reduced=carried)
        return replace(deposit, document=carried)

    def rows(self, requester: Requester, deposit: PreparedDeposit) -> list[Row]:
        """Return the rows of the document, of its bytes where they are small, and of the audit entry."""
        document = deposit.document
        fields: Json = {"type": document.type, "media_type": document.media_type, "size": document.size}
        event: type[AccessEvent] = Replaced if document.replaces else DepositedEvent
        if requester.kind == "system":
            event = Compiled
        fields |= {"delay": document.delay} if event is DepositedEvent else {"replaces": document.replaces}
        if deposit.comparison.differences:
            fields |= {"differs": keys_of(deposit.comparison), "justification": document.confirmation}
        entry = self._audit.rows(event, requester, document.person_id, deposit.verdict, [document], **fields)
        if (reduced := deposit.reduced) is not None:
            opening = opening_row(document.person_id, document.id, document.deposited_at)
            stored = store.document_rows(reduced.document, reduced.content)
            return [*stored, reduced.whole_row, opening, *reduced.resources, *entry]
        return [*store.document_rows(document, deposit.item.content), *entry]


@contextmanager
def _naming_index(index: int) -> Iterator[None]:
    """Set the index of the document on a refusal that is raised within the block."""
    try:
        yield
    except InvalidContent as invalid:
        invalid.index = index
        raise
    except Denied as denied:
        if isinstance(denied.problem, InvalidContent):
            denied.problem.index = index
        raise


def _require_answers(deposits: Sequence[PreparedDeposit]) -> None:
    """Require an answer for each document that differs from its person (see `require_answer`)."""
    for index, deposit in enumerate(deposits):
        with _naming_index(index):
            require_answer(deposit.comparison, deposit.item.meta.confirmation, category=deposit.document.category)


def new_document(person_id: UUID, item: DepositItem, examination: Examination, author: Author) -> Document:
    """Return the first version of a document."""
    if item.meta.confidentiality is Confidentiality.HIDDEN and author.kind != "patient":
        raise InvalidContent("hidden-by-author", place="securityLabel")
    key = uuid7()
    now = clock.now()
    return Document(
        id=key,
        person_id=person_id,
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
        identifiers=item.meta.identifiers,
        expires_on=last_kept_day(now),
    )


def _prepared(
    item: DepositItem, document: Document, examination: Examination, verdict: Verdict, comparison: Comparison
) -> PreparedDeposit:
    """Return a document with the findings on its content and on its person."""
    findings = (*examination.findings, *person_findings(comparison, examination.subject))
    document = structs.replace(
        document,
        findings=tuple(dict.fromkeys(finding.key for finding in findings)),
        confirmation=(item.meta.confirmation or "") if comparison.differences else "",
    )
    return PreparedDeposit(item, document, findings, verdict, comparison)


def person_findings(comparison: Comparison, subject: Demographics | None) -> tuple[Finding, ...]:
    """Return the findings on the patient of a document; `subject`: what it says of them, None for nothing."""
    if comparison.differences:
        return tuple(Finding(one.trait.value, "subject", one.found) for one in comparison.differences)
    return (Finding(UNCONFIRMED, "subject"),) if subject is not None and not comparison.confirmed else ()


def _writer(requester: Requester, author: Author) -> Requester:
    """Return as whom a deposit is decided: the practitioner whose document software deposits, else the requester."""
    if not author.profession:
        return requester
    return replace(requester, kind="practitioner", id=author.id, profession=author.profession)


def _agreed_last_day(document: Document) -> date | None:
    """Return the last day on which a document is kept by an agreement, which holds for its next versions too."""
    return None if document.expires_on == last_kept_day(document.deposited_at) else document.expires_on


def _require_write_access(requester: Requester, consent: Consent, document: Document) -> Verdict:
    """Return the verdict on a deposit. Raises: `Denied` when the requester may not write the document."""
    item = rules.item_of(document)
    purpose = rules.purpose_of(requester)
    if requester.kind == "system":
        verdict = rules.decide_compilation(consent)
    else:
        verdict = decide(consent, requester, Action.WRITE, item, purpose, document.deposited_at)
    if verdict.allowed:
        return verdict
    problem = errors.write_refused(verdict) if consent.state is RecordState.OPEN else errors.record_closed()
    raise Denied(problem, verdict, category=document.category)
