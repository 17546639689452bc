"""Corrections by the author: withdrawal of a document, and its move from the wrong patient to the right one."""

from uuid import UUID

import asyncpg
from msgspec.structs import replace

from esante.core import clock
from esante.core.storage import Connection, Database, insert, uuid7
from esante.identity.access import (
    Access,
    Action,
    Confidentiality,
    Consent,
    RecordState,
    Requester,
    Verdict,
    decide,
    opposes_deposit,
)
from esante.identity.directory import Directory, Person
from esante.services.record import errors, rules
from esante.services.record.audit import AuditWriter
from esante.services.record.documents import store
from esante.services.record.documents.content.validation import read_subject
from esante.services.record.documents.content.validation_messages import UNCONFIRMED
from esante.services.record.documents.deposit import person_findings
from esante.services.record.documents.series_lock import lock_visible
from esante.services.record.errors import Denied
from esante.services.record.identification.check import DIFFERS, PersonDiffers, compare_document, keys_of
from esante.services.record.identification.model import TRAITS, Comparison
from esante.services.record.model import Corrected, Document, Status, Withdrawn
from esante.services.record.rendering.worker_pool import WorkerPool
from esante.services.record.restrictions.wholes import Wholes
from esante.services.record.retention.rules import last_kept_day


class CorrectionService:
    """The use cases of withdrawing a document and of moving it to the right patient."""

    def __init__(
        self,
        db: Database,
        audit: AuditWriter,
        directory: Directory,
        access: Access,
        workers: WorkerPool,
        wholes: Wholes,
    ) -> None:
        self._db, self._audit, self._wholes = db, audit, wholes
        self._directory, self._access, self._workers = directory, access, workers

    async def withdraw(
        self, requester: Requester, visibility: rules.Visibility, document_id: UUID, reason: str
    ) -> Document:
        """Mark a document of the record of `visibility` as entered in error (see `Record.withdraw`)."""
        person_id = visibility.consent.person_id
        async with self._db.transaction() as conn:
            document, verdict, _ = await _lock_own(conn, visibility, document_id)
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
        *,
        confirmed: bool = False,
    ) -> Document:
        """Move a document of the record of `visibility` (see `Record.correct_person`)."""
        consent = await self._access.consent(right_person_id)
        person = await self._directory.person(right_person_id)
        if right_person_id == visibility.consent.person_id or person is None:
            raise errors.unknown_person()
        try:
            return await self._move(requester, visibility, document_id, person, consent, reason, confirmed=confirmed)
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
        *,
        confirmed: bool,
    ) -> Document:
        person_id = visibility.consent.person_id
        async with self._db.transaction() as conn:
            lock = _lock_misfiled if requester.kind == "operator" else _lock_own
            document, verdict, series = await lock(conn, visibility, document_id)
            if requester.kind == "patient":
                raise Denied(errors.not_the_author(), verdict, document)
            write_verdict = _require_write_access(requester, right_consent, document)
            document = await self._wholes.deposited(conn, document)  # whose lines are restricted is the wrong person
            content = await self._wholes.content(document, conn)
            comparison, findings = await self._compare(requester, right_person, document, content)
            if comparison.differences and not confirmed:
                raise Denied(PersonDiffers(comparison), DIFFERS, document)
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
                restricted_lines=None,
                is_whole=False,
                expires_on=last_kept_day(now),
                notified_on=None,
                findings=findings,
                confirmation=reason if comparison.differences else "",
            )
            await store.set_status(conn, series, Status.WITHDRAWN, reason=reason, misfiled=True)
            out = self._audit.rows(Corrected, requester, person_id, verdict, [document], moved="out", why=reason)
            into = self._audit.rows(
                Corrected,
                requester,
                right_person.id,
                write_verdict,
                [moved],
                moved="in",
                why=reason,
                differs=keys_of(comparison),
                justification=moved.confirmation,
            )
            await insert(conn, [*store.document_rows(moved, content), *out, *into])
        return moved

    async def _compare(
        self, requester: Requester, person: Person, document: Document, content: bytes
    ) -> tuple[Comparison, tuple[str, ...]]:
        """Return in what a document differs from another person, and its findings in the record of that person."""
        subject, text = await read_subject(content, document.media_type, self._workers, requester.id)
        async with self._directory.lookups.admitted() as lookup:
            comparison = compare_document(person, subject, text)
            if comparison.differences:
                await lookup.record_miss(journalled=True)
        of_content = (key for key in document.findings if key != UNCONFIRMED and key not in TRAITS)
        return comparison, (*of_content, *(finding.key for finding in person_findings(comparison, subject)))


async def _lock_own(
    conn: Connection, visibility: rules.Visibility, document_id: UUID
) -> tuple[Document, Verdict, list[Document]]:
    """Lock the series of a current document that the requester may change (see `lock_visible`).

    Raises: `Denied` (404, or 403 when the requester is not the author), `Problem` 409 when the document is not the
    current version.
    """
    document, verdict, series = await lock_visible(conn, visibility, document_id)
    if not rules.is_own(document, visibility.requester):
        raise Denied(errors.not_the_author(), verdict, document)
    return _require_current(document), verdict, series


async def _lock_misfiled(
    conn: Connection, visibility: rules.Visibility, document_id: UUID
) -> tuple[Document, Verdict, list[Document]]:
    """Lock the series of a current document that an operator moves, which they need not see."""
    person_id = visibility.consent.person_id
    document = await store.find_document(conn, person_id, document_id)
    series = await store.lock_series(conn, person_id, document.series_id) if document else []
    match = next((version for version in series if version.id == document_id), None)
    if match is None:
        raise Denied(errors.not_found())
    return _require_current(match), rules.CORRECTION, series


def _require_current(document: Document) -> Document:
    """Return a document that is the current version. Raises: `Problem` 409."""
    if document.status is not Status.CURRENT:
        raise errors.not_current()
    return document


def _require_write_access(requester: Requester, consent: Consent, document: Document) -> Verdict:
    """Return the verdict on storing a moved document in the right record. Raises: `Problem` 403."""
    item = rules.item_of(document)
    if requester.kind == "operator":
        if consent.state is not RecordState.OPEN:
            raise errors.record_closed()
        if opposes_deposit(consent, (document.author_id, document.organization_id), item, document.event_date):
            raise errors.deposit_opposed()
        return rules.CORRECTION
    verdict = decide(consent, requester, Action.WRITE, item, rules.purpose_of(requester), clock.now())
    if not verdict.allowed:
        raise errors.write_refused(verdict) if consent.state is RecordState.OPEN else errors.record_closed()
    return verdict
