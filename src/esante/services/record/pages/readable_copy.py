"""A readable copy of a document that only software can read: one HTML file with its images, to be kept and printed.

It is rendered by the templates of the pages. Nothing in it is loaded from elsewhere, and no program runs in it.
"""

import base64
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from esante.core import clock
from esante.core.web import template_environment
from esante.identity.directory import Person
from esante.services.record.model import Document
from esante.services.record.pages import formatting
from esante.services.record.pages.content_view import ImageSources, load_content_view
from esante.services.record.pages.file_names import file_name, readable_name
from esante.services.record.pages.page_context import DOCUMENT_VARIABLES
from esante.services.record.rendering.preview import CdaView, Previews, Unreadable

READABLE_KINDS = frozenset({"fhir", "cda"})
"""The kinds of documents that have a readable copy; people can read the others as they are."""
_PICTURE = re.compile(r'<span data-cda="media-(\d+)"></span>')


class ReadableCopies:
    """Makes readable copies of documents."""

    def __init__(self, previews: Previews) -> None:
        self._previews = previews

    async def make(
        self, document: Document, content: bytes, person: Person, language: str, *, client: Hashable = None
    ) -> bytes | None:
        """Return a readable copy as HTML in UTF-8, its labels in a language; None where there is nothing to read.

        `person`: whose record the document is in; `client`: see `Previews`.
        """
        if document.kind not in READABLE_KINDS:
            return None
        body, view = await load_content_view(self._previews, document, content, client)
        if body == "nothing":
            return None
        pictures = await self._pictures(document, content, view, client) if isinstance(view, CdaView) else {}
        template = template_environment(language).get_template("record/readable.html")
        page = template.render(
            document=document,
            person=person,
            body=body,
            view=view,
            formatting=formatting,
            images=EmbeddedImages(pictures),
            original=file_name(document),
            name=readable_name(document),
            made_at=clock.now(),
            **DOCUMENT_VARIABLES,
        )
        return page.encode()

    async def _pictures(
        self, document: Document, content: bytes, view: CdaView, client: Hashable
    ) -> Mapping[str, str]:
        """Return the images of a CDA document as data URIs, by their names; those that cannot be shown are missing."""
        numbers = {int(number) for section in view.sections for number in _PICTURE.findall(section.body)}
        if view.attachment and view.attachment.kind == "image":
            numbers.add(0)
        pages: Iterable[Any] = view.attachment.pages if view.attachment else ()
        found = {}
        for number in sorted(numbers):
            try:
                image = await self._previews.cda_image(document, content, number, client=client)
            except Unreadable:
                continue
            if image:
                found[f"media/{number}"] = _data_uri(*image)
        for page in pages:
            try:
                png = await self._previews.cda_page_image(document, content, page.number, client=client)
            except Unreadable:
                continue
            if png:
                found[f"pages/{page.number}.png"] = _data_uri("image/png", png)
        return found


class EmbeddedImages(ImageSources):
    """Images that are in the page itself, as data URIs by their names."""

    linked = False

    def __init__(self, uris: Mapping[str, str]) -> None:
        super().__init__("")
        self._uris = uris

    def source(self, name: str) -> str:
        """Return the data URI of an image, "" for one that is missing."""
        return self._uris.get(name, "")


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
