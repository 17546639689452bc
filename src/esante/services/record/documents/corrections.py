"""Corrections by the author: withdrawal of a document, and its move from the wrong patient to the right one."""

from uuid import UUID

import asyncpg
from msgspec.structs import replace

from esante.core import clock
from esante.core.storage import Connection, Database, Objects, insert, uuid7
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
from esante.services.record.documents.deposit import subject_findings
from esante.services.record.documents.validation import read_subject
from esante.services.record.documents.validation_messages import UNCONFIRMED
from esante.services.record.errors import Denied
from esante.services.record.model import Corrected, Document, Status, Withdrawn
from esante.services.record.rendering.worker_pool import WorkerPool
from esante.services.record.retention.rules import last_kept_day


class CorrectionService:
    """The use cases of withdrawing a document and of moving it to the right patient."""

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

    async def withdraw(
        self, requester: Requester, visibility: rules.Visibility, document_id: UUID, reason: str
    ) -> Document:
        """Mark a document of the record of `visibility` as entered in error (see `Record.withdraw`)."""
        person_id = visibility.consent.person_id
        async with self._db.transaction() as conn:
            document, verdict = await _lock_own(conn, requester, visibility, document_id)
            await store.set_status(conn, [document], Status.WITHDRAWN, reason=reason)
            await self._audit.append(Withdrawn, requester, person_id, verdict, [document], conn=conn, why=reason)
        return replace(document, status=Status.WITHDRAWN, withdrawn_reason=reason)

    async def move(
        self,
        requester: Requester,
        visibility: rules.Visibility,
        document_id: UUID,
        right_person_id: UUID,
        reason: str,
    ) -> Document:
        """Move a document of the record of `visibility` (see `Record.correct_person`)."""
        consent = await self._access.consent(right_person_id)
        person = await self._directory.person(right_person_id)
        if right_person_id == visibility.consent.person_id or person is None:
            raise errors.unknown_person()
        try:
            return await self._move(requester, visibility, document_id, person, consent, reason)
        except asyncpg.UniqueViolationError as error:
            raise errors.duplicate_content() from error

    async def _move(
        self,
        requester: Requester,
        visibility: rules.Visibility,
        document_id: UUID,
        right_person: Person,
        right_consent: Consent,
        reason: str,
    ) -> Document:
        person_id = visibility.consent.person_id
        async with self._db.transaction() as conn:
            document, verdict = await _lock_own(conn, requester, visibility, document_id, operator=True)
            if requester.kind == "patient":
                raise Denied(errors.not_the_author(), verdict, document)
            write_verdict = _require_write_access(requester, right_consent, document)
            series = await store.fetch_versions(conn, person_id, document.series_id)
            content = await store.fetch_content(conn, person_id, document.id)
            key, now = uuid7(), clock.now()
            moved = replace(
                document,
                id=key,
                person_id=right_person.id,
                series_id=key,
                replaces=None,
                version=1,
                deposited_at=now,
                changed_at=now,
                confidentiality=Confidentiality.NORMAL,
                submission_id=key,
                expires_on=last_kept_day(now),
                told_on=None,
                findings=await self._findings(requester, right_person, document, content),
            )
            await store.set_status(conn, series, Status.WITHDRAWN, reason=reason, misfiled=True)
            out = self._audit.rows(Corrected, requester, person_id, verdict, [document], moved="out", why=reason)
            into = self._audit.rows(
                Corrected, requester, right_person.id, write_verdict, [moved], moved="in", why=reason
            )
            await insert(conn, [*store.document_rows(moved, content), *out, *into])
        return moved

    async def _findings(
        self, requester: Requester, person: Person, document: Document, content: bytes | None
    ) -> tuple[str, ...]:
        """Return the findings on a document in another person's record; `content` None: the object store holds it."""
        if content is None:
            content = await self._objects.get(document.sha256)
        subject = await read_subject(content, document.media_type, self._workers, requester.id)
        others = (key for key in document.findings if key != UNCONFIRMED)
        return (*others, *(finding.key for finding in subject_findings(person, subject)))


async def _lock_own(
    conn: Connection,
    requester: Requester,
    visibility: rules.Visibility,
    document_id: UUID,
    *,
    operator: bool = False,
) -> tuple[Document, Verdict]:
    """Lock the series of a current document that the requester may change; return the document and the verdict.

    `operator`: operators may, too. Raises: `Denied` (404, or 403 when the requester is not the author), `Problem` 409
    when the document is not the current version.
    """
    series = await store.lock_series(conn, visibility.consent.person_id, document_id)
    match = next((version for version in series if version.id == document_id), None)
    if match is not None and operator and requester.kind == "operator":
        document, verdict = match, rules.CORRECTION
    else:
        document, verdict = rules.require_visible(visibility, match)
        if not rules.is_own(document, requester):
            raise Denied(errors.not_the_author(), verdict, document)
    if document.status is not Status.CURRENT:
        raise errors.not_current()
    return document, verdict


def _require_write_access(requester: Requester, consent: Consent, document: Document) -> Verdict:
    """Return the verdict on storing a moved document in the right record. Raises: `Problem` 403."""
    if requester.kind == "operator":
        if consent.state is not RecordState.OPEN:
            raise errors.record_closed()
        return rules.CORRECTION
    item = Item(category=document.category, author_id=document.author_id, organization_id=document.organization_id)
    verdict = decide(consent, requester, Action.WRITE, item, rules.purpose_of(requester), clock.now())
    if not verdict.allowed:
        raise errors.write_refused(verdict) if consent.state is RecordState.OPEN else errors.record_closed()
    return verdict
