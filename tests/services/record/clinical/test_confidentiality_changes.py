"""Resources of a document that is hidden, restricted or replaced, and restored, at every address."""

import orjson
import pytest

from esante.core.fhir import check
from esante.identity.access import Confidentiality, requester_of
from tests.support.clinical_requests import (
    deposit,
    search,
    set_confidentiality,
)
from tests.support.clinical_resources import (
    laboratory_report,
)
from tests.support.record import FHIR, transaction


async def _addresses_of_report(client, person) -> list[str]:
    """Return every address at which the resources of a person's only report are returned."""
    patient = f"patient=Patient/{person.id}"
    [observation] = await search(client, f"Observation?{patient}")
    [specimen] = await search(client, f"Specimen?{patient}")
    [composition] = await search(client, f"Composition?{patient}")
    own = [f"{one['resourceType']}/{one['id']}" for one in (observation, specimen, composition)]
    return [
        *own,
        *(f"{one}/_history" for one in own),
        *(f"{one['resourceType']}/{one['id']}/_history/{one['meta']['versionId']}" for one in (observation, specimen)),
        f"Observation?{patient}",
        f"Observation?{patient}&_summary=count",
        f"Observation?{patient}&_id={observation['id']}",
        f"Observation?{patient}&_include=Observation:specimen&_include=Observation:performer",
        f"Specimen?{patient}&_revinclude=Observation:specimen&_revinclude=Provenance:target",
        f"Specimen?{patient}&_has:Observation:specimen:code=718-7",
        f"Observation?{patient}&specimen.type:text=blood",
        f"Observation/_history?{patient}",
        f"Patient/{person.id}/_history",
        f"Patient/{person.id}/Observation",
        f"Patient/{person.id}/$everything",
        f"Provenance/{observation['id']}",
        f"Provenance?target={own[0]}",
        f"Composition/{composition['id']}/$document",
        f"DocumentReference?{patient}",
    ]


async def _fetch_all(client, addresses: list[str]) -> dict[str, tuple[int, object]]:
    """Return the status and content at each address, without the patient; every answer must be valid FHIR."""
    answers = {}
    for address in addresses:
        answer = await client.get(f"/fhir/{address}")
        assert check(answer.content).ok, (address, check(answer.content).issues)
        answers[address] = answer.status_code, _content_of(answer.json())
    return answers


def _content_of(resource: dict) -> object:
    if resource["resourceType"] != "Bundle" or resource["type"] == "document":
        return resource
    entries = [entry for entry in resource.get("entry", ()) if entry["resource"]["resourceType"] != "Patient"]
    return resource.get("total", len(entries)), sorted(map(_without_last_updated, entries), key=orjson.dumps)


def _without_last_updated(entry: dict) -> dict:
    """Remove the last change of a DocumentReference, since setting a level changes it."""
    if entry["resource"]["resourceType"] == "DocumentReference":
        entry["resource"]["meta"].pop("lastUpdated", None)
    return entry


@pytest.fixture
async def person(world):
    """A person with the doctor in their circle, admitted to the hospital where the surgeon works."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    await world.access.stays.admit(world.people["hospital"], person.id)
    return person


@pytest.mark.parametrize(
    ("level", "hidden_from", "visible_to"),
    [
        (Confidentiality.HIDDEN, ("doctor", "surgeon"), ("patient", "laboratory")),
        (Confidentiality.RESTRICTED, ("surgeon",), ("patient", "laboratory", "doctor")),
    ],
)
async def test_level_of_document_hides_and_restores_its_resources(world, person, level, hidden_from, visible_to):
    people = {**world.people, "patient": requester_of(person)}
    async with world.client(people["laboratory"]) as laboratory:
        document = await deposit(laboratory, person, laboratory_report(person, ("1", 14.1)))
    async with world.client(people["patient"]) as patient_client:
        addresses = await _addresses_of_report(patient_client, person)

    async def of(name: str) -> dict[str, tuple[int, object]]:
        async with world.client(people[name]) as client:
            return await _fetch_all(client, addresses)

    before = {name: await of(name) for name in (*hidden_from, *visible_to)}
    for name, answers in before.items():
        assert {status for status, _ in answers.values()} == {200}, name
        assert not [address for address, (_, inside) in answers.items() if inside == (0, [])], name
    await set_confidentiality(world, person, document, level)
    for name in hidden_from:
        for address, (status, inside) in (await of(name)).items():
            assert status == 404 or (status, inside) == (200, (0, [])), (name, address)
    for name in visible_to:
        assert [status for status, _ in (await of(name)).values()] == [200] * len(addresses)
    await set_confidentiality(world, person, document, Confidentiality.NORMAL)
    for name in (*hidden_from, *visible_to):
        assert await of(name) == before[name], name


async def test_replaced_document_is_gone_at_every_address(world, person):
    async with world.client(world.people["laboratory"]) as laboratory, world.client(world.people["doctor"]) as doctor:
        first = await deposit(laboratory, person, laboratory_report(person, ("1", 14.1)))
        old = await _addresses_of_report(doctor, person)
        relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{first}"}}]
        content = orjson.dumps(laboratory_report(person, ("2", 9.0)))
        body = transaction(person, ({"relatesTo": relation}, content, "application/fhir+json"))
        assert (await laboratory.post("/fhir", content=body, headers=FHIR)).status_code == 200
        assert "14.1" not in str(await _fetch_all(doctor, old))
        for address in await _addresses_of_report(doctor, person):
            answer = await doctor.get(f"/fhir/{address}")
            assert (answer.status_code, "14.1" in answer.text) == (200, False), address
        _, provenance = await search(doctor, f"Observation?patient={person.id}&_revinclude=Provenance:target")
        assert provenance["resourceType"] == "Provenance"
        assert first not in str(provenance)
