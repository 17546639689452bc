"""The HTTP API of access control: SMART discovery, OAuth, the access log as AuditEvent, hospital stays, acts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.journal import Journal
from esante.core.types import Json
from esante.core.web import (
    origin_of,
    read_body,
)
from esante.identity.access.audit.audit_event_api import audit_event_capability, audit_event_routes
from esante.identity.access.representation.acts_api import act_routes
from esante.identity.access.service import Access
from esante.identity.access.smart import discovery
from esante.identity.access.smart.protocol import OAuthError
from esante.identity.access.stays.encounter_api import encounter_capability, encounter_routes
from esante.identity.directory import Directory

_MAX_FORM = 64 * 1024
"""The longest form of an OAuth request, in bytes."""
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
    return [
        *discovery.routes(access.id_tokens, capabilities() if resources is None else resources),
        Route("/oauth/token", _oauth(_token, access), methods=["POST"]),
        Route("/oauth/introspect", _oauth(_introspect, access), methods=["POST"]),
        Route("/oauth/revoke", _oauth(_revoke, access), methods=["POST"]),
        *audit_event_routes(access, journal, base_url),
        *encounter_routes(access, directory, f"{base_url}/fhir"),
        *act_routes(access),
    ]


def capabilities() -> list[Json]:
    """Return the entries of this API in CapabilityStatement.rest.resource."""
    return [
        audit_event_capability(),
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
