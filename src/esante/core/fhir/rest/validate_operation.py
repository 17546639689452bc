"""The operation `$validate`: the problems of a resource as an OperationOutcome; nothing is stored.

Source: FHIR R4 4.0.1, Resource operation validate.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import json_codec
from esante.core.fhir.definitions import load_definitions
from esante.core.fhir.model import Issue
from esante.core.fhir.outcome import operation_outcome
from esante.core.fhir.profiles import UnknownProfile, profile_headers, resolve_profile
from esante.core.fhir.rest.requests import read_resource
from esante.core.fhir.rest.responses import fhir_response
from esante.core.fhir.source_locations import extract_value
from esante.core.fhir.validation import check
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem

MAX_BODY = 3 * 1024 * 1024
"""Bytes of a request."""
MAX_CONCURRENT = 2
"""Resources that one process checks at the same time."""

_STRUCTURE_DEFINITIONS = "http://hl7.org/fhir/StructureDefinition/"
_MODES = ("create", "update", "profile")
_TEXT_VALUES = ("valueCode", "valueUri", "valueCanonical", "valueString")


def validate_routes(authenticate: Callable[[Request], Awaitable[object]]) -> list[Route]:
    """Return the routes of the operation; `authenticate` raises a Problem for an unauthenticated request."""
    free = asyncio.Semaphore(MAX_CONCURRENT)

    async def validate(request: Request) -> Response:
        await authenticate(request)
        type_ = request.path_params.get("type")
        if type_ is not None and type_ not in load_definitions().resource_types:
            raise Problem(404, "not-found", NOT_FOUND)
        body = await read_resource(request, MAX_BODY)
        query = request.query_params
        async with free:
            issues = await asyncio.to_thread(_validate, body, type_, query.getlist("mode"), query.getlist("profile"))
        return fhir_response(operation_outcome(issues))

    return [
        Route("/fhir/$validate", validate, methods=["POST"]),
        Route("/fhir/{type}/$validate", validate, methods=["POST"]),
    ]


def validate_capability() -> Json:
    """Return the entry of the operation in CapabilityStatement.rest.operation."""
    return {
        "name": "validate",
        "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        "documentation": "Takes the resource, or Parameters with resource, mode and profile. The content is checked"
        " against FHIR R4 itself with its own extensions and vital signs, and the profiles that are named"
        " (supportedProfile of each type lists them), also"
        f" with mode {' or '.join(_MODES[:2])}: not whether the change would be allowed.",
    }


def _validate(body: bytes, type_: str | None, modes: list[str], profiles: list[str]) -> tuple[Issue, ...]:
    validation = _parse_request(body)
    for mode in [*modes, *validation.modes]:
        if mode not in _MODES:
            raise _not_supported(N_("This checking mode is not available."), "mode", mode, ", ".join(_MODES))
    named = [*profiles, *validation.profiles]
    for profile in named:
        type_ = _resolve_type(profile, type_)
    return check(validation.resource, expect=type_, invariants=True, profile=named).issues


class _ValidationRequest(NamedTuple):
    """The bytes to check, with lines and columns as in the request; modes and profiles."""

    resource: bytes
    modes: list[str]
    profiles: list[str]


def _parse_request(body: bytes) -> _ValidationRequest:
    """Return the content of Parameters that have a resource; any other body is the resource itself."""
    given = _parameters_of(body)
    are_resources = [each.get("name") == "resource" and isinstance(each.get("resource"), dict) for each in given]
    if not any(are_resources):
        return _ValidationRequest(body, [], [])
    try:
        resource = extract_value(body, ("parameter", are_resources.index(True), "resource"))
    except RecursionError:
        return _ValidationRequest(body, [], [])
    return _ValidationRequest(resource, _values(given, "mode"), _values(given, "profile"))


def _parameters_of(body: bytes) -> list[Json]:
    """Return the parameters in a body of type Parameters, which has not been checked yet."""
    try:
        given = json_codec.decode(body) if b"Parameters" in body else None
    except json_codec.NotJson:
        return []
    listed = given.get("parameter") if isinstance(given, dict) and given.get("resourceType") == "Parameters" else None
    return [each if isinstance(each, dict) else {} for each in listed] if isinstance(listed, list) else []


def _values(given: list[Json], parameter: str) -> list[str]:
    return [
        str(each[name]) for each in given if each.get("name") == parameter for name in _TEXT_VALUES if name in each
    ]


def _resolve_type(profile: str, type_: str | None) -> str:
    """Return the resource type of a profile, which must be `type_` where that is given.

    Raises: Problem 400 for an unknown profile, or one of another type.
    """
    allowed = f"{_STRUCTURE_DEFINITIONS}{type_ or 'Patient'}, or a supportedProfile of the type in /fhir/metadata"
    try:
        _, name = resolve_profile(profile)
    except UnknownProfile:
        name = ""
    if not name or type_ not in (None, name):
        raise _not_supported(N_("This profile is not available."), "profile", profile, allowed)
    return name


def supported_profiles(type_: str) -> list[str]:
    """Return CapabilityStatement.rest.resource.supportedProfile of a type: the profiles that `$validate` knows."""
    return [header.url for header in profile_headers() if header.type == type_]


def _not_supported(title: str, place: str, found: str, allowed: str) -> Problem:
    remedy = N_("Use a known value, or leave it out.")
    detail = f"Found: {found[:200]!r}. Allowed: {allowed}."
    return Problem(400, "not-supported", title, place=place, detail=detail, remedy=remedy)
