"""What is declared; creation, reading, versions, changes and deletion of one resource; several in a Bundle."""

from typing import Any
from uuid import uuid4

import orjson

from esante.services.conformance.kits.checks import (
    Checks,
    entries,
    expect,
    expect_outcome,
    expect_resource,
    expect_status,
)
from esante.services.conformance.kits.fhir.observations import (
    LATER_DAY,
    create,
    forget_at_end,
    mark_of,
    new_observation,
    patient_id,
    search_path,
)
from esante.services.conformance.kits.fhir_requests import (
    capability_statement,
    codes_of,
    declared_resources,
    expect_r4_json,
    fhir_get,
    fhir_headers,
    fhir_send,
    found_ids,
    id_of,
    path_of,
)
from esante.services.conformance.kits.model import NotApplicable
from esante.services.conformance.kits.session import Session

CHECKS = Checks()
_INTERACTIONS = {"create", "read", "vread", "update", "delete", "history-instance", "search-type"}
_PARAMETERS = {"patient", "code", "date", "identifier"}


@CHECKS.of("FHIR-01")
async def _capabilities(session: Session) -> None:
    expect_r4_json(await capability_statement(session))


async def _declared(session: Session) -> dict[str, Any]:
    """Return what the target declares of Observation."""
    return declared_resources(await capability_statement(session)).get("Observation", {})


@CHECKS.of("FHIR-02")
async def _interactions(session: Session) -> None:
    declared = await _declared(session)
    missing = _INTERACTIONS - codes_of(declared, "interaction")
    missing |= _PARAMETERS - codes_of(declared, "searchParam", "name")
    expect(not missing, f"Observation does not declare {sorted(missing)}.", "Declare them in rest.resource.")


@CHECKS.of("FHIR-03")
async def _create(session: Session) -> None:
    resource = await new_observation(session)
    reply = await create(session, resource)
    expect_status(reply, 201, remedy="Answer a creation with 201.")
    location = reply.headers.get("location", "")
    remedy = "Send the address of the new resource and its version in Location."
    expect("Observation/" in location and "/_history/" in location, f"Location is {location!r}.", remedy)
    version = session.root_address(location) if location.startswith("/") else location
    session.values |= {"address": path_of(session, location), "version": version, "resource": resource}


@CHECKS.of("FHIR-04")
async def _version_headers(session: Session) -> None:
    reply = await fhir_get(session, session.value("address"))
    expect_status(reply, 200, remedy="Serve a resource at the address of its Location.")
    version = expect_resource(reply, "Observation").get("meta", {}).get("versionId", "")
    tag = reply.headers.get("etag", "")
    expect(version and tag == f'W/"{version}"', f"ETag is {tag!r}.", "Send the version as a weak ETag.")
    expect("last-modified" in reply.headers, "Last-Modified is missing.", "Send it with each resource.")
    session.values["etag"] = tag


@CHECKS.of("FHIR-05")
async def _read(session: Session) -> None:
    reply = await fhir_get(session, session.value("address"))
    found, written = expect_resource(reply, "Observation"), session.value("resource")
    differing = [name for name in written if found.get(name) != written[name]]
    expect(not differing, f"{', '.join(differing)} differs from what was written.", "Keep a resource as it came.")


@CHECKS.of("FHIR-06")
async def _vread(session: Session) -> None:
    reply = await fhir_get(session, session.value("version"))
    expect_status(reply, 200, remedy="Serve each version at its address.")
    status = expect_resource(reply, "Observation").get("status")
    expect(status == "final", f"The status of the first version is {status!r}.", "Serve the version as it was.")


@CHECKS.of("FHIR-07")
async def _not_modified(session: Session) -> None:
    reply = await fhir_get(session, session.value("address"), **{"If-None-Match": session.value("etag")})
    expect_status(reply, 304, remedy="Compare If-None-Match with the version.")
    expect(not reply.body, "The answer has a body.", "Send none with 304.")


@CHECKS.of("FHIR-08")
async def _update(session: Session) -> None:
    address = session.value("address")
    changed = session.value("resource") | {"id": id_of(address), "status": "amended"}
    reply = await fhir_send(session, "PUT", address, changed, **{"If-Match": session.value("etag")})
    expect_status(reply, 200, remedy="Answer the change of a resource with 200.")
    found = expect_resource(await fhir_get(session, address), "Observation")
    expect(found["status"] == "amended", f"The status is {found['status']}.", "Read what was written last.")
    tag = f'W/"{found["meta"]["versionId"]}"'
    expect(tag != session.value("etag"), "The version is still the same.", "Give each change a new version.")


@CHECKS.of("FHIR-09")
async def _stale_version(session: Session) -> None:
    address = session.value("address")
    changed = session.value("resource") | {"id": id_of(address), "status": "cancelled"}
    reply = await fhir_send(session, "PUT", address, changed, **{"If-Match": session.value("etag")})
    expect_status(reply, 412, remedy="Refuse a change whose If-Match names an earlier version.")
    expect_outcome(reply)
    found = expect_resource(await fhir_get(session, address), "Observation")
    expect(found["status"] == "amended", "The refused change was made.", "Change nothing with 412.")


@CHECKS.of("FHIR-10")
async def _history(session: Session) -> None:
    reply = await fhir_get(session, f"{session.value('address')}/_history")
    expect_status(reply, 200, remedy="Serve the history of a resource.")
    bundle = expect_resource(reply, "Bundle")
    expect(bundle.get("type") == "history", f"The Bundle is a {bundle.get('type')}.", "Answer with a history.")
    found = [one.get("resource", {}).get("status") for one in bundle.get("entry", ())]
    expect(found == ["amended", "final"], f"The history is {found}.", "List all versions, the newest first.")


@CHECKS.of("FHIR-11")
async def _other_id(session: Session) -> None:
    changed = session.value("resource") | {"id": uuid4().hex}
    reply = await fhir_send(session, "PUT", session.value("address"), changed)
    expect_status(reply, 400, 422, remedy="Refuse a resource whose id is not that of the address.")
    expect_outcome(reply)


@CHECKS.of("FHIR-12")
async def _conditional_create(session: Session) -> None:
    if not (await _declared(session)).get("conditionalCreate"):
        raise NotApplicable("The target does not declare conditionalCreate.")
    criteria = f"patient={await patient_id(session)}&identifier={mark_of(session)}"
    resource = await new_observation(session)
    reply = await fhir_send(session, "POST", "Observation", resource, **{"If-None-Exist": criteria})
    expect_status(reply, 200, remedy="Create nothing where If-None-Exist finds one.")


@CHECKS.of("FHIR-13")
async def _patch(session: Session) -> None:
    if "patch" not in codes_of(await _declared(session), "interaction"):
        raise NotApplicable("The target does not declare patch.")
    change = orjson.dumps([{"op": "replace", "path": "/status", "value": "corrected"}])
    headers = fhir_headers(session) | {"Content-Type": "application/json-patch+json"}
    address = session.value("address")
    reply = await session.send("PATCH", address, content=change, headers=headers)
    expect_status(reply, 200, remedy="Apply a JSON Patch that is declared.")
    found = expect_resource(await fhir_get(session, address), "Observation")
    expect(found["status"] == "corrected", f"The status is {found['status']}.", "Apply each operation of the patch.")


def _bundle(type_: str, *entries_: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries_)}


def _post(resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": uuid4().urn, "resource": resource, "request": {"method": "POST", "url": "Observation"}}


@CHECKS.of("FHIR-14")
async def _batch(session: Session) -> None:
    read = {"request": {"method": "GET", "url": f"Observation/{uuid4().hex}"}}
    bundle = _bundle("batch", _post(await new_observation(session, LATER_DAY)), read)
    reply = await fhir_send(session, "POST", "", bundle)
    expect_status(reply, 200, remedy="Answer a batch with 200.")
    answer = expect_resource(reply, "Bundle")
    expect(answer.get("type") == "batch-response", f"It is a {answer.get('type')}.", "Send a batch-response.")
    responses = [one.get("response", {}) for one in answer.get("entry", ())]
    for response in responses:
        forget_at_end(session, response.get("location", ""))
    found = [str(one.get("status", ""))[:3] for one in responses]
    expect(found == ["201", "404"], f"The entries have the status {found}.", "Answer each entry for itself, in order.")


@CHECKS.of("FHIR-15")
async def _transaction(session: Session) -> None:
    good, bad = await new_observation(session), await new_observation(session)
    before = await found_ids(session, await search_path(session))
    reply = await fhir_send(
        session, "POST", "", _bundle("transaction", _post(good), _post(bad | {"status": "nonsense"}))
    )
    expect(400 <= reply.status < 500, f"The status is {reply.status}.", "Refuse the whole transaction by 4xx.")
    expect_outcome(reply)
    after = await found_ids(session, await search_path(session))
    expect(sorted(before) == sorted(after), "An entry of the refused transaction was kept.", "Store all or nothing.")


@CHECKS.of("FHIR-30")
async def _delete(session: Session) -> None:
    address = session.value("address")
    reply = await session.send("DELETE", address, headers=fhir_headers(session))
    expect_status(reply, 200, 202, 204, remedy="Delete a resource that may be deleted.")
    gone = await fhir_get(session, address)
    expect_status(gone, 404, 410, remedy="Answer 410 where a resource was deleted.")
    left = entries((await fhir_get(session, await search_path(session))).json(), "Observation")
    kept = id_of(address) in [one["id"] for one in left]
    expect(not kept, "The deleted resource is still found.", "Leave it out of searches.")
