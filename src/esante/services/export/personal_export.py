"""What a person takes along: a ZIP of her finished export and of her documents' original bytes, made as it is sent."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo
from zoneinfo import ZoneInfo

from esante.core.storage import Database
from esante.core.web import N_, TIME_ZONE
from esante.identity.access import Requester
from esante.services.export.model import Job, State, Taken
from esante.services.export.service import Exports, absent
from esante.services.record import BulkReader, Document, Span, View, bulk_read_verdict, file_name

log = logging.getLogger(__name__)
CHUNK = 1024 * 1024
_LARGE = 1 << 31
"""Bytes from which an entry of a ZIP needs the format's long form."""
_DATA, _DOCUMENTS = N_("data"), N_("documents")
"""The folders in the ZIP."""
_README = (
    N_("What your record holds, as it was on %(moment)s."),
    N_("The folder “%(documents)s” has your documents: letters, results and pictures, exactly as they came in."),
    N_("The folder “%(data)s” has all of it for programs: a file for each kind of information (FHIR R4, NDJSON)."),
    N_("Who looked into your record stands in the file AuditEvent.ndjson."),
    N_("Keep these files where nobody else can open them: they are as private as your health."),
)
_MISSING = N_("These documents could not be read. Please tell the helpdesk.")
Gettext = Callable[[str], str]
Bytes = AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Luggage:
    """A finished export of a person's own, and her documents of that moment."""

    job: Job
    view: View
    documents: Sequence[Document]


class Takeout:
    """Packs what a person takes along."""

    def __init__(self, db: Database, extracts: BulkReader, exports: Exports) -> None:
        self._db, self._extracts, self._exports = db, extracts, exports

    async def pack(self, requester: Requester) -> Luggage:
        """What a person may take along now, journalled as taken. Problem 404 unless an export of hers is finished."""
        job = next((job for job in await self._exports.jobs(requester) if job.state is State.DONE), None)
        view = await self._extracts.load_view(requester, requester.id)
        if job is None or not bulk_read_verdict(view).allowed:
            raise absent()
        documents: list[Document] = []
        place: str | None = ""
        while place is not None:
            page, place = await self._extracts.read_documents(view, Span(None, job.asked.at), place)
            documents += page
        categories = {document.category for document in documents}
        ids = [document.id for document in documents]
        await self._db.write(self._extracts.audit_rows(Taken, view, categories, ids, job_id=job.id))
        return Luggage(job, view, documents)

    async def zipped(self, luggage: Luggage, translate: Gettext, moment: str) -> Bytes:
        """The bytes of the ZIP, in the person's language; `moment` is when the export was made, as she reads it."""
        archive, folders = _Archive(), {"data": translate(_DATA), "documents": translate(_DOCUMENTS)}
        texts = [translate(line) % {"moment": moment, **folders} for line in _README]
        async for chunk in archive.text("README.txt", luggage.job.asked.at, texts):
            yield chunk
        async for chunk in self._data(archive, luggage.job, folders["data"]):
            yield chunk
        missing: list[str] = []
        async for chunk in self._documents(archive, luggage, folders["documents"], missing):
            yield chunk
        if missing:
            async for chunk in archive.text("MISSING.txt", luggage.job.asked.at, [translate(_MISSING), *missing]):
                yield chunk
        yield archive.end()

    async def _data(self, archive: "_Archive", job: Job, folder: str) -> Bytes:
        files = [file for file in await self._exports.files(job) if file.kind == "output"]
        of_type = Counter(file.type for file in files)
        for file in files:
            name = f"{file.type}.ndjson" if of_type[file.type] == 1 else file.name
            entry = _entry(f"{folder}/{name}", job.asked.at)
            async for chunk in archive.entry(entry, file.size, self._exports.lines(job, file)):
                yield chunk

    async def _documents(self, archive: "_Archive", luggage: Luggage, folder: str, missing: list[str]) -> Bytes:
        names: Counter[str] = Counter()
        for document in luggage.documents:
            name = file_name(document)
            names[name.casefold()] += 1
            if names[name.casefold()] > 1:
                stem, dot, extension = name.rpartition(".")
                name = f"{stem} ({names[name.casefold()]}){dot}{extension}"
            try:
                content = await self._extracts.read_content(document)
            except (FileNotFoundError, ValueError):
                log.exception("the bytes of document %s are lost or damaged", document.id)
                missing.append(name)
                continue
            entry = _entry(f"{folder}/{name}", document.deposited_at)
            if document.kind in ("pdf", "image"):
                entry.compress_type = ZIP_STORED
            async for chunk in archive.entry(entry, len(content), _chunks(content)):
                yield chunk


class _Archive:
    """A ZIP that is handed out while it is written."""

    def __init__(self) -> None:
        self._ready = bytearray()
        self._zip = ZipFile(self, "w", ZIP_DEFLATED)  # type: ignore[call-overload]  # all that it needs of a file

    def write(self, data: bytes) -> int:
        """Take what the ZIP consists of."""
        self._ready += data
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    async def entry(self, entry: ZipInfo, size: int, content: Bytes) -> Bytes:
        """Add an entry of about `size` bytes; gives the bytes of the ZIP as far as it is written."""
        with self._zip.open(entry, "w", force_zip64=size >= _LARGE) as member:
            async for chunk in content:
                await asyncio.to_thread(member.write, chunk)
                yield self._taken()
        yield self._taken()

    def text(self, name: str, at: datetime, paragraphs: Sequence[str]) -> Bytes:
        """Add a text for people, with line ends that every system shows."""
        content = "\r\n\r\n".join([*paragraphs, ""]).encode()
        return self.entry(_entry(name, at), len(content), _chunks(content))

    def end(self) -> bytes:
        """The last bytes."""
        self._zip.close()
        return self._taken()

    def _taken(self) -> bytes:
        ready = bytes(self._ready)
        self._ready.clear()
        return ready


def _entry(name: str, at: datetime) -> ZipInfo:
    entry = ZipInfo(name, at.astimezone(ZoneInfo(TIME_ZONE)).timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry


async def _chunks(content: bytes) -> Bytes:
    for start in range(0, len(content), CHUNK):
        yield content[start : start + CHUNK]
