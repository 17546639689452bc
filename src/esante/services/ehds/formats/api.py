"""The operations on a patient that build documents, and the one that takes a document in.

- `GET Patient/[id]/$summary`: the patient summary (operation of the International Patient Summary).
- `GET Patient/[id]/$document?kind=`: a document of any kind, about `focus` or else the latest of its kind.
- `POST Patient/[id]/$take-in`: takes a document in that keeps the rules of its kind.
"""

from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.fhir import encode, operation_outcome
from esante.core.fhir.rest import fhir_response, require_fhir_json, require_known_parameters
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import FHIR_JSON, LANGUAGES, N_, NOT_FOUND, Problem, bad_request, language_of, read_body
from esante.identity.access import Access, Requester
from esante.services.ehds.formats.intake import BrokenProfile, Intake, issue_of
from esante.services.ehds.formats.kinds import SUMMARY, DocumentKind, document_kinds, find_kind
from esante.services.ehds.formats.service import STORED_TYPES, Formats, Order
from esante.services.ehds.formats.validation import DocumentCheck
from esante.services.record import Deposited, InvalidContent

SUMMARY_OPERATION = "http://hl7.org/fhir/uv/ips/OperationDefinition/summary"
IPS_BUNDLE = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
_SUMMARY_PARAMETERS = frozenset({"profile", "language", "_format", "_pretty"})
_TAKE_IN_PARAMETERS = frozenset({"confirmation", "_format", "_pretty"})
MAX_DOCUMENT = 20 * 1024 * 1024
"""Bytes of a document that is taken in."""
_DOCUMENT_PARAMETERS = frozenset({"kind", "focus", "language", "_format", "_pretty"})


def routes(formats: Formats, intake: Intake, access: Access, base_url: str) -> list[BaseRoute]:
    """Return the routes of the operations; `base_url` is the address of the FHIR API."""

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

    async def take_in(request: Request) -> Response:
        """Deposit the document in the body, or tell all that is wrong with it (422)."""
        requester = await access.authorize(request, "DocumentReference", "c")
        require_known_parameters(request, _TAKE_IN_PARAMETERS)
        require_fhir_json(request)
        person_id, confirmation = _person_id(request), request.query_params.get("confirmation")
        try:
            content = await read_body(request, MAX_DOCUMENT)
            deposited, check = await intake.take_in(requester, person_id, content, confirmation)
        except BrokenProfile as broken:
            return fhir_response(operation_outcome(map(issue_of, broken.check.findings)), 422)
        except InvalidContent as invalid:
            if not invalid.issues:
                raise
            return fhir_response(operation_outcome(invalid.issues), invalid.status)
        return _accepted(deposited, check)

    def _accepted(deposited: Deposited, check: DocumentCheck) -> Response:
        """Return 201, or 200 where the record held the same bytes already, with the warnings."""
        response = fhir_response(operation_outcome(map(issue_of, check.findings)), 201 if deposited.created else 200)
        response.headers["Location"] = f"{base_url}/DocumentReference/{deposited.document.key}"
        return response

    return [
        Route("/fhir/Patient/{id}/$summary", summary, methods=["GET"]),
        Route("/fhir/Patient/{id}/$document", document, methods=["GET"]),
        Route("/fhir/Patient/{id}/$take-in", take_in, methods=["POST"]),
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
                    {
                        "name": "take-in",
                        "definition": f"{base_url}/fhir/OperationDefinition/Patient-take-in",
                        "documentation": "POST with a document Bundle: it is deposited if it keeps R4, IPS and the"
                        " guide of HL7 Europe for its kind; otherwise 422 with every rule that it breaks."
                        " confirmation: the document is about this patient although it differs, and why.",
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
