"""The HTTP API of access control: SMART discovery, OAuth, a patient's own access log as AuditEvent, hospital stays."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.fhir import parse_logical_id
from esante.core.fhir.rest import DateRange, SearchParams, fhir_response, searchset
from esante.core.journal import Entry, Journal
from esante.core.storage import uuid7_floor
from esante.core.types import Json
from esante.core.web import (
    N_,
    NOT_FOUND,
    Problem,
    bad_request,
    decode_uuid_cursor,
    encode_cursor,
    origin_of,
    read_body,
)
from esante.identity.access.audit.access_log import log_types
from esante.identity.access.audit.audit_event import audit_event
from esante.identity.access.audit.log_scan import scan_entries
from esante.identity.access.consent.encounter_api import encounter_capability, encounter_routes
from esante.identity.access.events import LogRead
from esante.identity.access.model import Requester
from esante.identity.access.service import Access
from esante.identity.access.smart import discovery
from esante.identity.access.smart.protocol import OAuthError
from esante.identity.directory import Directory

_MAX_FORM = 64 * 1024
"""The longest form of an OAuth request, in bytes."""
_PRECISION = timedelta(milliseconds=1)
"""The precision of the moments of AuditEvents."""
Endpoint = Callable[[Request], Awaitable[Response]]
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def api_routes(
    access: Access,
    journal: Journal,
    directory: Directory,
    base_url: str,
    resources: Sequence[Mapping[str, Any]] | None = None,
) -> list[Route]:
    """Return the routes of this API; `base_url` is the platform's address as clients know it.

    `resources`: all of CapabilityStatement.rest.resource, whose scopes discovery lists (None: those of this API).
    """

    async def search(request: Request) -> Response:
        return await _search(request, await access.authorize(request, "AuditEvent", "s"), journal, base_url)

    async def read(request: Request) -> Response:
        return await _read(request, await access.authorize(request, "AuditEvent", "r"), journal, base_url)

    return [
        *discovery.routes(access.id_tokens, capabilities() if resources is None else resources),
        Route("/oauth/token", _oauth(_token, access), methods=["POST"]),
        Route("/oauth/introspect", _oauth(_introspect, access), methods=["POST"]),
        Route("/oauth/revoke", _oauth(_revoke, access), methods=["POST"]),
        Route("/fhir/AuditEvent", search),
        Route("/fhir/AuditEvent/{id}", read),
        *encounter_routes(access, directory, f"{base_url}/fhir"),
    ]


def capabilities() -> list[Json]:
    """Return the entries of this API in CapabilityStatement.rest.resource."""
    return [
        {
            "type": "AuditEvent",
            "documentation": "A patient's own access log, in the shape of IHE BALP.",
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [
                {"name": "patient", "type": "reference", "documentation": "The patient whose log it is."},
                {"name": "date", "type": "date", "documentation": "When it was recorded."},
            ],
        },
        encounter_capability(),
    ]


async def _token(request: Request, access: Access) -> Response:
    issued = await access.tokens.issue(await _oauth_form(request), origin_of(request))
    return JSONResponse(
        {
            "access_token": issued.access_token,
            "token_type": "bearer",
            "expires_in": int(issued.lifetime.total_seconds()),
            "scope": " ".join(sorted(issued.scopes)),
            **issued.extra,
        },
        headers=_NO_STORE,
    )


async def _introspect(request: Request, access: Access) -> Response:
    authorization = request.headers.get("authorization", "")
    answer = await access.tokens.introspect(authorization, await _oauth_form(request), origin_of(request))
    return JSONResponse(answer, headers=_NO_STORE)


async def _revoke(request: Request, access: Access) -> Response:
    await access.tokens.revoke(await _oauth_form(request), origin_of(request))
    return Response(headers=_NO_STORE)


def _oauth(act: Callable[[Request, Access], Awaitable[Response]], access: Access) -> Endpoint:
    """Return an endpoint of OAuth, which answers refusals as RFC 6749, section 5.2, requires."""

    async def endpoint(request: Request) -> Response:
        try:
            return await act(request, access)
        except OAuthError as error:
            body = {"error": error.error, "error_description": error.description}
            challenge = {"WWW-Authenticate": f'Bearer error="{error.error}"'} if error.status == 401 else {}
            return JSONResponse(body, error.status, headers=_NO_STORE | challenge)

    return endpoint


async def _oauth_form(request: Request) -> dict[str, str]:
    """Return the form of an OAuth request. Raises: OAuthError when the body is not a form with distinct names."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    body = await read_body(request, _MAX_FORM)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise OAuthError("invalid_request", "the body cannot be read as a form") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "a parameter is given twice")
    return form


async def _search(request: Request, requester: Requester, journal: Journal, base_url: str) -> Response:
    _require_patient(requester)
    fhir_url = f"{base_url}/fhir"
    params = SearchParams(request, {"patient", "date"})
    patient, count = params.get("patient"), params.count
    if patient is None:
        raise bad_request(
            "patient", N_("The parameter patient is missing."), N_("Enter the patient's id."), code="required"
        )
    entries: list[Entry] = []
    following = None
    if patient.removeprefix("Patient/") == str(requester.id) and count:
        if params.cursor is None:
            await journal.append_for(requester, LogRead(face="api"), person_id=requester.id)
        entries, following = await _fetch_entries(journal, requester.id, params.dates("date"), params.cursor, count)
    return fhir_response(
        searchset(
            [audit_event(entry, base_url) for entry in entries],
            self_url=params.self_url(fhir_url),
            base_url=fhir_url,
            next_url=params.next_url(fhir_url, following),
            outcome=params.outcome,
        )
    )


async def _fetch_entries(
    journal: Journal, person_id: UUID, dates: list[DateRange], cursor: str | None, count: int
) -> tuple[list[Entry], str | None]:
    """Return a page of a person's entries that were recorded in all of `dates`, and the cursor of the next page."""
    before = decode_uuid_cursor(cursor)
    latest = [found.high for found in dates if found.prefix in ("eq", "lt", "le", "eb")]
    if latest and before is None:
        before = uuid7_floor(min(latest))
    earliest = [found.low for found in dates if found.prefix in ("eq", "gt", "ge", "sa")]

    def wanted(entry: Entry) -> bool:
        in_time = all(found.matches(entry.at, entry.at + _PRECISION) for found in dates)
        return in_time and entry.event is not None

    since: datetime | None = max(earliest) if earliest else None
    page = await scan_entries(journal, person_id, log_types(), wanted, before=before, since=since, limit=count)
    return page.items, encode_cursor(page.next) if page.next else None


async def _read(request: Request, requester: Requester, journal: Journal, base_url: str) -> Response:
    _require_patient(requester)
    entry = None
    if id_ := _parse_entry_id(request.path_params["id"], requester.id):
        entry = await journal.entry_of(requester.id, id_)
    if entry is None or entry.event is None or type(entry.event) not in log_types():
        raise Problem(404, "not-found", NOT_FOUND)
    return fhir_response(audit_event(entry, base_url))


def _require_patient(requester: Requester) -> None:
    """Raise Problem 403 for a requester who is not a patient."""
    if requester.kind != "patient":
        raise Problem(
            403,
            "forbidden",
            N_("Only the patient can see their access history."),
            remedy=N_("Sign in as the patient."),
        )


def _parse_entry_id(text: str, person_id: UUID) -> UUID | None:
    """Return the entry in the id of an AuditEvent of this person; None for any other id."""
    keys = parse_logical_id(text)
    return keys[1] if keys and keys[0] == person_id else None
