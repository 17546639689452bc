"""What is shown of a document that is not FHIR, as the processes of the sandbox read it."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from esante.services.record.model import Document
from esante.services.record.rendering.worker_pool import Sandbox, Unopened

MAX_TEXT = 1_000_000
"""Characters that a text document may have to be shown in a page."""


class Unreadable(Exception):
    """The document cannot be shown: encrypted, broken, or too much for the processes; the download still has it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of a PDF: its number from 1, its picture's size in pixels, and its text."""

    number: int
    width: int
    height: int
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a CDA document: heading level from 2, title, and its narrative as sanitised HTML."""

    level: int
    title: str
    body: Markup


class Showing:
    """Shows documents; every method raises `Unreadable`, and `storage.Overloaded` when too many wait."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def sheets(self, document: Document, content: bytes) -> tuple[int, list[Sheet]]:
        """How many pages a PDF has, and the first of them, as many as are shown."""
        (pages, found), _ = await self._ask("sheets", document, content)
        return pages, [Sheet(number, *sheet) for number, sheet in enumerate(found, 1)]

    async def sheet(self, document: Document, content: bytes, number: int) -> bytes | None:
        """The picture of a page (from 1) as PNG; None for a page that is not shown."""
        there, png = await self._ask("sheet", document, content, number)
        return png if there else None

    async def picture(self, document: Document, content: bytes) -> tuple[str, bytes]:
        """An image made anew from its pixels: media type and bytes."""
        return await self._ask("picture", document, content)

    async def sections(self, document: Document, content: bytes) -> list[Section]:
        """The narrative sections of a CDA R2 document, in order."""
        found, _ = await self._ask("sections", document, content)
        # The process has let through nothing but plain structure (`worker/rendering.py`).
        return [Section(level, title, Markup(body)) for level, title, body in found]  # noqa: S704

    async def _ask(self, task: str, document: Document, content: bytes, number: int = 0) -> tuple[Any, bytes]:
        try:
            head, body = await self._sandbox.ask({"task": task, "number": number}, content, document.sha256)
        except Unopened as error:
            raise Unreadable from error
        if "unreadable" in head:
            raise Unreadable
        return head["result"], body


def plain_text(data: bytes) -> str:
    """The text of a text document; raises `Unreadable` for a longer one, since half of it could mislead."""
    text = data.decode("utf-8", "replace")
    if len(text) > MAX_TEXT:
        raise Unreadable
    return text
