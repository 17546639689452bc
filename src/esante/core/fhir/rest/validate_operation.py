"""`$validate`: what is wrong with a resource, as an OperationOutcome; nothing is kept.

Source: FHIR R4 4.0.1, Resource operation validate.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import json_codec
from esante.core.fhir.definitions import load
from esante.core.fhir.model import Issue
from esante.core.fhir.profiles import UnknownProfile, heads, of_type
from esante.core.fhir.rest.http import fhir_response, read_resource
from esante.core.fhir.rest.outcome import outcome
from esante.core.fhir.source_locations import cut_out
from esante.core.fhir.validation.validator import check
from esante.core.web import N_, NOT_FOUND, Problem

MAX_BODY = 3 * 1024 * 1024
AT_ONCE = 2
"""How many resources one process checks at the same time."""

_PROFILES = "http://hl7.org/fhir/StructureDefinition/"
_MODES = ("create", "update", "profile")
_TEXTS = ("valueCode", "valueUri", "valueCanonical", "valueString")


def validate_routes(caller: Callable[[Request], Awaitable[object]]) -> list[Route]:
    """The routes of the operation; `caller` says who asks, and raises a Problem for nobody."""
    free = asyncio.Semaphore(AT_ONCE)

    async def validate(request: Request) -> Response:
        await caller(request)
        type_ = request.path_params.get("type")
        if type_ is not None and type_ not in load().resource_types:
            raise Problem(404, "not-found", NOT_FOUND)
        body = await read_resource(request, MAX_BODY)
        query = request.query_params
        async with free:
            issues = await asyncio.to_thread(_validate, body, type_, query.getlist("mode"), query.getlist("profile"))
        return fhir_response(outcome(issues))

    return [
        Route("/fhir/$validate", validate, methods=["POST"]),
        Route("/fhir/{type}/$validate", validate, methods=["POST"]),
    ]


def validate_capability() -> dict[str, Any]:
    """What the operation adds to CapabilityStatement.rest.operation."""
    return {
        "name": "validate",
        "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        "documentation": "Takes the resource, or Parameters with resource, mode and profile. The content is checked"
        " against FHIR R4 itself, and the profiles that are named (supportedProfile of each type lists them), also"
        f" with mode {' or '.join(_MODES[:2])}: not whether the change would be allowed.",
    }


def _validate(body: bytes, type_: str | None, modes: list[str], profiles: list[str]) -> tuple[Issue, ...]:
    asked = _asked(body)
    for mode in [*modes, *asked.modes]:
        if mode not in _MODES:
            raise _refused(N_("This mode of checking does not exist here."), "mode", mode, ", ".join(_MODES))
    wanted = [*profiles, *asked.profiles]
    for profile in wanted:
        type_ = _type_of(profile, type_)
    return check(asked.resource, expect=type_, invariants=True, profile=wanted).issues


class _Asked(NamedTuple):
    """The bytes to check, with their places as in the request; and how."""

    resource: bytes
    modes: list[str]
    profiles: list[str]


def _asked(body: bytes) -> _Asked:
    """What is asked by Parameters that hold a resource; any other body is the resource itself."""
    given = _parameters(body)
    held = [each.get("name") == "resource" and isinstance(each.get("resource"), dict) for each in given]
    if not any(held):
        return _Asked(body, [], [])
    try:
        resource = cut_out(body, ("parameter", held.index(True), "resource"))
    except RecursionError:
        return _Asked(body, [], [])
    return _Asked(resource, _texts(given, "mode"), _texts(given, "profile"))


def _parameters(body: bytes) -> list[dict[str, Any]]:
    """The parameters in a body of that type; nothing has been checked yet."""
    try:
        given = json_codec.decode(body) if b"Parameters" in body else None
    except json_codec.NotJson:
        return []
    listed = given.get("parameter") if isinstance(given, dict) and given.get("resourceType") == "Parameters" else None
    return [each if isinstance(each, dict) else {} for each in listed] if isinstance(listed, list) else []


def _texts(given: list[dict[str, Any]], wanted: str) -> list[str]:
    return [str(each[name]) for each in given if each.get("name") == wanted for name in _TEXTS if name in each]


def _type_of(profile: str, type_: str | None) -> str:
    """The resource type that a profile is of, which is `type_` where that is told."""
    allowed = f"{_PROFILES}{type_ or 'Patient'}, or a supportedProfile of the type in /fhir/metadata"
    try:
        _, name = of_type(profile)
    except UnknownProfile:
        name = ""
    if not name or type_ not in (None, name):
        raise _refused(N_("This profile is not known here."), "profile", profile, allowed)
    return name


def supported_profiles(type_: str) -> list[str]:
    """What CapabilityStatement.rest.resource.supportedProfile says of a type: what `$validate` can check against."""
    return [head.url for head in heads() if head.type == type_]


def _refused(title: str, place: str, found: str, allowed: str) -> Problem:
    remedy = N_("Send one that is known, or none.")
    detail = f"Found: {found[:200]!r}. Allowed: {allowed}."
    return Problem(400, "not-supported", title, place=place, detail=detail, remedy=remedy)
