"""Previews of documents other than FHIR, rendered by the worker processes."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from esante.services.record.model import Document
from esante.services.record.rendering.worker_pool import WorkerFailure, WorkerPool

MAX_TEXT = 1_000_000
"""The largest number of characters of a text document that a page displays."""


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
class CdaSection:
    """A section of a CDA document: heading level from 2, title, and its narrative as sanitised HTML."""

    level: int
    title: str
    body: Markup


class Previews:
    """Renders previews of documents for a client (any key), between which the workers are shared.

    Every method raises `Unreadable`, and `storage.Overloaded` when too many requests wait for a worker.
    """

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers

    async def pdf_pages(
        self, document: Document, content: bytes, *, client: Hashable = None
    ) -> tuple[int, list[PdfPage]]:
        """Return the number of pages of a PDF, and the pages that are displayed (the first ones)."""
        (count, pages), _ = await self._run("pdf_pages", document, content, client)
        return count, [PdfPage(number, *page) for number, page in enumerate(pages, 1)]

    async def page_image(
        self, document: Document, content: bytes, number: int, *, client: Hashable = None
    ) -> bytes | None:
        """Return the image of a page (from 1) as PNG; None for a page that is not displayed."""
        is_displayed, png = await self._run("page_image", document, content, client, number)
        return png if is_displayed else None

    async def image(self, document: Document, content: bytes, *, client: Hashable = None) -> tuple[str, bytes]:
        """Return the media type and bytes of an image document, encoded anew from its pixels."""
        return await self._run("image", document, content, client)

    async def cda_sections(self, document: Document, content: bytes, *, client: Hashable = None) -> list[CdaSection]:
        """Return the narrative sections of a CDA R2 document, in order."""
        sections, _ = await self._run("cda_sections", document, content, client)
        # The worker lets through plain structure only (`worker/rendering.py`).
        return [CdaSection(level, title, Markup(body)) for level, title, body in sections]  # noqa: S704

    async def _run(
        self, task: str, document: Document, content: bytes, client: Hashable, number: int = 0
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


def plain_text(data: bytes) -> str:
    """Return the text of a text document.

    Raises: `Unreadable` for one over `MAX_TEXT` characters, since a part of it could mislead.
    """
    text = data.decode("utf-8", "replace")
    if len(text) > MAX_TEXT:
        raise Unreadable
    return text
