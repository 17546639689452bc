"""The patient's access log ("who looked")."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.journal import Entry, Journal
from esante.core.web import NOT_FOUND, Problem, decode_uuid_cursor, encode_cursor, gettext_of, render
from esante.identity.access.audit.access_log import (
    KINDS,
    describe_entry,
    describe_visit,
    is_refused,
    log_types,
    matches_words,
)
from esante.identity.access.audit.log_scan import scan_visits
from esante.identity.access.events import LogRead
from esante.identity.access.model import Requester
from esante.identity.access.service import Access
from esante.identity.directory import catalogue

_PATIENT = ("patient",)
_PAGE_SIZE = 25
_MAX_TEXT_LENGTH = 100


def routes(access: Access, journal: Journal, categories: Mapping[str, str]) -> list[Route]:
    """Return the route of the access log; `categories`: the names (msgids) of the categories of documents."""
    terms = {**catalogue().organization_kinds, **catalogue().professions}
    roles = {key: term.label for key, term in terms.items()}

    async def show_log(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        persons = await access.volumes(requester.id)
        return await _show_log(request, requester, persons, journal, categories, roles)

    return [Route("/log", show_log)]


async def _show_log(
    request: Request,
    requester: Requester,
    persons: Sequence[UUID],
    journal: Journal,
    categories: Mapping[str, str],
    roles: Mapping[str, str],
) -> Response:
    kind, text = request.query_params.get("kind", ""), request.query_params.get("q", "").strip()[:_MAX_TEXT_LENGTH]
    cursor = request.query_params.get("cursor") or None
    if kind not in KINDS:
        raise Problem(404, "not-found", NOT_FOUND)
    if cursor is None:
        await journal.append_for(requester, LogRead(face="page"), person_id=requester.id)
    words = text.casefold().split()
    translate = gettext_of(request)

    def matches(entry: Entry) -> bool:
        if kind == "refused" and not is_refused(entry.event):
            return False
        return not words or matches_words(describe_entry(entry, translate, categories, roles), words)

    page = await scan_visits(
        journal, persons, log_types(kind), matches, before=decode_uuid_cursor(cursor), limit=_PAGE_SIZE
    )
    return await render(
        request,
        "access/log.html",
        lines=[describe_visit(visit, translate, categories, roles) for visit in page.items],
        next=encode_cursor(page.next) if page.next else None,
        cursor=cursor,
        chosen=kind,
        kinds=KINDS,
        q=text,
        person_id=requester.id,
        head=await journal.head(),
    )
