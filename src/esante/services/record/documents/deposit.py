"""Taking documents in: check, decide, find what is there already, keep; all entries of an act or none."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import structs

from esante.core.storage import INLINE_LIMIT, Connection, Database, DataLoader, Objects, Row, insert, sha256, uuid7
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
from esante.services.record import audit, rules
from esante.services.record.audit import Denied, Teller
from esante.services.record.documents import store
from esante.services.record.documents.validation import Examined, Subject, examine, today
from esante.services.record.documents.validation_messages import UNCONFIRMED, InvalidContent
from esante.services.record.model import (
    Deposit,
    Deposited,
    DepositedEvent,
    Document,
    Entry,
    Finding,
    Listed,
    Replaced,
    Status,
)
from esante.services.record.rendering.worker_pool import Sandbox

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote a document, and the organisation it comes from."""

    kind: str
    id: UUID
    name: str
    organization_id: UUID | None = None
    organization: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """An entry after check and decision: the document as it will be kept."""

    entry: Entry
    document: Document
    findings: tuple[Finding, ...]
    verdict: Verdict


class Deposits:
    """The use case of depositing."""

    def __init__(
        self,
        db: Database,
        objects: Objects,
        teller: Teller,
        directory: Directory,
        access: Access,
        sandbox: Sandbox,
    ) -> None:
        self._db, self._objects, self._teller = db, objects, teller
        self._directory, self._access, self._sandbox = directory, access, sandbox
        self._same_bytes: DataLoader[tuple[UUID, bytes], list[Document]] = DataLoader(
            db, partial(store.same_bytes, db)
        )

    async def take(self, requester: Requester, person_id: UUID, entries: Sequence[Entry]) -> list[Deposited]:
        """Keep the documents of one act for one person, all or none (see `Record.deposit`)."""
        if requester.only_person_id not in (None, person_id):
            raise Denied(audit.unknown_person())
        examined = []
        for index, entry in enumerate(entries):
            with _numbered(index):
                examined.append(await examine(entry.content, entry.meta, self._sandbox))
        person = await self._directory.person(person_id)
        if person is None:
            raise audit.unknown_person()
        consent = await self._access.consent(person_id)
        incoming = []
        for index, (entry, found) in enumerate(zip(entries, examined, strict=True)):
            with _numbered(index):
                author = await self._author(requester, entry.meta)
                document, findings = new_document(person, entry, found, author)
            incoming.append(Incoming(entry, document, findings, _decided(requester, consent, document)))
        for one in incoming:
            if one.document.size > INLINE_LIMIT:
                await self._objects.put(one.entry.content)
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._keep(requester, consent, incoming)
            except asyncpg.UniqueViolationError:
                continue  # the same bytes came in at the same moment by another way: the next look finds them
        return await self._keep(requester, consent, incoming)

    async def _author(self, requester: Requester, meta: Deposit) -> Author:
        """The requester, or the practitioner for whom his organisation's software hands a document in."""
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

    async def _keep(self, requester: Requester, consent: Consent, incoming: Sequence[Incoming]) -> list[Deposited]:
        sight = rules.Sight(requester, consent, datetime.now(UTC))
        there = await self._there(sight, consent, incoming)
        new = {one.document.sha256: one for one in reversed(incoming) if one.document.sha256 not in there}
        kept = await self._insert(requester, sight, list(new.values())[::-1])
        if there:
            seen = list(there.values())
            verdict = sight.verdict(seen[0])
            await self._db.write(
                self._teller.rows(Listed, requester, consent.person_id, verdict, seen, count=len(seen))
            )
        found = there | {document.sha256: document for document in kept}
        fresh = {document.sha256 for document in kept}
        answers = []
        for one in incoming:
            digest = one.document.sha256
            answers.append(Deposited(found[digest], digest in fresh, one.findings))
            fresh.discard(digest)
        return answers

    async def _there(
        self, sight: rules.Sight, consent: Consent, incoming: Sequence[Incoming]
    ) -> dict[bytes, Document]:
        """Current documents with the same bytes that the requester may know of, by their SHA-256."""
        by_digest = {one.document.sha256: one for one in incoming}
        found: dict[bytes, Document] = {}
        looked = await asyncio.gather(*(self._same_bytes.load((consent.person_id, digest)) for digest in by_digest))
        for document in (document for documents in looked for document in documents or ()):
            one = by_digest[document.sha256]
            if document.depositor_id == one.document.depositor_id:
                if one.entry.replaces not in (None, document.id, document.replaces):
                    raise audit.elsewhere()
                found[document.sha256] = document
            elif one.entry.replaces is None and document.sha256 not in found and sight.sees(document):
                found[document.sha256] = document
        return found

    async def _insert(self, requester: Requester, sight: rules.Sight, new: Sequence[Incoming]) -> list[Document]:
        """Keep new documents: by a shared commit, or in a transaction of their own when some replace others."""
        if any(one.entry.replaces for one in new):
            async with self._db.transaction() as conn:
                new = [await self._as_version(conn, requester, sight, one) for one in new]
                await insert(conn, (row for one in new for row in self._rows(requester, one)))
        elif new:
            await self._db.write([row for one in new for row in self._rows(requester, one)])
        return [one.document for one in new]

    async def _as_version(self, conn: Connection, requester: Requester, sight: rules.Sight, one: Incoming) -> Incoming:
        """The entry as the next version of the document it replaces, which is locked and superseded here."""
        if one.entry.replaces is None:
            return one
        series = await store.lock_series(conn, one.document.person_id, one.entry.replaces)
        old = next((document for document in series if document.id == one.entry.replaces), None)
        verdict = audit.must_see(sight, old)
        assert old is not None
        if not rules.is_own(old, requester):
            raise Denied(audit.not_yours(), verdict, old)
        if old.status is not Status.CURRENT:
            raise audit.not_current()
        if old.category != one.document.category:
            raise InvalidContent("category-changed", place="type")
        await store.set_status(conn, [old], Status.SUPERSEDED)
        document = structs.replace(
            one.document,
            series_id=old.series_id,
            replaces=old.id,
            version=old.version + 1,
            confidentiality=rules.stricter(old.confidentiality, one.document.confidentiality),
        )
        return replace(one, document=document)

    def _rows(self, requester: Requester, one: Incoming) -> list[Row]:
        """The document, its bytes where they are small, and the entry that tells of it."""
        document = one.document
        fields: dict[str, Any] = {"type": document.type, "media_type": document.media_type, "size": document.size}
        event = Replaced if document.replaces else DepositedEvent
        fields |= {"replaces": document.replaces} if document.replaces else {"delay": document.delay}
        told = self._teller.rows(event, requester, document.person_id, one.verdict, [document], **fields)
        return [*store.rows_of(document, one.entry.content), *told]


@contextmanager
def _numbered(index: int) -> Iterator[None]:
    """Notes with a refusal which document of the act it is about."""
    try:
        yield
    except InvalidContent as invalid:
        invalid.entry = index
        raise


def new_document(
    person: Person, entry: Entry, found: Examined, author: Author, at: datetime | None = None
) -> tuple[Document, tuple[Finding, ...]]:
    """The first version of a document from its bytes and the check; `at` for history that is loaded later."""
    if entry.meta.confidentiality is Confidentiality.HIDDEN and author.kind != "patient":
        raise InvalidContent("hidden-by-author", place="securityLabel")
    key = uuid7(at)
    now = at or datetime.now(UTC)
    findings = (*found.findings, *subject_findings(person, found.subject))
    document = Document(
        id=key,
        person_id=person.id,
        series_id=key,
        replaces=None,
        version=1,
        status=Status.CURRENT,
        category=found.category.key,
        type=found.type,
        title=found.title,
        language=found.language,
        event_date=found.event_date,
        deposited_at=now,
        changed_at=now,
        author_kind=author.kind,
        author_id=author.id,
        author=author.name,
        organization_id=author.organization_id,
        organization=author.organization,
        media_type=found.media_type,
        format=entry.meta.format,
        size=len(entry.content),
        sha256=sha256(entry.content),
        sha1=hashlib.sha1(entry.content, usedforsecurity=False).digest(),
        confidentiality=entry.meta.confidentiality,
        submission_id=entry.meta.submission_id or key,
        findings=tuple(dict.fromkeys(finding.key for finding in findings)),
        identifiers=entry.meta.identifiers,
    )
    return document, findings


def subject_findings(person: Person, subject: Subject | None) -> tuple[Finding, ...]:
    """What is to be said of the patient that a document names; raises `InvalidContent` when it is another."""
    if subject is None:
        return ()
    match rules.same_subject(person, subject.identifiers, subject.family, subject.birth_date):
        case True:
            return ()
        case False:
            raise InvalidContent("subject-differs", place="subject")
        case None:
            return (Finding(UNCONFIRMED, "subject"),)


def _decided(requester: Requester, consent: Consent, document: Document) -> Verdict:
    item = Item(category=document.category, author_id=document.author_id, organization_id=document.organization_id)
    purpose = rules.purpose_of(requester)
    verdict = decide(consent, requester, Action.WRITE, item, purpose, document.deposited_at)
    if verdict.allowed:
        return verdict
    problem = audit.no_right() if consent.state is RecordState.OPEN else audit.record_closed()
    raise Denied(problem, verdict, category=document.category)
