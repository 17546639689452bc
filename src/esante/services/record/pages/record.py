"""The pages that display a record: to the patient, and to a professional with access."""

from collections.abc import Collection
from itertools import groupby
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, language_of, render
from esante.identity.access import Access, RecordState, choice_terms
from esante.identity.directory import Directory
from esante.services.record.categories import CATEGORIES
from esante.services.record.documents.content.validation_messages import FINDINGS, UNCONFIRMED
from esante.services.record.documents.service import Record
from esante.services.record.identification.model import TRAITS
from esante.services.record.model import Document, Filters, Status, difference_words
from esante.services.record.pages import deposit_form, formatting, forms, lines, requests, retention, statements
from esante.services.record.pages.content_view import SANDBOX_HEADERS, ImageSources, image_routes, load_content_view
from esante.services.record.pages.file_names import file_name, readable_name
from esante.services.record.pages.lines import may_be_divided
from esante.services.record.pages.page_context import (
    DOCUMENT_VARIABLES,
    BannerLoader,
    PageContext,
    PageContexts,
    Resolver,
    banner_loader,
    no_access,
    page_endpoint,
)
from esante.services.record.pages.readable_copy import READABLE_KINDS, ReadableCopies
from esante.services.record.retention.rules import FOR_LIFE
from esante.services.record.rules import is_own, item_of

PAGE_SIZE = 30
PAGE_SIZE_BY_TYPE = 200
_OF_PERSON = {UNCONFIRMED, *TRAITS}
"""The findings that are shown above a document."""
_SHUT = (RecordState.CLOSED, RecordState.OBJECTED, RecordState.DELETED)


def routes(record: Record, access: Access, directory: Directory, fhir_url: str) -> list[Route]:
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
    routes = [
        *forms.routes(record, access, directory, contexts, banner),
        *deposit_form.routes(record, access, contexts, banner),
        *retention.routes(record, access, contexts),
        *requests.routes(record, access),
        *statements.routes(record, contexts, banner, fhir_url),
        *lines.routes(record, contexts),
    ]
    for timeline, document, resolve in audiences:
        routes += [
            Route(timeline, page_endpoint(resolve, pages.timeline)),
            Route(document, page_endpoint(resolve, pages.document)),
            Route(f"{document}/original", page_endpoint(resolve, pages.original)),
            Route(f"{document}/readable", page_endpoint(resolve, pages.readable)),
            *image_routes(document, resolve, record.previews, pages.continue_reading),
        ]
    return routes


class _RecordPages:
    def __init__(self, record: Record, access: Access, directory: Directory, banner: BannerLoader) -> None:
        self._record, self._access, self._directory, self._banner = record, access, directory, banner
        self._readable_copies = ReadableCopies(record.previews)

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
            viewer_url=self._viewer_url(page, document),
            images=ImageSources(f"{page.documents_url}/{document.id}"),
            readable=document.kind in READABLE_KINDS and body != "nothing",
            body=body,
            formatting=formatting,
            view=content_view,
            versions=versions,
            newest=next((one for one in versions if one.status is Status.CURRENT), None),
            mine=is_own(document, page.requester),
            findings=[FINDINGS[key] for key in document.findings if key in FINDINGS and key not in _OF_PERSON],
            unconfirmed=FINDINGS[UNCONFIRMED] if UNCONFIRMED in document.findings else None,
            differences=difference_words(document.findings),
            holders=await self._holders(page, document),
            saved=request.query_params.get("saved", ""),
            divisible=page.is_own and may_be_divided(document),
            proposed=request.query_params.get("proposed") == "yes",
            risk_missing=request.query_params.get("risk") == "missing",
            risks=choice_terms(today()).risks,
            for_life=FOR_LIFE,
            error="",
            **DOCUMENT_VARIABLES,
            **banner,
        )

    def _viewer_url(self, page: PageContext, document: Document) -> str:
        """Return the address of the page of a service that shows what a document stands for, "" for none."""
        viewer = self._record.viewers.get(document.category)
        address = viewer(document) if viewer and document.status is Status.CURRENT else ""
        return address and ("" if page.is_own else page.timeline_url) + address

    async def original(self, request: Request, page: PageContext) -> Response:
        """Download the bytes as deposited."""
        document, content = await self._content(request, page)
        return _download(content, document.media_type, file_name(document))

    async def readable(self, request: Request, page: PageContext) -> Response:
        """Download a readable copy of a document that only software can read. Raises: `Problem` 404 for another."""
        document, content = await self._record.content(
            page.requester,
            page.person_id,
            request.path_params["document_id"],
            matching=lambda document: document.kind in READABLE_KINDS,
        )
        person = await self._directory.person(page.person_id)
        copy = person and await self._readable_copies.make(
            document, content, person, language_of(request), client=page.requester.id
        )
        if not copy:
            raise Problem(404, "not-found", NOT_FOUND)
        return _download(copy, "text/html", readable_name(document))

    async def continue_reading(
        self, request: Request, page: PageContext, kinds: Collection[str]
    ) -> tuple[Document, bytes]:
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
        """Return, for patients, the names of those who can read this document of theirs now, or act for them."""
        if not page.is_own:
            return []
        accesses = await self._access.who_can_see(page.person_id, item_of(document))
        return sorted({access.name for access in accesses if access.reads and access.name})


def _download(content: bytes, media_type: str, name: str) -> Response:
    disposition = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type=media_type, headers=SANDBOX_HEADERS | disposition)


def _by_year(documents: tuple[Document, ...]) -> list[tuple[int, list[Document]]]:
    years = groupby(documents, key=lambda document: document.event_date.year)
    return [(year, list(group)) for year, group in years]


def _by_category(documents: tuple[Document, ...]) -> list[tuple[str, list[Document]]]:
    groups: dict[str, list[Document]] = {key: [] for key in CATEGORIES}
    for document in documents:
        groups[document.category].append(document)
    return [(key, group) for key, group in groups.items() if group]
