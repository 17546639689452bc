"""Which endpoint answers which request on clinical resources, and what the CapabilityStatement says of them.

One route for all types: it looks at the parts of an address once, where a list of some hundred routes would be tried
one after the other.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from esante.core.fhir import operation_outcome, parse_logical_id
from esante.core.fhir.rest import JSON_PATCH, convert_posted_search, fhir_response
from esante.core.fhir.search import parameters, supported
from esante.identity.access import Access, StayFace
from esante.identity.directory import Directory
from esante.services.record.clinical.directory_references import Outside
from esante.services.record.clinical.encounter_api import EncounterFace
from esante.services.record.clinical.everything import EverythingFace
from esante.services.record.clinical.interactions import ClinicalFace
from esante.services.record.clinical.search_api import SearchFace
from esante.services.record.clinical_types import CLINICAL, KEPT, SUPPORTING
from esante.services.record.documents.service import Record
from esante.services.record.documents.validation_messages import InvalidContent

Endpoint = Callable[[Request], Awaitable[Response]]
Resource = dict[str, Any]
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
    """The addresses below /fhir of clinical resources and of what is made of them."""

    def __init__(self, record: Record, directory: Directory, access: Access, base_url: str) -> None:
        outside = Outside(directory)
        one = ClinicalFace(record.clinical, record.changing(base_url), directory, access, base_url)
        many = SearchFace(record.clinical, directory, access, outside, base_url)
        whole = EverythingFace(record, many, access, base_url)
        stays = StayFace(access, directory, base_url)
        encounters = EncounterFace(one, many, stays, access)
        self._encounters: dict[str, Mapping[str, ASGIApp]] = {
            "type": _by_method(
                GET=encounters.search, POST=encounters.create, PUT=one.update_match, DELETE=one.delete_match
            ),
            "_search": _by_method(POST=posted(encounters.search)),
            "instance": _by_method(GET=encounters.read, PUT=encounters.update, PATCH=one.patch, DELETE=one.delete),
        }
        self._shapes: dict[str, Mapping[str, ASGIApp]] = {
            "type": _by_method(GET=many.search, POST=one.create, PUT=one.update_match, DELETE=one.delete_match),
            "_search": _by_method(POST=posted(many.search)),
            "type_history": _by_method(GET=one.history_of_type),
            "instance": _by_method(GET=one.read, PUT=one.update, PATCH=one.patch, DELETE=one.delete),
            "history": _by_method(GET=one.history),
            "version": _by_method(GET=one.vread),
            "meta_add": _by_method(POST=one.meta_add),
            "meta_delete": _by_method(POST=one.meta_delete),
            "supporting": _by_method(GET=one.read),
            "compartment": _by_method(GET=many.search_compartment),
            "compartment_search": _by_method(POST=posted(many.search_compartment)),
            "person_history": _by_method(GET=one.history_of_person),
            "everything": _by_method(GET=whole.everything),
            "document": _by_method(GET=whole.document),
            "provenances": _by_method(GET=many.provenances),
            "provenance_search": _by_method(POST=posted(many.provenances)),
            "provenance": _by_method(GET=many.provenance),
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether an address is one of these; its parts are in the path parameters."""
        path: str = scope["path"]
        if scope["type"] != "http" or not path.startswith("/fhir/"):
            return Match.NONE, {}
        shape, params = _shape(path.split("/")[2:])
        if not shape:
            return Match.NONE, {}
        return Match.FULL, {"path_params": params, "endpoint": self, "shape": shape}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        shape, params = scope["shape"], scope["path_params"]
        methods = self._shapes[shape]
        if params.get("type") == "Encounter":
            methods = self._encounters.get(shape, methods)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            raise HTTPException(405, headers={"Allow": ", ".join(methods)})
        await methods[method](scope, receive, send)


def _shape(parts: list[str]) -> tuple[str, dict[str, str]]:
    """What kind of address the parts below /fhir/ are, and what is in them; no kind: none of these."""
    match parts:
        case [type_] if type_ in CLINICAL:
            return "type", {"type": type_}
        case [type_, ("_search" | "_history") as what] if type_ in CLINICAL:
            return ("_search" if what == "_search" else "type_history"), {"type": type_}
        case [type_, id_] if type_ in CLINICAL and not id_.startswith("$"):
            return "instance", {"type": type_, "id": id_}
        case [type_, id_] if type_ in SUPPORTING and parse_logical_id(id_):
            return "supporting", {"type": type_, "id": id_}
        case [type_, id_, "_history"] if type_ in CLINICAL:
            return "history", {"type": type_, "id": id_}
        case [type_, id_, ("$meta-add" | "$meta-delete") as what] if type_ in CLINICAL:
            return what[1:].replace("-", "_"), {"type": type_, "id": id_}
        case [type_, id_, "_history", version] if type_ in KEPT and parse_logical_id(id_):
            return "version", {"type": type_, "id": id_, "version": version}
        case ["Patient", id_, "$everything"]:
            return "everything", {"id": id_}
        case ["Patient", id_, "_history"]:
            return "person_history", {"id": id_}
        case ["Patient", id_, type_] if type_ in CLINICAL:
            return "compartment", {"id": id_, "type": type_}
        case ["Patient", id_, type_, "_search"] if type_ in CLINICAL:
            return "compartment_search", {"id": id_, "type": type_}
        case ["Composition", id_, "$document"]:
            return "document", {"id": id_}
        case ["Provenance"]:
            return "provenances", {}
        case ["Provenance", "_search"]:
            return "provenance_search", {}
        case ["Provenance", id_] if not id_.startswith("$"):
            return "provenance", {"id": id_}
    return "", {}


def _by_method(**endpoints: Endpoint) -> Mapping[str, ASGIApp]:
    return {method: _answering(endpoint) for method, endpoint in endpoints.items()}


def _answering(endpoint: Endpoint) -> ASGIApp:
    """What answers by an endpoint; the refusal of a resource lists every problem that was found in it.

    Other refusals are answered by the application, which needs not be told of them twice (`request_response`).
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except InvalidContent as invalid:
            if not invalid.issues:
                raise
            response = fhir_response(operation_outcome(invalid.issues), invalid.status)
        await response(scope, receive, send)

    return answer


def posted(endpoint: Endpoint) -> Endpoint:
    """A search sent as a form."""

    async def answer(request: Request) -> Response:
        form = await convert_posted_search(request)
        form.scope["path_params"] = request.path_params
        return await endpoint(form)

    return answer


def capabilities() -> list[Resource]:
    """The resources of this face, for CapabilityStatement.rest.resource."""
    found = [_capability(type_) for type_ in CLINICAL]
    return [*found, _provenance_capability()]


def _capability(type_: str) -> Resource:
    known = parameters(type_)
    references = [code for code, parameter in known.items() if parameter.type == "reference"]
    told = _DOCUMENTATION.get(type_, "")
    return {
        "type": type_,
        **({"documentation": told} if told else {}),
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
        "searchRevInclude": ["Provenance:target", *_pointing_at(type_)],
        "searchParam": [_without_empty(one._asdict()) for one in supported(type_)],
    }


_DOCUMENTATION = {
    "Encounter": "An inpatient Encounter (class IMP) in progress that a hospital's software creates is an admission,"
    " and its update to finished the discharge; the hospital alone sees it. All others are resources like those of"
    " other types.",
    "Composition": "What a deposited document begins with; $document gives the document as it came in.",
}


def _without_empty(told: Resource) -> Resource:
    return {name: value for name, value in told.items() if value}


def _pointing_at(type_: str) -> list[str]:
    """The reference parameters of clinical types that may point at a type."""
    return [
        f"{other}:{code}"
        for other in CLINICAL
        for code, parameter in parameters(other).items()
        if parameter.type == "reference" and type_ in parameter.target
    ]


def _provenance_capability() -> Resource:
    return {
        "type": "Provenance",
        "documentation": "Computed of each clinical resource from the documents and authors that tell of it; it has"
        " the id of that resource.",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": "_id", "type": "token"}, {"name": "target", "type": "reference"}],
    }


OF_PATIENTS = (
    "GET Patient/[id]/_history tells the versions of all clinical resources of the patient, and Patient/[id]/[type]"
    " searches in her compartment."
)
"""What this face does at the addresses of patients (CapabilityStatement.rest.resource.documentation)."""
PATCH_FORMAT = JSON_PATCH
"""The kind of patch that is understood (CapabilityStatement.patchFormat)."""
OPERATIONS: Mapping[str, Mapping[str, str]] = {
    "Patient": {"everything": f"{_DEFINITION}Patient-everything"},
    "Composition": {"document": f"{_DEFINITION}Composition-document"},
    "DocumentReference": {"docref": "http://hl7.org/fhir/uv/ipa/OperationDefinition/docref"},
}
"""The operations on single types, by name, with the addresses of their definitions."""
