"""Copies without identity: proposed by one operator, confirmed by another, then written into a folder."""

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem, bad_request
from esante.identity.access import OPERATION, Access, Confidentiality, Requester, Verdict, requester_of
from esante.identity.directory import Directory
from esante.services.imaging.archive import store
from esante.services.imaging.archive.contents import Contents
from esante.services.imaging.deidentification.copy_instance import NotAnImage, deidentify, pseudonym
from esante.services.imaging.deidentification.model import Copy, CopyDecided, CopyMade, CopyProposed, StudyCopied
from esante.services.imaging.deidentification.store import (
    copy_row,
    decide_copy,
    finish_copy,
    lock_copy,
    search_copies,
)
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.model import Instance
from esante.services.record import Document, Record

MAX_STUDIES, MAX_TEXT, MAX_BYTES = 1_000, 300, 512 * 1024**2
"""Studies of a copy, characters of a purpose or permit, and bytes of an instance that is copied."""
PAGE_SIZE = 20
_COPYING = Verdict(True, "operator.secondary-use", "secondary-use", context=OPERATION)
_UNREADABLE = (AttributeError, TypeError, ValueError, KeyError, IndexError, NotImplementedError, struct.error)
"""What pydicom raises for what it cannot read or write."""
_LAST = UUID(int=2**128 - 1)


class Copies:
    """The use cases of copies without identity."""

    def __init__(
        self, db: Database, journal: Journal, contents: Contents, record: Record, directory: Directory, access: Access
    ) -> None:
        self._db, self._journal, self._contents, self._record = db, journal, contents, record
        self._directory, self._access = directory, access

    async def search(self, text: str, before: UUID | None) -> tuple[list[Copy], UUID | None]:
        """Return a page of the copies, the latest first, and the key after which the next page begins."""
        found = await search_copies(self._db, text, before or _LAST, PAGE_SIZE + 1)
        return found[:PAGE_SIZE], found[PAGE_SIZE - 1].copy_id if len(found) > PAGE_SIZE else None

    async def propose(self, requester: Requester, purpose: str, permit: str, study_uids: str) -> Copy:
        """Propose a copy of studies. Raises: Problem 400 for a text that is missing or too long, and for no UID."""
        uids = list(dict.fromkeys(study_uids.replace(",", " ").split()))
        if not uids or len(uids) > MAX_STUDIES or not all(map(is_uid, uids)):
            raise bad_request("studies", N_("Enter the Study UIDs, one on a line, 1,000 at most."), code="value")
        for name, text in (("purpose", purpose), ("permit", permit)):
            if not 3 <= len(text.strip()) <= MAX_TEXT:
                raise bad_request(name, N_("Enter between 3 and 300 characters."), code="value")
        copy = Copy(
            copy_id=uuid7(),
            purpose=purpose.strip(),
            permit=permit.strip(),
            study_uids="\n".join(uids),
            uid_key=secrets.token_bytes(32),
            proposed_at=clock.now(),
            proposed_by=requester.id,
            proposer=requester.name,
        )
        event = CopyProposed(copy_id=copy.copy_id, purpose=copy.purpose, permit=copy.permit, studies=len(uids))
        await self._db.write([copy_row(copy), *self._journal.rows_for(requester, event)])
        return copy

    async def decide(self, requester: Requester, copy_id: UUID, *, confirmed: bool) -> None:
        """Confirm the proposal of another, or refuse one. Raises: Problem 403 for one's own, 404, 409."""
        async with self._db.transaction() as conn:
            copy = await _lock(conn, copy_id, "proposed")
            if confirmed and copy.proposed_by == requester.id:
                raise Problem(
                    403,
                    "forbidden",
                    N_("You cannot confirm your own proposal."),
                    remedy=N_("Ask another operator to confirm it."),
                )
            state = "confirmed" if confirmed else "refused"
            await decide_copy(conn, copy_id, state, requester.name, clock.now())
            event = CopyDecided(copy_id=copy_id, confirmed=confirmed, proposed_by=copy.proposed_by)
            await insert(conn, self._journal.rows_for(requester, event))

    async def make(self, copy_id: UUID, folder: Path) -> Copy:
        """Write a confirmed copy into an empty folder; the images to be looked at first lie in `review`.

        Raises: Problem 404, 409 for one that is not confirmed or was made; FileExistsError for a folder that is there.
        """
        async with self._db.transaction() as conn:
            copy = await _lock(conn, copy_id, "confirmed")
            await asyncio.to_thread(folder.mkdir, parents=True)
            made, entries = await self._write(copy, folder)
            index = {"purpose": copy.purpose, "permit": copy.permit, "instances": entries}
            (folder / "index.json").write_bytes(orjson.dumps(index, option=orjson.OPT_INDENT_2))
            await finish_copy(conn, made, clock.now())
            event = CopyMade(copy_id=copy_id, instances=made.instances, flagged=made.flagged, left_out=made.left_out)
            await insert(conn, self._journal.rows_for(_requester(made), event))
        return made

    async def _write(self, copy: Copy, folder: Path) -> tuple[Copy, list[Json]]:
        entries: list[Json] = []
        left_out = 0
        places = await store.fetch_places(self._db, copy.studies)
        for uid in copy.studies:
            document = await self._document(places.get(uid))
            if document is None:
                left_out += 1
                continue
            await self._journal_study(copy, uid, document)
            name = pseudonym(copy.uid_key, document.person_id)
            async for instance, file in self._files(document.person_id, uid):
                if file is None:
                    left_out += 1
                    continue
                try:
                    data, risks = await asyncio.to_thread(deidentify, file, copy.uid_key, name, today())
                except (NotAnImage, *_UNREADABLE):
                    # What pydicom cannot read as an image of the standard is no image to give away.
                    left_out += 1
                    continue
                path = f"{'review' if risks else 'images'}/{len(entries) + 1:06d}.dcm"
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(data)
                entries.append({"file": path, "size": len(data), "of": instance.size, "risks": list(risks)})
        flagged = sum(bool(one["risks"]) for one in entries)
        return replace(copy, instances=len(entries), flagged=flagged, left_out=left_out), entries

    async def _document(self, place: store.Place | None) -> Document | None:
        """Return the document of a study that may be copied, None for any other.

        It is current, restricted by nobody, in an open record whose person shares it; decided for its depositor.
        """
        if place is None:
            return None
        consent = await self._access.consent(place.person_id)
        study = await store.fetch_studies(self._db, place.person_id, [place.document_series_id])
        depositor = await self._directory.organization(study[0].depositor_id) if study else None
        if depositor is None or not consent.sharing:
            return None
        current = await self._record.current.find(requester_of(depositor), place.person_id, place.document_series_id)
        document = current.document
        return document if document and document.confidentiality is Confidentiality.NORMAL else None

    async def _files(self, person_id: UUID, study_uid: str) -> AsyncIterator[tuple[Instance, bytes | None]]:
        """Yield the instances of a study with their bytes; None for one that is too large or in another archive."""
        for instance in await store.fetch_instances(self._db, person_id, [study_uid]):
            if instance.is_remote or instance.size > MAX_BYTES:
                yield instance, None
            else:
                pieces = [bytes(one) async for one in self._contents.stream(instance, ((0, instance.size),))]
                yield instance, b"".join(pieces)

    async def _journal_study(self, copy: Copy, study_uid: str, document: Document) -> None:
        rows = self._record.audit_rows(
            StudyCopied,
            _requester(copy),
            document.person_id,
            _COPYING,
            [document],
            study_uid=study_uid,
            copy_id=copy.copy_id,
            use=f"{copy.purpose} ({copy.permit})",
        )
        await self._db.write(rows)


async def _lock(conn: Connection, copy_id: UUID, state: str) -> Copy:
    """Return a copy in a state, locked. Raises: Problem 404, 409."""
    copy = await lock_copy(conn, copy_id)
    if copy is None:
        raise Problem(404, "not-found", NOT_FOUND)
    if copy.state != state:
        raise Problem(409, "conflict", N_("This was decided already."))
    return copy


def _requester(copy: Copy) -> Requester:
    """Return in whose name a copy is made: of who confirmed it."""
    return Requester(kind="operator", id=NIL, name=copy.decider)
