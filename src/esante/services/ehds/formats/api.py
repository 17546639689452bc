"""The operations on a patient that build documents, and the one that takes a document in.

- `GET Patient/[id]/$summary`: the patient summary (operation of the International Patient Summary).
- `GET Patient/[id]/$document?kind=`: a document of any kind, about `focus` or else the latest of its kind.
"""

from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.fhir import encode
from esante.core.fhir.rest import require_known_parameters
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import FHIR_JSON, LANGUAGES, N_, NOT_FOUND, Problem, bad_request, language_of
from esante.identity.access import Access, Requester
from esante.services.ehds.formats.kinds import SUMMARY, DocumentKind, document_kinds, find_kind
from esante.services.ehds.formats.service import STORED_TYPES, Formats, Order

SUMMARY_OPERATION = "http://hl7.org/fhir/uv/ips/OperationDefinition/summary"
IPS_BUNDLE = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
_SUMMARY_PARAMETERS = frozenset({"profile", "language", "_format", "_pretty"})
_DOCUMENT_PARAMETERS = frozenset({"kind", "focus", "language", "_format", "_pretty"})


def routes(formats: Formats, access: Access) -> list[BaseRoute]:
    """Return the routes of the operations."""

    async def summary(request: Request) -> Response:
        """Return the patient summary."""
        require_known_parameters(request, _SUMMARY_PARAMETERS)
        kind = find_kind(SUMMARY, today())
        if kind is None:
            raise Problem(404, "not-found", NOT_FOUND)
        _require_profile(request.query_params.get("profile"), kind)
        return await respond(request, kind, "")

    async def document(request: Request) -> Response:
        """Return a document of the kind that is asked for."""
        require_known_parameters(request, _DOCUMENT_PARAMETERS)
        return await respond(request, _kind_of(request), request.query_params.get("focus", ""))

    async def respond(request: Request, kind: DocumentKind, focus: str) -> Response:
        requester = await access.authorize(request, "Patient", "r")
        await access.require_scope(requester, "Composition", "r")
        order = Order(kind=kind, language=_language(request), focus=focus, readable=_readable(access, requester))
        built = await formats.build_document(requester, _person_id(request), order)
        content = await run_in_threadpool(encode, built.bundle)
        return Response(content, media_type=FHIR_JSON, headers={"Cache-Control": "no-store"})

    return [
        Route("/fhir/Patient/{id}/$summary", summary, methods=["GET"]),
        Route("/fhir/Patient/{id}/$document", document, methods=["GET"]),
    ]


def capabilities(base_url: str) -> Json:
    """Return the operations, for the CapabilityStatement."""
    names = ", ".join(kind.name for kind in document_kinds(today()))
    definition = f"{base_url}/fhir/OperationDefinition/Patient-document"
    return {
        "resource": [
            {
                "type": "Patient",
                "operation": [
                    {"name": "summary", "definition": SUMMARY_OPERATION},
                    {
                        "name": "document",
                        "definition": definition,
                        "documentation": f"GET with kind, one of {names}; focus (Type/id) says what it is about, by"
                        " default the latest. The document is built out of what the requester may see.",
                    },
                ],
            }
        ]
    }


def _person_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise Problem(404, "not-found", NOT_FOUND) from None


def _kind_of(request: Request) -> DocumentKind:
    """Return the kind that `kind` names. Raises: Problem 400."""
    kind = find_kind(request.query_params.get("kind", ""), today())
    if kind is None:
        known = ", ".join(one.name for one in document_kinds(today()))
        problem = bad_request("kind", N_("This kind of document is not available."), N_("Use a known value."))
        problem.detail = f"Allowed: {known}."
        raise problem
    return kind


def _require_profile(profile: str | None, kind: DocumentKind) -> None:
    """Raise Problem 400 for the profile of another document than the summary."""
    if profile is not None and profile.partition("|")[0] not in (IPS_BUNDLE, kind.profiles[0]):
        raise bad_request(
            "profile", N_("This profile is not available."), N_("Use a known value, or leave it out."),
            code="not-supported",
        )  # fmt: skip


def _language(request: Request) -> str:
    """Return the language of the texts: that asked for, else that of the request."""
    asked = request.query_params.get("language", "")[:2].lower()
    return asked if asked in LANGUAGES else language_of(request)


def _readable(access: Access, requester: Requester) -> frozenset[str]:
    """Return the types of which a requester's token lets them read every resource."""
    if requester.scopes is None:
        return STORED_TYPES
    return frozenset(one for one in STORED_TYPES if access.covered_queries(requester, one, "r") == [()])
