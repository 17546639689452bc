"""Routes of clinical resources, and their part of the CapabilityStatement.

One route serves all types: it parses the path once, where a list of some hundred routes would be tried in turn.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from esante.core.fhir import operation_outcome, parse_logical_id
from esante.core.fhir.rest import (
    JSON_PATCH,
    PART_PARAMETERS,
    convert_posted_search,
    fhir_response,
    require_known_parameters,
)
from esante.core.fhir.search import parameters_of, supported_parameters
from esante.core.types import Json
from esante.identity.access import Access, StayEndpoints
from esante.identity.directory import PATIENT_PARAMETERS, Directory
from esante.services.record.clinical.directory_references import DirectoryReferences
from esante.services.record.clinical.encounter_api import EncounterEndpoints
from esante.services.record.clinical.everything import EverythingEndpoints
from esante.services.record.clinical.interactions import ClinicalEndpoints
from esante.services.record.clinical.search_api import SearchEndpoints
from esante.services.record.clinical_types import CLINICAL, KEPT, SUPPORTING
from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.documents.service import Record

Endpoint = Callable[[Request], Awaitable[Response]]
_INTERACTIONS = (
    "create",
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "search-type",
)
_DEFINITION = "http://hl7.org/fhir/OperationDefinition/"
_META = ("meta-add", "meta-delete")


class ClinicalRoutes(BaseRoute):
    """The paths below /fhir of clinical resources, their Provenance, and operations on them."""

    def __init__(self, record: Record, directory: Directory, access: Access, base_url: str) -> None:
        references = DirectoryReferences(directory)
        single = ClinicalEndpoints(record.clinical, record.clinical_writer(base_url), directory, access, base_url)
        searches = SearchEndpoints(record.clinical, directory, access, references, base_url)
        operations = EverythingEndpoints(record, searches, access, base_url)
        encounters = EncounterEndpoints(single, searches, StayEndpoints(access, directory, base_url), access)
        self._encounter_endpoints: dict[str, Mapping[str, ASGIApp]] = {
            "type": _by_method(
                GET=encounters.search, POST=encounters.create, PUT=single.update_match, DELETE=single.delete_match
            ),
            "_search": _by_method(POST=form_search(encounters.search)),
            "instance": _by_method(
                GET=encounters.read, PUT=encounters.update, PATCH=single.patch, DELETE=single.delete
            ),
        }
        self.endpoints: dict[str, Mapping[str, ASGIApp]] = {
            "type": _by_method(
                GET=searches.search, POST=single.create, PUT=single.update_match, DELETE=single.delete_match
            ),
            "_search": _by_method(POST=form_search(searches.search)),
            "type_history": _by_method(GET=single.history_of_type),
            "instance": _by_method(GET=single.read, PUT=single.update, PATCH=single.patch, DELETE=single.delete),
            "history": _by_method(GET=single.history),
            "version": _by_method(GET=single.vread),
            "meta_add": _by_method(POST=single.meta_add),
            "meta_delete": _by_method(POST=single.meta_delete),
            "supporting": _by_method(GET=single.read),
            "compartment": _by_method(GET=searches.search_compartment),
            "compartment_search": _by_method(POST=form_search(searches.search_compartment)),
            "person_history": _by_method(GET=single.history_of_person),
            "everything": _by_method(GET=operations.everything),
            "document": _by_method(GET=operations.document),
            "provenances": _by_method(GET=searches.provenances),
            "provenance_search": _by_method(POST=form_search(searches.provenances)),
            "provenance": _by_method(GET=searches.provenance),
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a path is one of these; its parts go into the path parameters."""
        path: str = scope["path"]
        if scope["type"] != "http" or not path.startswith("/fhir/"):
            return Match.NONE, {}
        shape, params = _parse_path(path.split("/")[2:])
        if not shape:
            return Match.NONE, {}
        return Match.FULL, {"path_params": params, "endpoint": self, "shape": shape}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises: `HTTPException` 405 for a method that its path does not have."""
        shape, params = scope["shape"], scope["path_params"]
        methods = self.endpoints[shape]
        if params.get("type") == "Encounter":
            methods = self._encounter_endpoints.get(shape, methods)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            raise HTTPException(405, headers={"Allow": ", ".join(methods)})
        if (known := _KNOWN_PARAMETERS.get((shape, method))) is not None:
            require_known_parameters(Request(scope), known)
        await methods[method](scope, receive, send)


_HISTORY = frozenset({"_count", "_since", "_cursor", "_summary"})
_NONE: frozenset[str] = frozenset()
_KNOWN_PARAMETERS: Mapping[tuple[str, str], frozenset[str]] = {
    ("type", "POST"): _NONE,
    ("instance", "GET"): PART_PARAMETERS,
    ("instance", "PUT"): _NONE,
    ("instance", "PATCH"): _NONE,
    ("instance", "DELETE"): _NONE,
    ("supporting", "GET"): PART_PARAMETERS,
    ("version", "GET"): PART_PARAMETERS,
    ("provenance", "GET"): PART_PARAMETERS,
    ("history", "GET"): _HISTORY | PART_PARAMETERS,
    ("type_history", "GET"): _HISTORY | PART_PARAMETERS | PATIENT_PARAMETERS,
    ("person_history", "GET"): _HISTORY,
    ("meta_add", "POST"): _NONE,
    ("meta_delete", "POST"): _NONE,
    ("document", "GET"): _NONE,
}
"""The parameters of each interaction that has no search, by shape of the path and method."""

PathShape = tuple[str, dict[str, str]]
"""The kind of a path ("": none of these) and its parameters."""
_NO_SHAPE: PathShape = ("", {})


def _parse_path(parts: list[str]) -> PathShape:
    """Return the shape of the parts of a path below /fhir/."""
    match parts:
        case ["Patient", id_, *rest]:
            return _parse_patient_path(id_, rest)
        case ["Composition", id_, "$document"]:
            return "document", {"id": id_}
        case ["Provenance", *rest]:
            return _parse_provenance_path(rest)
        case [type_, *rest] if type_ in CLINICAL:
            return _parse_clinical_path(type_, rest)
        case [type_, id_] if type_ in SUPPORTING and parse_logical_id(id_):
            return "supporting", {"type": type_, "id": id_}
        case [type_, id_, "_history", version] if type_ in KEPT and parse_logical_id(id_):
            return "version", {"type": type_, "id": id_, "version": version}
    return _NO_SHAPE


def _parse_clinical_path(type_: str, rest: list[str]) -> PathShape:
    match rest:
        case []:
            return "type", {"type": type_}
        case ["_search"]:
            return "_search", {"type": type_}
        case ["_history"]:
            return "type_history", {"type": type_}
        case [id_] if not id_.startswith("$"):
            return "instance", {"type": type_, "id": id_}
        case [id_, "_history"]:
            return "history", {"type": type_, "id": id_}
        case [id_, ("$meta-add" | "$meta-delete") as operation]:
            return operation[1:].replace("-", "_"), {"type": type_, "id": id_}
        case [id_, "_history", version] if parse_logical_id(id_):
            return "version", {"type": type_, "id": id_, "version": version}
    return _NO_SHAPE


def _parse_patient_path(id_: str, rest: list[str]) -> PathShape:
    match rest:
        case ["$everything"]:
            return "everything", {"id": id_}
        case ["_history"]:
            return "person_history", {"id": id_}
        case [type_] if type_ in CLINICAL:
            return "compartment", {"id": id_, "type": type_}
        case [type_, "_search"] if type_ in CLINICAL:
            return "compartment_search", {"id": id_, "type": type_}
    return _NO_SHAPE


def _parse_provenance_path(rest: list[str]) -> PathShape:
    match rest:
        case []:
            return "provenances", {}
        case ["_search"]:
            return "provenance_search", {}
        case [id_] if not id_.startswith("$"):
            return "provenance", {"id": id_}
    return _NO_SHAPE


def _by_method(**endpoints: Endpoint) -> Mapping[str, ASGIApp]:
    return {method: _asgi_app(endpoint) for method, endpoint in endpoints.items()}


def _asgi_app(endpoint: Endpoint) -> ASGIApp:
    """Return an endpoint as ASGI application; the refusal of a resource lists all issues that were found in it.

    Other refusals are left to the exception handlers of the application.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except InvalidContent as invalid:
            if not invalid.issues:
                raise
            response = fhir_response(operation_outcome(invalid.issues), invalid.status)
        await response(scope, receive, send)

    return app


def form_search(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint of a search whose parameters are sent as a form (POST _search)."""

    async def search(request: Request) -> Response:
        form = await convert_posted_search(request)
        form.scope["path_params"] = request.path_params
        return await endpoint(form)

    return search


def capabilities() -> list[Json]:
    """Return the clinical types and Provenance, for CapabilityStatement.rest.resource."""
    return [*map(_capability, CLINICAL), _provenance_capability()]


def _capability(type_: str) -> Json:
    known = parameters_of(type_)
    references = [code for code, parameter in known.items() if parameter.type == "reference"]
    documentation = _DOCUMENTATION.get(type_, "")
    return {
        "type": type_,
        **({"documentation": documentation} if documentation else {}),
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "referencePolicy": ["literal", "logical", "local"],
        "operation": [{"name": name, "definition": f"{_DEFINITION}Resource-{name}"} for name in _META],
        "searchInclude": ["*", *(f"{type_}:{code}" for code in references)],
        "searchRevInclude": ["Provenance:target", *_references_to(type_)],
        "searchParam": [_without_empty(one._asdict()) for one in supported_parameters(type_)],
    }


_DOCUMENTATION = {
    "Encounter": "An inpatient Encounter (class IMP) in progress that a hospital's software creates is an admission,"
    " and its update to finished the discharge; only the hospital sees it. All others are resources like those of"
    " other types.",
    "Composition": "The first resource of a deposited document; $document returns the document as it was deposited.",
}


def _without_empty(parameter: Json) -> Json:
    return {name: value for name, value in parameter.items() if value}


def _references_to(type_: str) -> list[str]:
    """Return the reference parameters of clinical types that may refer to a type, as "Type:parameter"."""
    return [
        f"{other}:{code}"
        for other in CLINICAL
        for code, parameter in parameters_of(other).items()
        if parameter.type == "reference" and type_ in parameter.target
    ]


def _provenance_capability() -> Json:
    return {
        "type": "Provenance",
        "documentation": "Computed for each clinical resource from its documents and authors; it has the id of that"
        " resource.",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": "_id", "type": "token"}, {"name": "target", "type": "reference"}],
    }


OF_PATIENTS = (
    "GET Patient/[id]/_history returns the versions of all clinical resources of the patient, and Patient/[id]/[type]"
    " searches in the patient's compartment."
)
"""The documentation of Patient in CapabilityStatement.rest.resource."""
PATCH_FORMAT = JSON_PATCH
"""The supported patch format (CapabilityStatement.patchFormat)."""
OPERATIONS: Mapping[str, Mapping[str, str]] = {
    "Patient": {"everything": f"{_DEFINITION}Patient-everything"},
    "Composition": {"document": f"{_DEFINITION}Composition-document"},
    "DocumentReference": {"docref": "http://hl7.org/fhir/uv/ipa/OperationDefinition/docref"},
}
"""The operations of each type: the canonical URL of the definition, by name."""
