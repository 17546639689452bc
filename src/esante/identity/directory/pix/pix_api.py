"""The operation Patient/$ihe-pix over HTTP (IHE PIXm, ITI-83), by GET and by POST."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import check, operation_outcome
from esante.core.fhir.rest import fhir_response, parse_token, read_resource, require_known_parameters
from esante.core.storage import Database
from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request
from esante.identity.directory.api import Authorize, Caller
from esante.identity.directory.model import Identifier, Person, PersonQuery
from esante.identity.directory.pix.system_store import fetch_used_systems
from esante.identity.directory.service import Directory

MAX_BODY = 16 * 1024
DEFINITION = "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix"
SOURCE, TARGET = "sourceIdentifier", "targetSystem"


@dataclass(frozen=True, slots=True)
class _Question:
    source: Identifier
    targets: tuple[str, ...]


def pix_routes(db: Database, directory: Directory, authorize: Authorize) -> list[Route]:
    """Return the route of the operation; `authorize` as of `api.routes`."""
    endpoint = _Endpoint(db, directory, authorize)
    return [
        Route("/fhir/Patient/$ihe-pix", endpoint.get, methods=["GET"]),
        Route("/fhir/Patient/$ihe-pix", endpoint.post, methods=["POST"]),
    ]


def pix_capability() -> Json:
    """Return the operation, for CapabilityStatement.rest.resource.operation."""
    return {"name": "ihe-pix", "definition": DEFINITION}


@dataclass(frozen=True, slots=True)
class _Endpoint:
    db: Database
    directory: Directory
    authorize: Authorize

    async def get(self, request: Request) -> Response:
        caller = await self.authorize(request, "Patient", "s")
        require_known_parameters(request, (SOURCE, TARGET))
        sources = request.query_params.getlist(SOURCE)
        return await self._answer(caller, _question(sources, request.query_params.getlist(TARGET)))

    async def post(self, request: Request) -> Response:
        caller = await self.authorize(request, "Patient", "s")
        require_known_parameters(request)
        found = check(await read_resource(request, MAX_BODY), expect="Parameters")
        if not found.ok:
            return fhir_response(operation_outcome(found.issues), 422)
        sources: list[str] = []
        targets: list[str] = []
        for one in found.resource.get("parameter", ()):
            if one["name"] == SOURCE:
                identifier = one.get("valueIdentifier", {})
                token = f"{identifier.get('system', '')}|{identifier.get('value', '')}"
                sources.append(one.get("valueString", token))
            elif one["name"] == TARGET:
                targets.append(one.get("valueUri", one.get("valueString", "")))
            else:
                raise _refused(one["name"][:40], N_("This parameter is not supported here."))
        return await self._answer(caller, _question(sources, targets))

    async def _answer(self, caller: Caller, question: _Question) -> Response:
        """Answer with the other identifiers and the resource of the person; journalled as a search.

        Raises: Problem 404 when nobody has the identifier or the caller may not see who has it, 403 when nobody has an
        identifier of a target.
        """
        source = question.source
        found = await self.directory.search_persons(
            PersonQuery(system=source.system, value=source.value),
            actor=caller.actor,
            origin=caller.origin,
            only_person_id=caller.only_person_id,
        )
        if len(found) != 1:
            raise Problem(404, "not-found", N_("Nobody is known by this identifier."), place=SOURCE)
        if unknown := await self._unknown(question.targets):
            raise Problem(
                403, "code-invalid", N_("This system of identifiers is not known here."), place=TARGET, detail=unknown
            )
        return fhir_response(await self._parameters(found[0], question))

    async def _unknown(self, targets: Sequence[str]) -> str:
        """Return the first target of which nobody has an identifier; "" when there is none."""
        listed = {system.uri for system in self.directory.catalogue.systems}
        others = [target for target in targets if target not in listed]
        known = await fetch_used_systems(self.db, others) if others else frozenset()
        return next((target for target in others if target not in known), "")

    async def _parameters(self, person: Person, question: _Question) -> Json:
        volumes = await self.directory.merges.volumes(person.id)
        entries = await self.directory.persons(volumes)
        identifiers = [one for key in volumes if key in entries for one in entries[key].identifiers]
        parameters: list[Json] = [
            {"name": "targetIdentifier", "valueIdentifier": {"system": one.system, "value": one.value}}
            for one in dict.fromkeys(identifiers)
            if one != question.source and (not question.targets or one.system in question.targets)
        ]
        parameters.append({"name": "targetId", "valueReference": {"reference": f"Patient/{person.id}"}})
        return {"resourceType": "Parameters", "parameter": parameters}


def _question(sources: Sequence[str], targets: Sequence[str]) -> _Question:
    """Return the one source and the targets of a request. Raises: Problem 400."""
    if len(sources) != 1:
        raise _refused(SOURCE, N_("Give exactly one identifier."))
    system, value = parse_token(sources[0])
    if not system or not value:
        raise _refused(SOURCE, N_("Give the identifier with its system, separated by |."))
    if not all(targets):
        raise _refused(TARGET, N_("Give the system as an address (URI)."))
    return _Question(Identifier(system, value), tuple(targets))


def _refused(name: str, title: str) -> Problem:
    return bad_request(name, title, N_("Correct the parameter and send it again."))
