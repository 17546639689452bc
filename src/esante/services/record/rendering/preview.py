"""Previews of documents other than FHIR, rendered by the worker processes."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from markupsafe import Markup

from esante.core.types import Json
from esante.services.record.rendering.worker_pool import WorkerFailure, WorkerPool

MAX_TEXT = 1_000_000
"""The largest number of characters of a text document that a page displays."""


class Previewed(Protocol):
    """What is previewed: a document, or a file that may become one."""

    @property
    def sha256(self) -> bytes:
        """The SHA-256 of its bytes."""

    @property
    def kind(self) -> str:
        """The kind of document (`model.KINDS`)."""


class Unreadable(Exception):
    """The document cannot be displayed: encrypted, broken, or too large for the workers; it can be downloaded."""


@dataclass(frozen=True, slots=True)
class PdfPage:
    """A page of a PDF: its number from 1, the size of its image in pixels, and its text."""

    number: int
    width: int
    height: int
    text: str


@dataclass(frozen=True, slots=True)
class CdaHeader:
    """The header of a CDA document: names as text, `birth_date` and `date` as FHIR dates, "" where unknown.

    `confidentiality` is a code of HL7 v3 Confidentiality.
    """

    patient: str
    birth_date: str
    date: str
    authors: tuple[str, ...]
    signed_by: str
    custodian: str
    confidentiality: str


@dataclass(frozen=True, slots=True)
class CdaSection:
    """A section of a CDA document: heading level from 2, and its narrative as sanitised HTML with markers.

    `about` names its subject where this is not the patient; `language` is set where it differs from its surroundings;
    `empty` says why there is nothing to see: a null flavour, `coded` (only its entries speak), or `nothing`.
    """

    level: int
    title: str
    code: str
    code_name: str
    language: str
    confidentiality: str
    about: str
    authors: tuple[str, ...]
    body: Markup
    empty: str
    anchor: str


@dataclass(frozen=True, slots=True)
class CdaAttachment:
    """The body of a CDA document that is not XML. `kind`: pdf, image, text, or "" for one that is not displayed."""

    kind: str
    media_type: str
    text: str = ""
    page_count: int = 0
    pages: tuple[PdfPage, ...] = ()


@dataclass(frozen=True, slots=True)
class CdaView:
    """A CDA document for a page."""

    header: CdaHeader
    sections: tuple[CdaSection, ...]
    attachment: CdaAttachment | None


class Previews:
    """Renders previews of documents for a client (any key), between which the workers are shared.

    Every method raises `Unreadable`, and `storage.Overloaded` when too many requests wait for a worker.
    """

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers

    async def pdf_pages(
        self, document: Previewed, content: bytes, *, client: Hashable = None
    ) -> tuple[int, list[PdfPage]]:
        """Return the number of pages of a PDF, and the pages that are displayed (the first ones)."""
        (count, pages), _ = await self._run("pdf_pages", document, content, client)
        return count, [PdfPage(number, *page) for number, page in enumerate(pages, 1)]

    async def page_image(
        self, document: Previewed, content: bytes, number: int, *, client: Hashable = None
    ) -> bytes | None:
        """Return the image of a page (from 1) as PNG; None for a page that is not displayed."""
        is_displayed, png = await self._run("page_image", document, content, client, number)
        return png if is_displayed else None

    async def image(self, document: Previewed, content: bytes, *, client: Hashable = None) -> tuple[str, bytes]:
        """Return the media type and bytes of an image document, encoded anew from its pixels."""
        return await self._run("image", document, content, client)

    async def cda_view(self, document: Previewed, content: bytes, *, client: Hashable = None) -> CdaView:
        """Return the header and the sections of a CDA R2 document, or its body that is not XML."""
        view, _ = await self._run("cda_view", document, content, client)
        header, attachment = view["header"], view["attachment"]
        return CdaView(
            header=CdaHeader(**header | {"authors": tuple(header["authors"])}),
            sections=tuple(_section(section) for section in view["sections"]),
            attachment=_attachment(attachment) if attachment else None,
        )

    async def cda_page_image(
        self, document: Previewed, content: bytes, number: int, *, client: Hashable = None
    ) -> bytes | None:
        """Return the image of a page of the PDF that is the body of a CDA; None for one that is not displayed."""
        is_displayed, png = await self._run("cda_page_image", document, content, client, number)
        return png if is_displayed else None

    async def cda_image(
        self, document: Previewed, content: bytes, number: int, *, client: Hashable = None
    ) -> tuple[str, bytes] | None:
        """Return a picture in a CDA, encoded anew: the body (number 0) or an embedded one; None when there is none."""
        media_type, image = await self._run("cda_image", document, content, client, number)
        return (media_type, image) if media_type else None

    async def read_codes(self, picture: bytes, *, client: Hashable = None) -> list[tuple[str, str]]:
        """Return the symbology identifier and the text of each code (bars or squares) in a picture."""
        try:
            head, _ = await self._workers.run({"task": "codes", "number": 0}, picture, client=client)
        except WorkerFailure as error:
            raise Unreadable from error
        if "unreadable" in head:
            raise Unreadable
        return [(identifier, text) for identifier, text in head["result"]]

    async def _run(
        self, task: str, document: Previewed, content: bytes, client: Hashable, number: int = 0
    ) -> tuple[Any, bytes]:
        try:
            head, body = await self._workers.run(
                {"task": task, "number": number}, content, document.sha256, client=client
            )
        except WorkerFailure as error:
            raise Unreadable from error
        if "unreadable" in head:
            raise Unreadable
        return head["result"], body


def _section(section: Json) -> CdaSection:
    # The worker lets through plain structure only (`worker/cda.py`).
    body = Markup(section["body"])  # noqa: S704
    return CdaSection(**section | {"authors": tuple(section["authors"]), "body": body})


def _attachment(attachment: Json) -> CdaAttachment:
    count, pages = attachment.pop("pages", (0, []))
    listed = tuple(PdfPage(number, *page) for number, page in enumerate(pages, 1))
    return CdaAttachment(**attachment, page_count=count, pages=listed)


def plain_text(data: bytes) -> str:
    """Return the text of a text document.

    Raises: `Unreadable` for one over `MAX_TEXT` characters, since a part of it could mislead.
    """
    text = data.decode("utf-8", "replace")
    if len(text) > MAX_TEXT:
        raise Unreadable
    return text
