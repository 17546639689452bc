"""Use cases of restricting lines of a document: for all versions of it, by its person, and never for good.

Source: Regulation (EU) 2025/327, article 8: persons may restrict access to parts of their data, are told of the effect
before, and professionals are not told that something is restricted.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import structs

from esante.core import clock
from esante.core.fhir import decode
from esante.core.fhir import store as fhir_store
from esante.core.storage import INLINE_LIMIT, Connection, Database, Objects, Row, insert_in_batches
from esante.core.web import N_, Problem
from esante.identity.access import Access, Confidentiality, Requester
from esante.services.record import errors, rules
from esante.services.record.audit import AuditWriter
from esante.services.record.documents import store as document_store
from esante.services.record.documents.series_lock import lock_visible
from esante.services.record.errors import Denied
from esante.services.record.indexing.ingest import resource_rows
from esante.services.record.indexing.sources import whole_source
from esante.services.record.model import Document, LinesRestricted, Listed, Status
from esante.services.record.restrictions import store
from esante.services.record.restrictions.chosen_lines import DocumentLines
from esante.services.record.restrictions.matching import matching_tokens
from esante.services.record.restrictions.reduced_document import Reduced, in_thread_if_large, reduce
from esante.services.record.restrictions.wholes import Wholes
from esante.services.record.retention.object_removal import ObjectRemoval
from esante.services.record.retention.store import note_removals


@dataclass(frozen=True, slots=True)
class RestrictedDocument:
    """The newest version of a document with restricted lines, their tokens, and since when they are restricted."""

    document: Document
    tokens: tuple[str, ...]
    restricted_at: datetime


class LineRestrictions:
    """Restricts lines of documents, and lifts that; each change is journalled in its transaction."""

    def __init__(self, db: Database, objects: Objects, audit: AuditWriter, access: Access, wholes: Wholes) -> None:
        self._db, self._objects, self._audit, self._access, self._wholes = db, objects, audit, access, wholes
        self._removal = ObjectRemoval(db, objects)

    async def restrict(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        tokens: Collection[str],
        level: Confidentiality = Confidentiality.HIDDEN,
        *,
        risk_confirmed: bool = False,
    ) -> Document:
        """Restrict exactly these lines of a document and of its other versions, for all but who may see the level.

        No tokens: nothing is restricted any more, and everybody is given the bytes that were deposited.
        `risk_confirmed`: the person was told of the risk and confirmed it, which the entry says.
        Raises: `Problem` 404, 403 (not the person), 409 (not the newest version), 422 (a document without lines, or a
        token that it does not have).
        """
        async with self._audit.refusals(requester, person_id, "restrict"):
            visibility = rules.Visibility(requester, await self._access.consent(person_id), clock.now())
            try:
                async with self._db.transaction() as conn:
                    document, verdict, series = await lock_visible(conn, visibility, document_id)
                    if not rules.decides_for_holder(requester, verdict):
                        raise Denied(errors.patient_only(), verdict, document)
                    if document.id != series[0].id:
                        raise errors.not_current()
                    changed = await self._set(conn, document, series, frozenset(tokens), level)
                    fields = {
                        "count": len(set(tokens)),
                        "level": level.value if tokens else "",
                        "risk": level.value if risk_confirmed and tokens else "",
                    }
                    await self._audit.append(
                        LinesRestricted, requester, person_id, verdict, [document], conn=conn, **fields
                    )
            except asyncpg.UniqueViolationError as error:
                raise errors.duplicate_content() from error
        return changed

    async def list_restricted(self, requester: Requester, person_id: UUID) -> list[RestrictedDocument]:
        """Return the documents of which lines are restricted, the latest restricted first; journalled.

        For everybody else the list is empty.
        """
        visibility = rules.Visibility(requester, await self._access.consent(person_id), clock.now())
        if not rules.decides_for_holder(requester, visibility.record_verdict()):
            return []
        keys = [(person_id, key) for key in await store.fetch_restricted(self._db, person_id)]
        documents = await document_store.fetch_documents(self._db, keys) if keys else {}
        wholes = await store.fetch_wholes(self._db, keys) if keys else {}
        found = [
            RestrictedDocument(wholes[key].shown(documents[key]), wholes[key].tokens, wholes[key].restricted_at)
            for key in keys
            if key in documents
            and visibility.includes(documents[key])
            and rules.shows_lines(visibility, documents[key])
        ]
        listed = [one.document for one in found]
        verdict = visibility.record_verdict()
        await self._audit.append(Listed, requester, person_id, verdict, listed, count=len(listed))
        return found

    async def tokens_of(self, document: Document) -> tuple[str, ...]:
        """Return the tokens of the restricted lines of a document that the requester sees whole."""
        key = document.person_id, document.id
        if not document.is_whole:
            return ()
        whole = (await store.fetch_wholes(self._db, [key])).get(key)
        return whole.tokens if whole else ()

    async def carry_over(
        self, conn: Connection, old: Document, document: Document, content: bytes
    ) -> Reduced | Document:
        """Return a next version of a document without the lines that are restricted in the version before.

        It is the document itself where it has none of them. One whose lines cannot be left out is restricted as a
        whole, as the lines were.
        """
        if old.restricted_lines is None:
            return document
        level = old.restricted_lines
        if document.kind != "fhir":
            return structs.replace(document, confidentiality=rules.stricter(document.confidentiality, level))
        whole = await self._wholes.deposited(conn, old)
        before = await self._wholes.content(whole, conn)
        tokens = await self._matching(before, (await self._tokens(conn, old)), content)
        if not tokens:
            return document
        reduced = await reduce(document, content, tokens, level, clock.now())
        await self._put(reduced)
        return reduced

    async def _tokens(self, conn: Connection, document: Document) -> tuple[str, ...]:
        key = document.person_id, document.id
        return (await store.fetch_wholes(conn, [key]))[key].tokens

    async def _matching(self, content: bytes, tokens: Collection[str], other: bytes) -> frozenset[str]:
        def match() -> frozenset[str]:
            return matching_tokens(decode(content), tokens, decode(other))

        return await in_thread_if_large(max(content, other, key=len), match)

    async def _set(
        self,
        conn: Connection,
        document: Document,
        series: Sequence[Document],
        tokens: frozenset[str],
        level: Confidentiality,
    ) -> Document:
        """Restrict lines of all versions of a document; return the document as its person sees it."""
        whole = await self._wholes.deposited(conn, document)
        content = await self._wholes.content(whole, conn)
        if tokens:
            await self._check(conn, document, content, tokens)
        changed = whole
        for version in series:
            if version.kind != "fhir":
                continue
            if version.id == document.id:
                changed = await self._set_version(conn, whole, content, tokens, level)
                continue
            other = await self._wholes.deposited(conn, version)
            if not tokens and not other.is_whole:
                continue
            bytes_ = await self._wholes.content(other, conn)
            matching = await self._matching(content, tokens, bytes_)
            await self._set_version(conn, other, bytes_, matching, level)
        return changed

    async def _check(self, conn: Connection, document: Document, content: bytes, tokens: frozenset[str]) -> None:
        """Raise `Problem` 422 unless these lines of the document can be restricted."""
        is_divisible = document.kind == "fhir" and document.author_kind != "system"
        if not is_divisible or await fhir_store.is_revised(conn, document.person_id, document.id):
            raise _indivisible()
        known = await in_thread_if_large(content, lambda: DocumentLines(decode(content)).line_tokens())
        if not tokens <= known:
            raise _unknown_line()

    async def _set_version(
        self, conn: Connection, whole: Document, content: bytes, tokens: frozenset[str], level: Confidentiality
    ) -> Document:
        """Restrict lines of one version, which others are given without them; without tokens, lift what there is."""
        if not tokens:
            return await self._lift(conn, whole, content) if whole.is_whole else whole
        now = clock.now()
        reduced = await reduce(whole, content, tokens, level, now)
        await self._put(reduced)
        await self._forget(conn, whole, now)
        await store.set_content(conn, reduced.document, reduced.content)
        await insert_in_batches(conn, [reduced.whole_row])
        await self._set_resources(conn, whole, reduced.resources, now)
        return reduced.whole

    async def _lift(self, conn: Connection, whole: Document, content: bytes) -> Document:
        now = clock.now()
        document = structs.replace(whole, restricted_lines=None, is_whole=False)
        await self._forget(conn, whole, now)
        await store.set_content(conn, document, content)
        rows = await in_thread_if_large(
            content, lambda: resource_rows(whole.person_id, whole.id, whole.deposited_at, decode(content))
        )
        await self._set_resources(conn, whole, rows, now)
        return document

    async def _set_resources(self, conn: Connection, whole: Document, rows: Sequence[Row], now: datetime) -> None:
        """Write the clinical resources of a version anew, if it has any yet or is the current one."""
        is_current = whole.status is Status.CURRENT
        if await store.mark_indexed(conn, whole, now, even_if_not=is_current):
            await fhir_store.remove_sources(conn, whole.person_id, [whole.id, whole_source(whole.id)])
            await insert_in_batches(conn, rows)

    async def _forget(self, conn: Connection, whole: Document, now: datetime) -> None:
        """Delete what others were given of a version with restricted lines until now."""
        given = await document_store.find_document(conn, whole.person_id, whole.id)
        if whole.is_whole and given and given.size > INLINE_LIMIT:
            await note_removals(conn, {given.sha256}, now)
        await store.delete_whole(conn, whole.person_id, whole.id)

    async def _put(self, reduced: Reduced) -> None:
        if reduced.document.size > INLINE_LIMIT:
            await self._removal.keep_for_deposit(reduced.document.sha256)
            await self._objects.put(reduced.content)


def _indivisible() -> Problem:
    return Problem(
        422,
        "not-supported",
        N_("Single lines of this document cannot be restricted."),
        remedy=N_("Choose who can see the whole document."),
    )


def _unknown_line() -> Problem:
    return Problem(
        422, "value", N_("The document does not have this line."), place="line", remedy=N_("Open the document again.")
    )
