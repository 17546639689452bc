"""Documents opened into resources that are searched: what is seen follows the document, at once and everywhere."""

import asyncio

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.services.record.indexing.source_store import DOCUMENT_OPENING

from .conftest import FHIR, fhir_document, transaction

LOINC = "http://loinc.org"
HAEMOGLOBIN = {"coding": [{"system": LOINC, "code": "718-7"}]}


def laboratory_report(person, *results: tuple[str, float], **fields) -> dict:
    """A report with an Observation for each result (an identifier and a value), its Specimen and Practitioner."""
    bundle = fhir_document(person, type_="11502-2", text=f"Results {results}")
    patient, author = bundle["entry"][1]["fullUrl"], bundle["entry"][2]["fullUrl"]
    specimen = {"fullUrl": uuid7().urn, "resource": {"resourceType": "Specimen", "type": {"text": "blood"}}}
    for identifier, value in results:
        resource = {
            "resourceType": "Observation",
            "status": "final",
            "code": HAEMOGLOBIN,
            "subject": {"reference": patient},
            "performer": [{"reference": author}],
            "specimen": {"reference": specimen["fullUrl"]},
            "effectiveDateTime": "2024-03-11",
            "valueQuantity": {"value": value, "unit": "g/dL"},
            "identifier": [{"system": "urn:lab", "value": identifier}],
        } | fields
        bundle["entry"].append({"fullUrl": uuid7().urn, "resource": resource})
    bundle["entry"].append(specimen)
    return bundle


async def deposit(client, person, bundle: dict) -> str:
    """Hands in a document; gives its id."""
    body = transaction(person, ({}, orjson.dumps(bundle), "application/fhir+json"))
    answer = await client.post("/fhir", content=body, headers=FHIR)
    assert answer.status_code == 200, answer.text
    return answer.json()["entry"][1]["resource"]["id"]


async def found(client, path: str) -> dict:
    """The answer to a search, which must be right FHIR."""
    answer = await client.get(f"/fhir/{path}")
    assert answer.status_code == 200, answer.text
    checked = check(answer.content)
    assert checked.ok, checked.issues
    return answer.json()


async def resources(client, path: str) -> list[dict]:
    return [entry["resource"] for entry in (await found(client, path)).get("entry", ())]


@pytest.fixture
async def person(world):
    """A person whom the doctor sees."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person


async def hide(world, person, document: str, level=Confidentiality.HIDDEN) -> None:
    from uuid import UUID

    await world.record.set_confidentiality(requester_of(person), person.id, UUID(hex=document[32:]), level)


async def test_a_report_is_searched_and_what_it_refers_to_included(world, person):
    async with world.client(world.people["laboratory"]) as laboratory:
        await deposit(laboratory, person, laboratory_report(person, ("1", 14.1), ("2", 9.5)))
    async with world.client(world.people["doctor"]) as doctor:
        patient = f"patient=Patient/{person.id}"
        low = await resources(doctor, f"Observation?{patient}&code=718-7&value-quantity=lt10")
        assert [one["valueQuantity"]["value"] for one in low] == [9.5]
        assert low[0]["subject"] == {"reference": f"Patient/{person.id}"}
        included = "_include=Observation:specimen&_include=Observation:performer"
        bundle = await found(doctor, f"Observation?{patient}&{included}")
        modes = [(entry["resource"]["resourceType"], entry["search"]["mode"]) for entry in bundle["entry"]]
        assert sorted(modes) == [
            ("Observation", "match"),
            ("Observation", "match"),
            ("Practitioner", "include"),
            ("Specimen", "include"),
        ]
        assert bundle["total"] == 2
        for entry in bundle["entry"]:
            type_, id_ = entry["resource"]["resourceType"], entry["resource"]["id"]
            assert (await doctor.get(f"/fhir/{type_}/{id_}")).json() == entry["resource"]
        [specimen] = await resources(doctor, f"Specimen?{patient}&_has:Observation:specimen:value-quantity=lt10")
        assert specimen["type"] == {"text": "blood"}
        compositions = await resources(doctor, f"Patient/{person.id}/Composition")
        document = await doctor.get(f"/fhir/Composition/{compositions[0]['id']}/$document")
        assert document.json()["type"] == "document"


@pytest.mark.parametrize("kind", ["eps", "hdr", "lab"])
async def test_a_european_document_is_opened_and_vanishes_when_it_is_hidden(world, person, shared_data, kind):
    file = sorted((shared_data / "eu-documents" / kind).glob("*.json"))[0]
    bundle = orjson.loads(file.read_bytes())
    held = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    async with world.client(world.people["hospital"]) as hospital:
        document = await deposit(hospital, person, bundle)
    async with world.client(world.people["doctor"]) as doctor:
        counts = await _counts(doctor, person)
        assert {type_ for type_, count in counts.items() if count} == held & counts.keys()
        everything = await found(doctor, f"Patient/{person.id}/$everything?_count=200")
        assert len(everything["entry"]) >= sum(counts.values())
        await hide(world, person, document)
        assert not any((await _counts(doctor, person)).values())
    async with world.client(requester_of(person)) as me:
        assert await _counts(me, person) == counts


async def _counts(client, person) -> dict[str, int]:
    types = (
        "Observation",
        "Condition",
        "MedicationStatement",
        "Procedure",
        "Immunization",
        "DiagnosticReport",
        "Goal",
    )
    return {type_: (await found(client, f"{type_}?patient={person.id}&_summary=count"))["total"] for type_ in types}


async def test_a_fact_of_two_documents_is_shown_once_with_both_sources(world, person):
    async with world.client(world.people["laboratory"]) as laboratory:
        first = await deposit(laboratory, person, laboratory_report(person, ("1", 14.1)))
    async with world.client(world.people["hospital"]) as hospital:
        second = await deposit(hospital, person, laboratory_report(person, ("1", 14.2)))
    path = f"Observation?patient={person.id}&_revinclude=Provenance:target"
    async with world.client(world.people["doctor"]) as doctor:
        observation, provenance = await resources(doctor, path)
        assert observation["valueQuantity"]["value"] == 14.2
        assert provenance["id"] == observation["id"]
        assert _documents(provenance) == [second, first]
        assert [agent["who"]["display"] for agent in provenance["agent"]] == ["Hôpital du Nord", "Labo Kirchberg"]
        alone = await doctor.get(f"/fhir/Provenance/{observation['id']}")
        assert (alone.json(), check(alone.content).ok) == (provenance, True)
        assert await resources(doctor, f"Provenance?target=Observation/{observation['id']}") == [provenance]
        versions = (await found(doctor, f"Observation/{observation['id']}/_history"))["entry"]
        assert [one["resource"]["valueQuantity"]["value"] for one in versions] == [14.2, 14.1]
        etag = versions[0]["response"]["etag"]
        await hide(world, person, second)
        observation, provenance = await resources(doctor, path)
        assert observation["valueQuantity"]["value"] == 14.1
        assert _documents(provenance) == [first]
        url = f"/fhir/Observation/{observation['id']}"
        assert (await doctor.get(url)).headers["etag"] != etag
        assert (await doctor.get(f"{url}/_history/{etag[3:-1]}")).status_code == 404
        await hide(world, person, first)
        assert (await doctor.get(url)).status_code == 404
        assert await resources(doctor, path) == []
        assert (await doctor.get(f"/fhir/Provenance/{observation['id']}")).status_code == 404
        assert (await doctor.get(f"{url}/_history")).status_code == 404


def _documents(provenance: dict) -> list[str]:
    return [entity["what"]["reference"].removeprefix("DocumentReference/") for entity in provenance.get("entity", ())]


async def test_a_replaced_or_withdrawn_document_takes_its_facts_along(world, person):
    hospital = world.people["hospital"]
    async with world.client(hospital) as client:
        first = await deposit(client, person, laboratory_report(person, ("1", 14.1)))
        relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{first}"}}]
        content = orjson.dumps(laboratory_report(person, ("2", 9.0)))
        body = transaction(person, ({"relatesTo": relation}, content, "application/fhir+json"))
        async with world.client(world.people["doctor"]) as doctor:
            assert len(await resources(doctor, f"Observation?patient={person.id}")) == 1
            second = (await client.post("/fhir", content=body, headers=FHIR)).json()["entry"][1]["resource"]["id"]
            [left] = await resources(doctor, f"Observation?patient={person.id}")
            assert left["valueQuantity"]["value"] == 9.0
            gone = (await client.get(f"/fhir/DocumentReference/{second}")).json()
            gone |= {"status": "entered-in-error", "description": "mixed up"}
            withdrawn = await client.put(f"/fhir/DocumentReference/{second}", content=orjson.dumps(gone), headers=FHIR)
            assert withdrawn.status_code == 200
            assert await resources(doctor, f"Observation?patient={person.id}") == []
    async with world.client(requester_of(person)) as me:
        assert await resources(me, f"Observation?patient={person.id}") == []


async def test_many_open_a_document_at_once_and_it_is_opened_once(world, person):
    async with world.client(world.people["hospital"]) as hospital:
        document = await deposit(hospital, person, laboratory_report(person, *((str(n), n) for n in range(1, 30))))
    async with world.client(world.people["doctor"]) as doctor:
        path = f"/fhir/Observation?patient={person.id}&_count=0"
        answers = await asyncio.gather(*(doctor.get(path) for _ in range(8)))
    assert {answer.json()["total"] for answer in answers} == {29}
    rows = await world.db.fetch(f"SELECT * FROM {DOCUMENT_OPENING.name} WHERE person_id = $1", person.id)
    assert [(row["document_id"].hex, row["problem"]) for row in rows] == [(document[32:], "")]


async def test_a_document_that_cannot_be_opened_stands_in_nobodys_way(world, person, monkeypatch):
    from esante.services.record.indexing import ingest

    async with world.client(world.people["hospital"]) as hospital:
        broken = await deposit(hospital, person, laboratory_report(person, ("1", 1.0)))
        whole = ingest.extract_facts

        def facts(bundle, *rest):
            if bundle["entry"][-2]["resource"]["valueQuantity"]["value"] == 1:
                raise RecursionError
            return whole(bundle, *rest)

        monkeypatch.setattr(ingest, "extract_facts", facts)
        await deposit(hospital, person, laboratory_report(person, ("2", 2.0)))
    async with world.client(world.people["doctor"]) as doctor:
        [observation] = await resources(doctor, f"Observation?patient={person.id}")
    assert observation["valueQuantity"]["value"] == 2.0
    rows = await world.db.fetch(f"SELECT * FROM {DOCUMENT_OPENING.name} WHERE person_id = $1 AND problem <> ''", person.id)
    assert [(row["document_id"].hex, row["problem"]) for row in rows] == [(broken[32:], "RecursionError")]


async def test_what_stands_in_a_document_changes_with_it_only(world, person):
    async with world.client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, laboratory_report(person, ("1", 14.1)))
        [observation] = await resources(hospital, f"Observation?patient={person.id}")
        url = f"/fhir/Observation/{observation['id']}"
        assert (await hospital.put(url, content=orjson.dumps(observation), headers=FHIR)).status_code == 405
        assert (await hospital.delete(url)).status_code == 405
    async with world.client(world.people["other"]) as other:
        assert (await other.delete(url)).status_code == 404


async def test_who_has_no_access_finds_nothing_and_the_patient_is_told(world, person):
    async with world.client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, laboratory_report(person, ("1", 14.1)))
        [observation] = await resources(hospital, f"Observation?patient={person.id}")
    async with world.client(world.people["other"]) as other:
        assert await resources(other, f"Observation?patient={person.id}") == []
        assert (await other.get(f"/fhir/Observation/{observation['id']}")).status_code == 404
        stranger = await found(other, f"Observation?patient={uuid7()}")
        known = await found(other, f"Observation?patient={person.id}")
        assert {name: stranger.get(name) for name in ("total", "entry")} == {
            name: known.get(name) for name in ("total", "entry")
        }
    from esante.services.record.clinical.events import ClinicalRefused, ClinicalSearched

    told = await world.events(person, ClinicalSearched, ClinicalRefused)
    refused = [
        (type(event).__name__, event.allowed) for entry, event in told if entry.actor.id == world.people["other"].id
    ]
    assert refused == [("ClinicalSearched", False), ("ClinicalRefused", False), ("ClinicalSearched", False)]
    looked = [event for entry, event in told if entry.actor.id == world.people["hospital"].id]
    assert [(event.categories, event.type, event.count) for event in looked] == [
        (("laboratory_report",), "Observation", 1)
    ]
