"""What another provider receives: a ZIP of documents, a patient summary of all, and a list of the files.

FHIR documents are documents of the European format as they are; others are added as they were deposited.
"""

import hashlib
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zipfile import ZIP_STORED

import orjson

from esante.core.fhir import encode
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import N_, Problem, show_datetime, translator
from esante.core.zip_stream import UniqueNames, ZipStream, chunks_of, zip_entry
from esante.identity.access import Confidentiality
from esante.services.ehds.formats.kinds import SUMMARY, find_kind
from esante.services.ehds.formats.service import Formats, Order
from esante.services.ehds.portability.model import Choice
from esante.services.record import BulkReader, Document, Span, View, file_name

log = logging.getLogger(__name__)
_DOCUMENTS = "documents"
_README = (
    N_("A copy of a health record, made on %(moment)s for another provider on behalf of the patient."),
    N_("The folder “documents” holds the documents as they were added. Files in JSON are documents of HL7 FHIR R4."),
    N_("The file “patient-summary.json” is a summary of the record in the European format, where it was asked for."),
    N_("The file “manifest.json” lists every file with its type, its size and its SHA-256."),
)
_PRIVATE = N_("Keep these files in a safe place that nobody else can open. They contain private health information.")


@dataclass(slots=True)
class Sent:
    """What was sent so far: files, bytes, and their SHA-256."""

    files: int = 0
    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, chunk: bytes) -> bytes:
        """Count a chunk; return it."""
        self.size += len(chunk)
        self.digest.update(chunk)
        return chunk


class Packages:
    """Writes packages out of what a person may see of their record."""

    def __init__(self, extracts: BulkReader, formats: Formats) -> None:
        self._extracts, self._formats = extracts, formats

    async def documents(self, view: View, choice: Choice, at: datetime) -> list[Document]:
        """Return the documents of a choice as of a moment, the latest first."""
        found: list[Document] = []
        place: str | None = ""
        while place is not None:
            page, place = await self._extracts.read_documents(view, Span(None, at), place)
            found += page
        return [one for one in found if _is_chosen(one, choice)]

    async def stream(
        self, view: View, documents: Sequence[Document], choice: Choice, at: datetime, sent: Sent
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the ZIP, counted in `sent`."""
        archive, listed, names = ZipStream(), list[Json](), UniqueNames()
        translate = translator(choice.language).gettext
        lines = [translate(line) % {"moment": show_datetime(at, choice.language)} for line in (*_README, _PRIVATE)]
        async for chunk in archive.add_text("README.txt", at, lines):
            yield sent.add(chunk)
        if choice.hidden and not choice.categories and (summary := await self._summary(view, choice)):
            listed.append(_listed("patient-summary.json", summary, "application/fhir+json"))
            async for chunk in archive.add(zip_entry("patient-summary.json", at), len(summary), chunks_of(summary)):
                yield sent.add(chunk)
        for document in documents:
            content = await self._content(view, document, choice)
            name = f"{_DOCUMENTS}/{names.of(file_name(document))}"
            if content is None:
                listed.append({"name": name, "missing": True})
                continue
            listed.append(_listed(name, content, document.media_type) | _described(document))
            entry = zip_entry(name, document.deposited_at)
            if document.kind in ("pdf", "image"):
                entry.compress_type = ZIP_STORED
            async for chunk in archive.add(entry, len(content), chunks_of(content)):
                yield sent.add(chunk)
        manifest = orjson.dumps({"made": at.isoformat(), "files": listed}, option=orjson.OPT_INDENT_2)
        async for chunk in archive.add(zip_entry("manifest.json", at), len(manifest), chunks_of(manifest)):
            yield sent.add(chunk)
        sent.files = sum("sha256" in one for one in listed)
        yield sent.add(archive.close())

    async def _summary(self, view: View, choice: Choice) -> bytes | None:
        """Return a patient summary of the record; None where there is nothing that it would be about."""
        kind = find_kind(SUMMARY, today())
        if kind is None:
            return None
        order = Order(kind=kind, language=choice.language)
        try:
            built = await self._formats.build_document(view.visibility.requester, view.person_id, order)
        except Problem:
            return None
        return encode(built.bundle)

    async def _content(self, view: View, document: Document, choice: Choice) -> bytes | None:
        try:
            return await self._extracts.read_content(view, document, with_restricted_lines=choice.hidden)
        except (FileNotFoundError, ValueError):
            log.exception("the bytes of document %s are lost or damaged; it is left out", document.id)
            return None


def _is_chosen(document: Document, choice: Choice) -> bool:
    if document.misfiled or (choice.categories and document.category not in choice.categories):
        return False
    return choice.hidden or document.confidentiality is Confidentiality.NORMAL


def _listed(name: str, content: bytes, media_type: str) -> Json:
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "mediaType": media_type, "size": len(content), "sha256": digest}


def _described(document: Document) -> Json:
    return {
        "type": document.type,
        "category": document.category,
        "title": document.title,
        "date": document.event_date.isoformat(),
        "author": document.author,
        "organization": document.organization,
        "status": document.status.value,
    }
