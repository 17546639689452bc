"""The CapabilityStatement: interactions that it does not list are refused with an OperationOutcome, for every type.

The listed interactions of clinical types are tested in `test_capability_statement`; here are conditional changes, the other
types and the operations.
"""

from datetime import UTC, datetime

import orjson
import pytest

from esante.core.fhir import check
from esante.core.fhir.definitions import load_definitions
from esante.identity.access import requester_of
from esante.services.record import CLINICAL
from tests.support.clinical_requests import app_client, deposit
from tests.support.clinical_resources import MINIMAL_RESOURCES, NOT_OF_HOSPITALS, laboratory_report, minimal_resource
from tests.support.record import FHIR

STRICT = {"Prefer": "handling=strict"}
PATCH = b'[{"op": "add", "path": "/language", "value": "de"}]'
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UNKNOWN_ID = "0" * 64
#: AuditEvent also with 403: only patients may read theirs, and the client is the software of a hospital.
REFUSAL_STATUSES = {"AuditEvent": (403, 404, 405)}

#: The request of each interaction of R4: method, address (of a type and an id), and headers.
INTERACTIONS = {
    "create": ("POST", "{type}", FHIR),
    "read": ("GET", "{type}/{id}", {}),
    "vread": ("GET", "{type}/{id}/_history/1", {}),
    "update": ("PUT", "{type}/{id}", FHIR),
    "conditional update": ("PUT", "{type}?_tag=urn:x|1", FHIR),
    "patch": ("PATCH", "{type}/{id}", JSON_PATCH),
    "delete": ("DELETE", "{type}/{id}", {}),
    "conditional delete": ("DELETE", "{type}?_tag=urn:x|1", {}),
    "history-instance": ("GET", "{type}/{id}/_history", {}),
    "history-type": ("GET", "{type}/_history", {}),
    "search-type": ("GET", "{type}", {}),
    "search by form": ("POST", "{type}/_search", FORM),
}
#: The codes of interactions that have another name here.
INTERACTION_CODES = {"search by form": "search-type", "conditional update": "update", "conditional delete": "delete"}
CONDITIONAL = {"conditional update": "conditionalUpdate", "conditional delete": "conditionalDelete"}


@pytest.fixture(scope="module")
async def rest(hospital_client):
    """The element `rest` of the statement."""
    return (await hospital_client.get("/fhir/metadata", headers={"Authorization": ""})).json()["rest"][0]


@pytest.fixture(scope="module")
async def capabilities(rest):
    """The capabilities of each type."""
    return {one["type"]: one for one in rest["resource"]}


@pytest.fixture(scope="module")
async def person(world):
    return await world.person()


@pytest.fixture(scope="module")
async def existing_ids(hospital_client, person, world):
    """The id of an existing resource of each type that is not clinical."""
    document = await deposit(hospital_client, person, laboratory_report(person, ("1", 14.1)))
    text = {"resourceType": "DocumentReference", "status": "current", "subject": {"reference": f"Patient/{person.id}"}}
    text |= {"type": {"coding": [{"system": "http://loinc.org", "code": "51852-2"}]}}
    text |= {"content": [{"attachment": {"contentType": "text/plain", "data": "TGV0dGVy", "title": "Letter"}}]}
    letter = (await hospital_client.post("/fhir/DocumentReference", content=orjson.dumps(text))).json()["id"]
    found = (await hospital_client.get(f"/fhir/List?patient={person.id}")).json()["entry"]
    surgeon, hospital = world.people["surgeon_entry"], world.people["hospital"]
    observation = await hospital_client.get(f"/fhir/Observation?patient={person.id}")
    return {
        "Patient": str(person.id),
        "Practitioner": str(surgeon.id),
        "PractitionerRole": str(surgeon.roles[0].id),
        "Organization": str(hospital.id),
        "Group": str(hospital.id),
        "DocumentReference": letter,
        "Binary": letter,
        "Bundle": document,
        "List": found[0]["resource"]["id"],
        "Provenance": observation.json()["entry"][0]["resource"]["id"],
    }


def is_listed(capability: dict, name: str) -> bool:
    """Return whether the capabilities of a type list an interaction."""
    codes = {one["code"] for one in capability.get("interaction", ())}
    return INTERACTION_CODES.get(name, name) in codes and (
        name not in CONDITIONAL or bool(capability.get(CONDITIONAL[name]))
    )


def body_for(headers: dict, type_: str) -> bytes | None:
    """Return a body that fits the headers."""
    if headers is FHIR:
        return orjson.dumps({"resourceType": type_})
    return {id(JSON_PATCH): PATCH, id(FORM): b"_count=1"}.get(id(headers))


def assert_refused(answer, statuses, where) -> None:
    """Check that an answer is a refusal with a valid OperationOutcome."""
    assert answer.status_code in statuses, (where, answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/fhir+json", where
    assert answer.json()["resourceType"] == "OperationOutcome", where
    assert check(answer.content).ok, (where, answer.text)
    if answer.status_code == 405:
        allowed = answer.headers["allow"].replace(" ", "").split(",")
        assert allowed != [""] and answer.request.method not in allowed, (where, allowed)


async def test_unlisted_interaction_is_refused(hospital_client, capabilities, existing_ids):
    requests = 0
    for type_ in sorted(load_definitions().resource_types):
        for name, (method, address, headers) in INTERACTIONS.items():
            if is_listed(capabilities.get(type_, {}), name) or (type_, name) == ("Patient", "history-instance"):
                continue
            path = "/fhir/" + address.format(type=type_, id=existing_ids.get(type_, UNKNOWN_ID))
            answer = await hospital_client.request(method, path, headers=headers, content=body_for(headers, type_))
            assert_refused(answer, REFUSAL_STATUSES.get(type_, (404, 405)), (method, path))
            requests += 1
    assert requests > 1_000


@pytest.mark.parametrize("type_", ["Nothing", "observation", "Resource", "DomainResource", "Observation%00", "é"])
async def test_unknown_type_is_refused(hospital_client, type_):
    for method, address, headers in INTERACTIONS.values():
        path = "/fhir/" + address.format(type=type_, id=UNKNOWN_ID)
        answer = await hospital_client.request(method, path, headers=headers, content=body_for(headers, "Basic"))
        assert_refused(answer, (404, 405), (method, path))


async def test_unlisted_operation_is_refused(hospital_client, capabilities, rest, person):
    of_system = {one["name"] for one in rest["operation"]}
    for name in {"no-such", "match", "lastn", "expand", "stats", "everything", "docref"} - of_system:
        assert_refused(await hospital_client.get(f"/fhir/${name}"), (404, 405), name)
        for type_, capability in capabilities.items():
            if name in {one["name"] for one in capability.get("operation", ())}:
                continue
            for path in (f"{type_}/${name}", f"{type_}/{person.id.hex}{person.id.hex}/${name}"):
                for method in ("GET", "POST"):
                    content = orjson.dumps({"resourceType": "Parameters"}) if method == "POST" else None
                    answer = await hospital_client.request(method, f"/fhir/{path}", content=content)
                    assert_refused(answer, REFUSAL_STATUSES.get(type_, (404, 405)), (method, path))


async def test_listed_interactions_of_other_types_work(hospital_client, capabilities, existing_ids, person):
    for type_, id_ in existing_ids.items():
        codes = {one["code"] for one in capabilities[type_]["interaction"]}
        assert {"read"} <= codes <= {"create", "read", "update", "search-type"}
        read = await hospital_client.get(f"/fhir/{type_}/{id_}", headers={"Accept": "application/fhir+json"})
        assert (read.status_code, read.json()["resourceType"]) == (200, type_), read.text
        assert check(read.content).ok, (type_, check(read.content).issues)
        if "search-type" not in codes:
            continue
        pairs = {"_id": id_} | ({"patient": str(person.id)} if type_ in ("DocumentReference", "List") else {})
        pairs = {"target": f"Observation/{id_}"} if type_ == "Provenance" else pairs
        found = await hospital_client.get(f"/fhir/{type_}", params=pairs, headers=STRICT)
        assert [one["resource"]["id"] for one in found.json()["entry"]] == [id_], found.text
        assert check(found.content).ok, (type_, check(found.content).issues)
        by_form = await hospital_client.post(f"/fhir/{type_}/_search", data=pairs, headers=FORM)
        assert by_form.json().get("entry") == found.json()["entry"], (type_, by_form.text)
        unknown = await hospital_client.get(f"/fhir/{type_}?patient={person.id}&no-such=1", headers=STRICT)
        assert_refused(unknown, (400,), type_)


async def test_listed_search_parameters_of_other_services_work(world, hospital_client, capabilities, dsn, tmp_path):
    patient = await world.person()
    values = {
        "patient": f"Patient/{patient.id}",
        "patient.identifier": f"{patient.identifiers[0].system}|{patient.identifiers[0].value}",
        "date": "ge2020",
        "status": "active",
        "criteria": "https://esante.lu/fhir/SubscriptionTopic/documents",
        "url": "https://ehr.example/notifications",
        "_id": UNKNOWN_ID,
        "managing-entity": f"Organization/{world.people['hospital'].id}",
    }
    async with app_client(world, dsn, tmp_path, requester_of(patient), "patient/*.cruds") as app:
        for type_, requester in (("AuditEvent", app), ("Subscription", hospital_client), ("Group", hospital_client)):
            for parameter in capabilities[type_]["searchParam"]:
                params = {parameter["name"]: values[parameter["name"]]}
                params |= {"patient": values["patient"]} if type_ == "AuditEvent" else {}
                answer = await requester.get(f"/fhir/{type_}", params=params, headers=STRICT)
                assert answer.status_code == 200, (type_, params, answer.text)
        entry = (await app.get(f"/fhir/AuditEvent?patient={patient.id}")).json()["entry"][0]["resource"]
        assert (await app.get(f"/fhir/AuditEvent/{entry['id']}")).json() == entry


async def test_conditional_changes_work_for_every_clinical_type(hospital_client, capabilities, person):
    """Conditional create of an existing resource, update and delete by a search, and read with If-None-Match."""
    for type_ in sorted(CLINICAL):
        capability = capabilities[type_]
        names = ("conditionalCreate", "conditionalUpdate", "conditionalRead", "conditionalDelete")
        assert [capability[name] for name in names] == [True, True, "full-support", "single"]
        if type_ == "Medication":  # it has no reference to a patient, so it can only be created in a transaction
            continue
        given = minimal_resource(type_, person) | {"meta": {"tag": [{"system": "urn:x", "code": type_}]}}
        search = f"_tag=urn:x|{type_}"
        if not CLINICAL[type_].person or type_ in NOT_OF_HOSPITALS:
            continue
        headers = {"If-None-Exist": search}
        made, again = [
            await hospital_client.post(f"/fhir/{type_}", content=orjson.dumps(given), headers=headers)
            for _ in range(2)
        ]
        assert (made.status_code, again.status_code) == (201, 200), (type_, again.text)
        assert again.json() == made.json()
        known = {"If-None-Match": made.headers["etag"]}
        assert (await hospital_client.get(f"/fhir/{type_}/{made.json()['id']}", headers=known)).status_code == 304
        changed = await hospital_client.put(
            f"/fhir/{type_}?{search}", content=orjson.dumps(given | {"language": "fr"})
        )
        assert (changed.status_code, changed.json()["id"]) == (200, made.json()["id"]), changed.text
        gone = await hospital_client.delete(f"/fhir/{type_}?{search}&patient={person.id}")
        assert gone.status_code == 204, (type_, gone.text)
        assert (await hospital_client.get(f"/fhir/{type_}/{made.json()['id']}")).status_code == 410


async def test_only_valid_json_patch_is_accepted(hospital_client, person):
    made = (
        await hospital_client.post("/fhir/Observation", content=orjson.dumps(minimal_resource("Observation", person)))
    ).json()
    path = f"/fhir/Observation/{made['id']}"
    for media_type in ("application/merge-patch+json", "application/fhir+json", "application/xml-patch+xml", "text/x"):
        answer = await hospital_client.patch(path, content=b'{"language": "de"}', headers={"Content-Type": media_type})
        assert_refused(answer, (415,), media_type)
    for wrong in (b"", b"{}", b"[1]", b'[{"op": "boil"}]', b'[{"op": "remove", "path": "/nothing"}]', b"\xff"):
        assert_refused(await hospital_client.patch(path, content=wrong, headers=JSON_PATCH), (400, 422), wrong)
    assert (await hospital_client.get(path)).json() == made
    await hospital_client.delete(path)
    assert_refused(await hospital_client.patch(path, content=PATCH, headers=JSON_PATCH), (410,), "deleted")
    entry = {"request": {"method": "PATCH", "url": path.removeprefix("/fhir/")}}
    entry |= {"resource": {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "W10="}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    assert_refused(
        await hospital_client.post("/fhir", content=orjson.dumps(bundle)), (410,), "deleted, in a transaction"
    )


@pytest.mark.parametrize("kind", ["document", "collection", "searchset", "history", "message", "batch-response"])
async def test_bundles_of_other_types_are_refused(hospital_client, kind):
    bundle = {"resourceType": "Bundle", "type": kind, "timestamp": datetime.now(UTC).isoformat()}
    assert_refused(await hospital_client.post("/fhir", content=orjson.dumps(bundle)), (400, 422), kind)


async def test_validate_works_for_every_type(hospital_client, capabilities):
    for type_ in capabilities:
        answer = await hospital_client.post(f"/fhir/{type_}/$validate", content=orjson.dumps({"resourceType": type_}))
        assert answer.status_code == 200, (type_, answer.text)
        assert "validate" in {one["name"] for one in capabilities[type_]["operation"]}


def test_every_clinical_type_has_sample_body():
    assert set(MINIMAL_RESOURCES) == set(CLINICAL)
