"""A ZIP of a patient's own export and the original bytes of their documents, written while it is sent."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from zipfile import ZIP_STORED

from esante.contract import PersonalFile
from esante.core.storage import Database, JobState, Overloaded
from esante.core.web import N_, show_datetime, translator
from esante.core.zip_stream import Chunks, UniqueNames, ZipStream, chunks_of, zip_entry
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person
from esante.services.export.model import Job, PersonalExportDownloaded
from esante.services.export.service import Exports, not_found
from esante.services.record import (
    BulkReader,
    Document,
    ReadableCopies,
    Span,
    View,
    bulk_read_verdict,
    file_name,
    readable_name,
)

log = logging.getLogger(__name__)
_DATA, _DOCUMENTS = N_("data"), N_("documents")
"""The folders in the ZIP."""
_README = (
    N_("The contents of your record on %(moment)s."),
    N_("The folder “%(documents)s” contains your documents: letters, results and images, exactly as they were added."),
    N_("Some documents were made for software. Beside each of them is a copy that you can read: the file in HTML."),
    N_(
        "The folder “%(data)s” contains the same information for software: one file for each "
        "type of information (FHIR R4, NDJSON)."
    ),
    N_("The file AuditEvent.ndjson shows who has viewed your record."),
)
_KEEP_SAFE = N_("Keep these files in a safe place that nobody else can open. They contain private health information.")
_MISSING = N_("These documents could not be read. Contact the helpdesk.")


@dataclass(frozen=True, slots=True)
class FurtherFiles:
    """The files of another service, read for a requester in a language (see `contract.PersonalFiles`)."""

    folder: str
    about: str
    read: Callable[[Requester, str], AsyncIterator[PersonalFile]]


@dataclass(frozen=True, slots=True)
class PersonalExport:
    """A finished export of a patient's own data, and their documents as of the same time."""

    requester: Requester
    job: Job
    view: View
    documents: Sequence[Document]


class PersonalExports:
    """Prepares and sends personal exports."""

    def __init__(
        self,
        db: Database,
        extracts: BulkReader,
        exports: Exports,
        readable_copies: ReadableCopies,
        directory: Directory,
        further: Sequence[FurtherFiles] = (),
    ) -> None:
        self._db, self._extracts, self._exports = db, extracts, exports
        self._readable_copies, self._directory, self._further = readable_copies, directory, further

    async def prepare(self, requester: Requester) -> PersonalExport:
        """Return what a patient may download now, and write the journal entry of the download.

        Raises: `Problem` 404 unless an export of theirs is finished.
        """
        job = next((job for job in await self._exports.jobs(requester) if job.state is JobState.DONE), None)
        view = await self._extracts.load_view(requester, requester.id)
        if job is None or not bulk_read_verdict(view).allowed:
            raise not_found()
        documents: list[Document] = []
        place: str | None = ""
        while place is not None:
            page, place = await self._extracts.read_documents(view, Span(None, job.request.at), place)
            documents += page
        categories = {document.category for document in documents}
        ids = [document.id for document in documents]
        rows = self._extracts.audit_rows(PersonalExportDownloaded, view, categories, ids, job_id=job.id)
        await self._db.write(rows)
        return PersonalExport(requester, job, view, documents)

    async def stream_zip(self, export: PersonalExport, language: str) -> Chunks:
        """Yield the bytes of the ZIP, with texts in a language."""
        exported_at, translate = export.job.request.at, translator(language).gettext
        moment = show_datetime(exported_at, language)
        archive, folders = ZipStream(), {"data": translate(_DATA), "documents": translate(_DOCUMENTS)}
        texts = [translate(line) % {"moment": moment, **folders} for line in _README]
        texts += [translate(one.about) % {"folder": translate(one.folder)} for one in self._further]
        texts.append(translate(_KEEP_SAFE))
        async for chunk in archive.add_text("README.txt", exported_at, texts):
            yield chunk
        async for chunk in self._add_data(archive, export.job, folders["data"]):
            yield chunk
        missing: list[str] = []
        async for chunk in self._add_documents(archive, export, folders["documents"], language, missing):
            yield chunk
        for further in self._further if export.requester.only_person_id == export.view.person_id else ():
            async for chunk in self._add_further(archive, export, further, language, missing):
                yield chunk
        if missing:
            async for chunk in archive.add_text("MISSING.txt", exported_at, [translate(_MISSING), *missing]):
                yield chunk
        yield archive.close()

    async def _add_data(self, archive: "ZipStream", job: Job, folder: str) -> Chunks:
        """Add the NDJSON files of an export."""
        files = [file for file in await self._exports.files(job) if file.kind == "output"]
        files_per_type = Counter(file.type for file in files)
        for file in files:
            name = f"{file.type}.ndjson" if files_per_type[file.type] == 1 else file.name
            entry = zip_entry(f"{folder}/{name}", job.request.at)
            async for chunk in archive.add(entry, file.size, self._exports.stream_lines(job, file)):
                yield chunk

    async def _add_documents(
        self, archive: "ZipStream", export: PersonalExport, folder: str, language: str, missing: list[str]
    ) -> Chunks:
        """Add the documents, with a readable copy beside each that only software can read.

        The names of those whose bytes are lost are appended to `missing`.
        """
        names = UniqueNames()
        person = await self._directory.person(export.view.person_id)
        for document in export.documents:
            name = names.of(file_name(document))
            try:
                content = await self._extracts.read_content(export.view, document)
            except (FileNotFoundError, ValueError):
                log.exception("the bytes of document %s are lost or damaged; it is left out", document.id)
                missing.append(name)
                continue
            if content is None:  # its retention ended meanwhile
                continue
            entry = zip_entry(f"{folder}/{name}", document.deposited_at)
            if document.kind in ("pdf", "image"):
                entry.compress_type = ZIP_STORED
            async for chunk in archive.add(entry, len(content), chunks_of(content)):
                yield chunk
            if copy := person and await self._readable_copy(document, content, person, language):
                entry = zip_entry(f"{folder}/{names.of(readable_name(document))}", document.deposited_at)
                async for chunk in archive.add(entry, len(copy), chunks_of(copy)):
                    yield chunk

    async def _add_further(
        self,
        archive: "ZipStream",
        export: PersonalExport,
        further: FurtherFiles,
        language: str,
        missing: list[str],
    ) -> Chunks:
        """Add the files of another service. The names of those that are lost are appended to `missing`."""
        folder, names = translator(language).gettext(further.folder), UniqueNames()
        async for file in further.read(export.requester, language):
            name = names.of(file.name)
            if file.content is None:
                missing.append(name)
                continue
            entry = zip_entry(f"{folder}/{name}", file.at)
            async for chunk in archive.add(entry, len(file.content), chunks_of(file.content)):
                yield chunk

    async def _readable_copy(self, document: Document, content: bytes, person: Person, language: str) -> bytes | None:
        """Return a readable copy; None where there is none, or it cannot be made now: the original is there."""
        try:
            return await self._readable_copies.make(document, content, person, language, client=person.id)
        except Overloaded:
            log.warning("the readable copy of document %s is left out: too many documents are waiting", document.id)
            return None
