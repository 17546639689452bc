"""A document that is hidden or restricted takes its resources along, by every way that leads to them; when that is
lifted they are all there again."""

import orjson
import pytest

from esante.core.fhir import check
from esante.identity.access import Confidentiality, requester_of

from .conftest import FHIR, transaction
from .test_opening import deposit, hide, laboratory_report, resources


async def ways(client, person) -> list[str]:
    """Every address by which the resources of a person's only report can be met."""
    patient = f"patient=Patient/{person.id}"
    [observation] = await resources(client, f"Observation?{patient}")
    [specimen] = await resources(client, f"Specimen?{patient}")
    [composition] = await resources(client, f"Composition?{patient}")
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


async def seen(client, addresses: list[str]) -> dict[str, tuple[int, object]]:
    """What is answered at each address, right FHIR everywhere: its status and what is there, without the patient."""
    answers = {}
    for address in addresses:
        answer = await client.get(f"/fhir/{address}")
        assert check(answer.content).ok, (address, check(answer.content).issues)
        answers[address] = answer.status_code, _inside(answer.json())
    return answers


def _inside(resource: dict) -> object:
    if resource["resourceType"] != "Bundle" or resource["type"] == "document":
        return resource
    entries = [entry for entry in resource.get("entry", ()) if entry["resource"]["resourceType"] != "Patient"]
    return resource.get("total", len(entries)), sorted(map(_stable, entries), key=orjson.dumps)


def _stable(entry: dict) -> dict:
    """Without the moment of a DocumentReference's last change: setting a level is one."""
    if entry["resource"]["resourceType"] == "DocumentReference":
        entry["resource"]["meta"].pop("lastUpdated", None)
    return entry


@pytest.fixture
async def person(world):
    """A person with the doctor in her circle, who is in the hospital where the surgeon works."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    await world.access.stays.admit(world.people["hospital"], person.id)
    return person


@pytest.mark.parametrize(
    ("level", "loses", "keeps"),
    [
        (Confidentiality.HIDDEN, ("doctor", "surgeon"), ("patient", "laboratory")),
        (Confidentiality.RESTRICTED, ("surgeon",), ("patient", "laboratory", "doctor")),
    ],
)
async def test_a_level_takes_everything_along_and_brings_it_back(world, person, level, loses, keeps):
    people = {**world.people, "patient": requester_of(person)}
    async with world.client(people["laboratory"]) as laboratory:
        document = await deposit(laboratory, person, laboratory_report(person, ("1", 14.1)))
    async with world.client(people["patient"]) as me:
        addresses = await ways(me, person)

    async def of(name: str) -> dict[str, tuple[int, object]]:
        async with world.client(people[name]) as client:
            return await seen(client, addresses)

    before = {name: await of(name) for name in (*loses, *keeps)}
    for name, answers in before.items():
        assert {status for status, _ in answers.values()} == {200}, name
        assert not [address for address, (_, inside) in answers.items() if inside == (0, [])], name
    await hide(world, person, document, level)
    for name in loses:
        for address, (status, inside) in (await of(name)).items():
            assert status == 404 or (status, inside) == (200, (0, [])), (name, address)
    for name in keeps:
        assert [status for status, _ in (await of(name)).values()] == [200] * len(addresses)
    await hide(world, person, document, Confidentiality.NORMAL)
    for name in (*loses, *keeps):
        assert await of(name) == before[name], name


async def test_a_document_that_replaces_another_takes_its_place_everywhere(world, person):
    async with world.client(world.people["laboratory"]) as laboratory, world.client(world.people["doctor"]) as doctor:
        first = await deposit(laboratory, person, laboratory_report(person, ("1", 14.1)))
        old = await ways(doctor, person)
        relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{first}"}}]
        content = orjson.dumps(laboratory_report(person, ("2", 9.0)))
        body = transaction(person, ({"relatesTo": relation}, content, "application/fhir+json"))
        assert (await laboratory.post("/fhir", content=body, headers=FHIR)).status_code == 200
        assert "14.1" not in str(await seen(doctor, old))
        for address in await ways(doctor, person):
            answer = await doctor.get(f"/fhir/{address}")
            assert (answer.status_code, "14.1" in answer.text) == (200, False), address
        _, provenance = await resources(doctor, f"Observation?patient={person.id}&_revinclude=Provenance:target")
        assert provenance["resourceType"] == "Provenance"
        assert first not in str(provenance)
