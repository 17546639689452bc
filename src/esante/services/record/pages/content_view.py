"""How the content of a document is displayed: the data of its template, and its images."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import DocumentView, build_document_view, decode
from esante.core.web import NOT_FOUND, Problem, render
from esante.services.record.pages.page_context import PageContext, Resolver, page_endpoint
from esante.services.record.rendering.preview import Previewed, Previews, Unreadable, plain_text

SANDBOX_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
"""Headers of every response with the content of a document."""
Opener = Callable[[Request, PageContext, Collection[str]], Awaitable[tuple[Previewed, bytes]]]
"""Returns what a request shows, which is of one of some kinds, and its bytes. Raises: `Problem` 404."""


class ImageSources:
    """Where a template finds the images of a document: below the address of the document; each is a link to itself."""

    linked = True

    def __init__(self, url: str) -> None:
        self._url = url

    def source(self, name: str) -> str:
        """Return the address of an image by its name: `picture`, `media/N`, `pages/N.png`."""
        return f"{self._url}/{name}"


async def load_content_view(
    previews: Previews, document: Previewed, content: bytes, client: Hashable = None
) -> tuple[str, Any]:
    """Return how a document is displayed (fhir, pdf, cda, image, text, or nothing), and the data of that template."""
    try:
        match document.kind:
            case "fhir":
                return "fhir", await asyncio.to_thread(_fhir_view, content)
            case "pdf":
                return "pdf", await previews.pdf_pages(document, content, client=client)
            case "cda":
                view = await previews.cda_view(document, content, client=client)
                return ("cda", view) if view.sections or view.attachment else ("nothing", None)
            case "text":
                return "text", plain_text(content)
            case _:
                return document.kind, None
    except Unreadable:
        return "nothing", None


def _fhir_view(content: bytes) -> DocumentView:
    return build_document_view(decode(content))


def image_routes(address: str, resolve: Resolver, previews: Previews, open_: Opener) -> list[Route]:
    """Return the routes of the images of what is at an address: pictures, and pages of a PDF, encoded anew."""
    images = _Images(previews, open_)
    return [
        Route(f"{address}/picture", page_endpoint(resolve, images.image)),
        Route(f"{address}/media/{{number:int}}", page_endpoint(resolve, images.embedded_image)),
        Route(f"{address}/pages/{{number:int}}.png", page_endpoint(resolve, images.page_image)),
    ]


class _Images:
    def __init__(self, previews: Previews, open_: Opener) -> None:
        self._previews, self._open = previews, open_

    async def image(self, request: Request, page: PageContext) -> Response:
        """Return an image document, encoded anew from its pixels."""
        document, content = await self._open(request, page, ("image",))
        try:
            media_type, data = await self._previews.image(document, content, client=page.requester.id)
        except Unreadable:
            return await _placeholder_image(request)
        return Response(data, media_type=media_type, headers=SANDBOX_HEADERS)

    async def embedded_image(self, request: Request, page: PageContext) -> Response:
        """Return a picture in a CDA document, encoded anew from its pixels."""
        document, content = await self._open(request, page, ("cda",))
        try:
            number = request.path_params["number"]
            image = await self._previews.cda_image(document, content, number, client=page.requester.id)
        except Unreadable:
            return await _placeholder_image(request)
        if image is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return Response(image[1], media_type=image[0], headers=SANDBOX_HEADERS)

    async def page_image(self, request: Request, page: PageContext) -> Response:
        """Return a page of a PDF, or of the PDF in a CDA document, as an image."""
        document, content = await self._open(request, page, ("pdf", "cda"))
        show_page = self._previews.cda_page_image if document.kind == "cda" else self._previews.page_image
        try:
            number = request.path_params["number"]
            png = await show_page(document, content, number, client=page.requester.id)
        except Unreadable:
            return await _placeholder_image(request)
        if png is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return Response(png, media_type="image/png", headers=SANDBOX_HEADERS)


async def _placeholder_image(request: Request) -> Response:
    """Return an image that says that the document cannot be displayed."""
    svg = await render(request, "record/not-shown.svg.html", 422)
    return Response(svg.body, svg.status_code, media_type="image/svg+xml", headers=SANDBOX_HEADERS)
