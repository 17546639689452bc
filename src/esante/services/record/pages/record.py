"""The pages that display a record: to the patient, and to a professional with access."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Hashable
from itertools import groupby
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import DocumentView, build_document_view, decode
from esante.core.web import NOT_FOUND, Problem, render
from esante.identity.access import Access, RecordState
from esante.identity.directory import Directory
from esante.services.record.categories import CATEGORIES
from esante.services.record.documents.service import Record
from esante.services.record.documents.validation_messages import FINDINGS, UNCONFIRMED
from esante.services.record.model import Document, Filters, Status
from esante.services.record.pages import formatting, forms, requests, retention
from esante.services.record.pages.page_context import (
    DOCUMENT_VARIABLES,
    BannerLoader,
    PageContext,
    PageContexts,
    banner_loader,
    no_access,
)
from esante.services.record.rendering.preview import Previews, Unreadable, plain_text
from esante.services.record.retention.rules import FOR_LIFE
from esante.services.record.rules import is_own, item_of

PAGE_SIZE = 30
PAGE_SIZE_BY_TYPE = 200
SANDBOX_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
"""Headers of every response with the content of a document."""
_EXTENSIONS = {"fhir": "json", "pdf": "pdf", "cda": "xml", "text": "txt"}
_SHUT = (RecordState.CLOSED, RecordState.OBJECTED, RecordState.DELETED)
Resolver = Callable[[Request], Awaitable[PageContext]]


def routes(record: Record, access: Access, directory: Directory) -> list[Route]:
    """Return the pages of a record for patients and for professionals; only addresses and actions differ."""
    contexts = PageContexts(access)
    banner = banner_loader(access, directory)
    pages = _RecordPages(record, access, directory, banner)
    audiences: list[tuple[str, str, Resolver]] = [
        ("/record", "/record/{document_id:uuid}", contexts.resolve_own),
        (
            "/patients/{person_id:uuid}",
            "/patients/{person_id:uuid}/documents/{document_id:uuid}",
            contexts.resolve_patient,
        ),
    ]
    routes = [*forms.routes(record, directory, contexts, banner), *retention.routes(record, access, contexts)]
    routes += requests.routes(record, access)
    for timeline, document, resolve in audiences:
        routes += [
            Route(timeline, _endpoint(resolve, pages.timeline)),
            Route(document, _endpoint(resolve, pages.document)),
            Route(f"{document}/original", _endpoint(resolve, pages.original)),
            Route(f"{document}/picture", _endpoint(resolve, pages.image)),
            Route(f"{document}/media/{{number:int}}", _endpoint(resolve, pages.embedded_image)),
            Route(f"{document}/pages/{{number:int}}.png", _endpoint(resolve, pages.page_image)),
        ]
    return routes


def _endpoint(
    resolve: Resolver, show: Callable[[Request, PageContext], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for a page method."""

    async def endpoint(request: Request) -> Response:
        return await show(request, await resolve(request))

    return endpoint


class _RecordPages:
    def __init__(self, record: Record, access: Access, directory: Directory, banner: BannerLoader) -> None:
        self._record, self._access, self._directory, self._banner = record, access, directory, banner

    async def timeline(self, request: Request, page: PageContext) -> Response:
        """Show the list of documents, by year or by type."""
        query = request.query_params
        category, text = query.get("category", ""), query.get("q", "").strip()[:100]
        by_type = query.get("view") == "type" and not category and not text
        withdrawn = query.get("withdrawn") == "yes"
        filters = Filters(
            category=(category,) if category in CATEGORIES else (),
            text=text,
            status=(Status.WITHDRAWN,) if withdrawn else (Status.CURRENT,),
        )
        timeline = await self._record.timeline(
            page.requester,
            page.person_id,
            filters,
            cursor=query.get("cursor"),
            limit=PAGE_SIZE_BY_TYPE if by_type else PAGE_SIZE,
        )
        if (
            not page.is_own
            and timeline.grant is None
            and not timeline.documents
            and not await self._sees_anything(page)
        ):
            raise no_access()
        return await render(
            request,
            "record/timeline.html",
            page=page,
            is_shut=page.is_own and not timeline.documents and await self._is_shut(page),
            years=[] if by_type else _by_year(timeline.documents),
            groups=_by_category(timeline.documents) if by_type else [],
            documents=timeline.documents,
            next=timeline.next,
            cursor=query.get("cursor"),
            category=category if category in CATEGORIES else "",
            text=text,
            by_type=by_type,
            withdrawn=withdrawn,
            launchable=not page.is_own and timeline.grant is not None and await self._access.clients.launchable(),
            **DOCUMENT_VARIABLES,
            **await self._banner(page),
        )

    async def _is_shut(self, page: PageContext) -> bool:
        """Return whether a record is shut for its owner too: closed, objected to, or deleted."""
        return (await self._access.consent(page.person_id)).state in _SHUT

    async def _sees_anything(self, page: PageContext) -> bool:
        """Return whether a professional without a grant sees any document of the record, such as their own."""
        any_status = Filters(status=())
        return bool((await self._record.timeline(page.requester, page.person_id, any_status, limit=1)).documents)

    async def document(self, request: Request, page: PageContext) -> Response:
        """Show a document with its content."""
        document, content = await self._content(request, page)
        body, content_view = await load_content_view(self._record.previews, document, content, page.requester.id)
        versions: tuple[Document, ...] = ()
        if document.version > 1 or document.status is Status.SUPERSEDED:
            versions = await self._record.versions(page.requester, page.person_id, document.id)
        banner = await self._banner(page)
        return await render(
            request,
            "record/document.html",
            page=page,
            # Patients read their own document: who they are is no further access.
            subject=banner["person"] or await self._directory.person(page.person_id),
            document=document,
            url=f"{page.documents_url}/{document.id}",
            body=body,
            formatting=formatting,
            view=content_view,
            versions=versions,
            newest=next((one for one in versions if one.status is Status.CURRENT), None),
            mine=is_own(document, page.requester),
            findings=[FINDINGS[key] for key in document.findings if key in FINDINGS and key != UNCONFIRMED],
            unconfirmed=FINDINGS[UNCONFIRMED] if UNCONFIRMED in document.findings else None,
            holders=await self._holders(page, document),
            saved=request.query_params.get("saved") == "yes",
            proposed=request.query_params.get("proposed") == "yes",
            for_life=FOR_LIFE,
            error="",
            **DOCUMENT_VARIABLES,
            **banner,
        )

    async def original(self, request: Request, page: PageContext) -> Response:
        """Download the bytes as deposited."""
        document, content = await self._content(request, page)
        name = quote(file_name(document))
        disposition = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(content, media_type=document.media_type, headers=SANDBOX_HEADERS | disposition)

    async def image(self, request: Request, page: PageContext) -> Response:
        """Return an image document, encoded anew from its pixels."""
        document, content = await self._continue_reading(request, page, "image")
        try:
            media_type, data = await self._record.previews.image(document, content, client=page.requester.id)
        except Unreadable:
            return await _placeholder_image(request)
        return Response(data, media_type=media_type, headers=SANDBOX_HEADERS)

    async def embedded_image(self, request: Request, page: PageContext) -> Response:
        """Return a picture in a CDA document, encoded anew from its pixels."""
        document, content = await self._continue_reading(request, page, "cda")
        try:
            number = request.path_params["number"]
            image = await self._record.previews.cda_image(document, content, number, client=page.requester.id)
        except Unreadable:
            return await _placeholder_image(request)
        if image is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return Response(image[1], media_type=image[0], headers=SANDBOX_HEADERS)

    async def page_image(self, request: Request, page: PageContext) -> Response:
        """Return a page of a PDF, or of the PDF in a CDA document, as an image."""
        document, content = await self._continue_reading(request, page, "pdf", "cda")
        previews = self._record.previews
        show_page = previews.cda_page_image if document.kind == "cda" else previews.page_image
        try:
            number = request.path_params["number"]
            png = await show_page(document, content, number, client=page.requester.id)
        except Unreadable:
            return await _placeholder_image(request)
        if png is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return Response(png, media_type="image/png", headers=SANDBOX_HEADERS)

    async def _continue_reading(self, request: Request, page: PageContext, *kinds: str) -> tuple[Document, bytes]:
        """Return a document of one of the kinds, for a further image of it."""
        return await self._record.continue_reading(
            page.requester,
            page.person_id,
            request.path_params["document_id"],
            matching=lambda document: document.kind in kinds,
        )

    async def _content(self, request: Request, page: PageContext) -> tuple[Document, bytes]:
        return await self._record.content(page.requester, page.person_id, request.path_params["document_id"])

    async def _holders(self, page: PageContext, document: Document) -> list[str]:
        """Return, for patients, the names of those who can read this document of theirs now by a grant."""
        if not page.is_own:
            return []
        accesses = await self._access.who_can_see(page.person_id, item_of(document))
        return sorted({access.grant.holder for access in accesses if access.reads and access.grant.holder})


async def load_content_view(
    previews: Previews, document: Document, content: bytes, client: Hashable = None
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


async def _placeholder_image(request: Request) -> Response:
    """Return an image that says that the document cannot be displayed."""
    svg = await render(request, "record/not-shown.svg.html", 422)
    return Response(svg.body, svg.status_code, media_type="image/svg+xml", headers=SANDBOX_HEADERS)


def file_name(document: Document) -> str:
    """Return a file name for the download, from the title; valid on every system."""
    kind = document.kind
    extension = _EXTENSIONS.get(kind, document.media_type.rpartition("/")[2])
    stem = re.sub(r"[^\w .-]+", "", document.title).strip(" .")[:80] or document.category
    return f"{document.event_date.isoformat()} {stem}.{extension}"


def _by_year(documents: tuple[Document, ...]) -> list[tuple[int, list[Document]]]:
    years = groupby(documents, key=lambda document: document.event_date.year)
    return [(year, list(group)) for year, group in years]


def _by_category(documents: tuple[Document, ...]) -> list[tuple[str, list[Document]]]:
    groups: dict[str, list[Document]] = {key: [] for key in CATEGORIES}
    for document in documents:
        groups[document.category].append(document)
    return [(key, group) for key, group in groups.items() if group]
