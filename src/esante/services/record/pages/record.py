"""The pages that show a record: to the patient, and to a professional who has access."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import DocumentView, build_document_view, decode
from esante.core.web import NOT_FOUND, Problem, render
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.record.categories import CATEGORIES
from esante.services.record.documents.service import Record
from esante.services.record.documents.validation_messages import FINDINGS, UNCONFIRMED
from esante.services.record.model import Document, Filters, Status
from esante.services.record.pages import formatting, forms
from esante.services.record.pages.page_context import LOOKS, Banner, Visit, Visits, banner_of, no_access
from esante.services.record.rendering.preview import Showing, Unreadable, plain_text
from esante.services.record.rules import is_own

PAGE = 30
BY_TYPE = 200
SANDBOXED = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
"""Headers of everything that comes from a document."""
_EXTENSIONS = {"fhir": "json", "pdf": "pdf", "cda": "xml", "text": "txt"}
Find = Callable[[Request], Awaitable[Visit]]


def routes(record: Record, access: Access, directory: Directory) -> list[Route]:
    """The pages of a record; both sides share everything but the address and what may be done."""
    visits = Visits(access)
    banner = banner_of(access, directory)
    pages = _Pages(record, access, banner)
    sides: list[tuple[str, str, Find]] = [
        ("/record", "/record/{document_id:uuid}", visits.own),
        ("/patients/{person_id:uuid}", "/patients/{person_id:uuid}/documents/{document_id:uuid}", visits.professional),
    ]
    found = forms.routes(record, directory, visits, banner)
    for home, document, find in sides:
        found += [
            Route(home, _at(find, pages.timeline)),
            Route(document, _at(find, pages.document)),
            Route(f"{document}/original", _at(find, pages.original)),
            Route(f"{document}/picture", _at(find, pages.picture)),
            Route(f"{document}/pages/{{number:int}}.png", _at(find, pages.sheet)),
        ]
    return found


def _at(find: Find, show: Callable[[Request, Visit], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await show(request, await find(request))

    return endpoint


class _Pages:
    def __init__(self, record: Record, access: Access, banner: Banner) -> None:
        self._record, self._access, self._banner = record, access, banner

    async def timeline(self, request: Request, visit: Visit) -> Response:
        """The list of documents, by year or by type."""
        query = request.query_params
        category, text = query.get("category", ""), query.get("q", "").strip()[:100]
        by_type = query.get("view") == "type" and not category and not text
        withdrawn = query.get("withdrawn") == "yes"
        filters = Filters(
            category=(category,) if category in CATEGORIES else (),
            text=text,
            status=(Status.WITHDRAWN,) if withdrawn else (Status.CURRENT,),
        )
        found = await self._record.timeline(
            visit.requester,
            visit.person_id,
            filters,
            cursor=query.get("cursor"),
            limit=BY_TYPE if by_type else PAGE,
        )
        if not visit.own and found.grant is None and not found.documents and not await self._sees_anything(visit):
            raise no_access()
        return await render(
            request,
            "record/timeline.html",
            visit=visit,
            years=[] if by_type else _by_year(found.documents),
            groups=_by_category(found.documents) if by_type else [],
            documents=found.documents,
            next=found.next,
            cursor=query.get("cursor"),
            category=category if category in CATEGORIES else "",
            text=text,
            by_type=by_type,
            withdrawn=withdrawn,
            launchable=not visit.own and found.grant is not None and await self._access.clients.launchable(),
            **LOOKS,
            **await self._banner(visit),
        )

    async def _sees_anything(self, visit: Visit) -> bool:
        """Whether a professional without access sees any document, whatever was searched for: his own."""
        any_status = Filters(status=())
        return bool((await self._record.timeline(visit.requester, visit.person_id, any_status, limit=1)).documents)

    async def document(self, request: Request, visit: Visit) -> Response:
        """A document, readable in the page."""
        document, content = await self._content(request, visit)
        body, content_view = await readable(self._record.showing, document, content)
        versions: tuple[Document, ...] = ()
        if document.version > 1 or document.status is Status.SUPERSEDED:
            versions = await self._record.versions(visit.requester, visit.person_id, document.id)
        return await render(
            request,
            "record/document.html",
            visit=visit,
            document=document,
            url=f"{visit.documents}/{document.id}",
            body=body,
            reading=formatting,
            view=content_view,
            versions=versions,
            newest=next((one for one in versions if one.status is Status.CURRENT), None),
            mine=is_own(document, visit.requester),
            findings=[FINDINGS[key] for key in document.findings if key in FINDINGS and key != UNCONFIRMED],
            unconfirmed=FINDINGS[UNCONFIRMED] if UNCONFIRMED in document.findings else None,
            holders=await self._holders(visit),
            error="",
            **LOOKS,
            **await self._banner(visit),
        )

    async def original(self, request: Request, visit: Visit) -> Response:
        """The bytes as they came in, to keep."""
        document, content = await self._content(request, visit)
        name = quote(file_name(document))
        disposition = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(content, media_type=document.media_type, headers=SANDBOXED | disposition)

    async def picture(self, request: Request, visit: Visit) -> Response:
        """An image document, made anew from its pixels."""
        document, content = await self._part(request, visit, "image")
        try:
            media_type, data = await self._record.showing.picture(document, content)
        except Unreadable:
            return await _not_shown(request)
        return Response(data, media_type=media_type, headers=SANDBOXED)

    async def sheet(self, request: Request, visit: Visit) -> Response:
        """A page of a PDF as a picture."""
        document, content = await self._part(request, visit, "pdf")
        try:
            png = await self._record.showing.sheet(document, content, request.path_params["number"])
        except Unreadable:
            return await _not_shown(request)
        if png is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return Response(png, media_type="image/png", headers=SANDBOXED)

    async def _part(self, request: Request, visit: Visit, kind: str) -> tuple[Document, bytes]:
        """A document of a kind, for one more picture of it."""
        return await self._record.part(
            visit.requester,
            visit.person_id,
            request.path_params["document_id"],
            matching=lambda document: document.kind == kind,
        )

    async def _content(self, request: Request, visit: Visit) -> tuple[Document, bytes]:
        return await self._record.content(visit.requester, visit.person_id, request.path_params["document_id"])

    async def _holders(self, visit: Visit) -> list[str]:
        """For the patient: the names of those who have access to her record right now."""
        if not visit.own:
            return []
        consent = await self._access.consent(visit.person_id)
        return sorted({grant.holder for grant in consent.grants if grant.holder})


async def readable(showing: Showing, document: Document, content: bytes) -> tuple[str, Any]:
    """How a document is shown (fhir, pdf, cda, image, text, or nothing) and the view its template needs."""
    try:
        match document.kind:
            case "fhir":
                return "fhir", await asyncio.to_thread(_fhir_view, content)
            case "pdf":
                return "pdf", await showing.sheets(document, content)
            case "cda":
                sections = await showing.sections(document, content)
                return ("cda", sections) if sections else ("nothing", None)
            case "text":
                return "text", plain_text(content)
            case _:
                return document.kind, None
    except Unreadable:
        return "nothing", None


def _fhir_view(content: bytes) -> DocumentView:
    return build_document_view(decode(content))


async def _not_shown(request: Request) -> Response:
    """In place of a picture that cannot be made: one that says so."""
    svg = await render(request, "record/not-shown.svg.html", 422)
    return Response(svg.body, svg.status_code, media_type="image/svg+xml", headers=SANDBOXED)


def file_name(document: Document) -> str:
    """A name for the download, from the title; safe on every system."""
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
