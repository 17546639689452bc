"""Indexing of documents: their resources are searchable, with the access of the document."""

import asyncio
from uuid import UUID

import orjson
import pytest

from esante.core.journal import advance
from esante.core.storage import INLINE_LIMIT, Objects, uuid7
from esante.identity.access import requester_of
from esante.services.record.clinical.events import ClinicalRefused, ClinicalSearched
from esante.services.record.indexing import ingest
from esante.services.record.indexing.source_store import DOCUMENT_OPENING
from tests.support.clinical_requests import (
    deposit,
    search,
    search_bundle,
    set_confidentiality,
)
from tests.support.clinical_resources import (
    laboratory_report,
)
from tests.support.record import FHIR, reference, transaction


@pytest.fixture
async def person(world):
    """A person with the doctor in their circle."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person


def text_letter(person) -> bytes:
    """Return a letter of plain text, with nothing to index."""
    return orjson.dumps(reference(person, uuid7().hex.encode(), "text/plain", type_="51852-2"))


async def test_report_is_searchable_with_includes(world, person):
    async with world.client(world.people["laboratory"]) as laboratory:
        await deposit(laboratory, person, laboratory_report(person, ("1", 14.1), ("2", 9.5)))
    async with world.client(world.people["doctor"]) as doctor:
        patient = f"patient=Patient/{person.id}"
        low = await search(doctor, f"Observation?{patient}&code=718-7&value-quantity=lt10")
        assert [one["valueQuantity"]["value"] for one in low] == [9.5]
        assert low[0]["subject"] == {"reference": f"Patient/{person.id}"}
        included = "_include=Observation:specimen&_include=Observation:performer"
        bundle = await search_bundle(doctor, f"Observation?{patient}&{included}")
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
        [specimen] = await search(doctor, f"Specimen?{patient}&_has:Observation:specimen:value-quantity=lt10")
        assert specimen["type"] == {"text": "blood"}
        compositions = await search(doctor, f"Patient/{person.id}/Composition")
        document = await doctor.get(f"/fhir/Composition/{compositions[0]['id']}/$document")
        assert document.json()["type"] == "document"


@pytest.mark.parametrize("kind", ["eps", "hdr", "lab"])
async def test_european_document_is_indexed_and_hidden_with_its_resources(world, shared_data, kind):
    file = sorted((shared_data / "eu-documents" / kind).glob("*.json"))[0]
    bundle = orjson.loads(file.read_bytes())
    person = await world.person_in(bundle)
    await world.into_circle(person, world.people["doctor_entry"])
    types_of_document = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    async with world.client(world.people["hospital"]) as hospital:
        document = await deposit(hospital, person, bundle)
    async with world.client(world.people["doctor"]) as doctor:
        counts = await _counts(doctor, person)
        assert {type_ for type_, count in counts.items() if count} == types_of_document & counts.keys()
        everything = await search_bundle(doctor, f"Patient/{person.id}/$everything?_count=200")
        assert len(everything["entry"]) >= sum(counts.values())
        await set_confidentiality(world, person, document)
        assert not any((await _counts(doctor, person)).values())
    async with world.client(requester_of(person)) as patient_client:
        assert await _counts(patient_client, person) == counts


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
    return {
        type_: (await search_bundle(client, f"{type_}?patient={person.id}&_summary=count"))["total"] for type_ in types
    }


async def test_facts_of_replaced_or_withdrawn_document_are_gone(world, person):
    hospital = world.people["hospital"]
    async with world.client(hospital) as client:
        first = await deposit(client, person, laboratory_report(person, ("1", 14.1)))
        relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{first}"}}]
        content = orjson.dumps(laboratory_report(person, ("2", 9.0)))
        body = transaction(person, ({"relatesTo": relation}, content, "application/fhir+json"))
        async with world.client(world.people["doctor"]) as doctor:
            assert len(await search(doctor, f"Observation?patient={person.id}")) == 1
            second = (await client.post("/fhir", content=body, headers=FHIR)).json()["entry"][1]["resource"]["id"]
            [left] = await search(doctor, f"Observation?patient={person.id}")
            assert left["valueQuantity"]["value"] == 9.0
            withdrawal = (await client.get(f"/fhir/DocumentReference/{second}")).json()
            withdrawal |= {"status": "entered-in-error", "description": "mixed up"}
            withdrawn = await client.put(
                f"/fhir/DocumentReference/{second}", content=orjson.dumps(withdrawal), headers=FHIR
            )
            assert withdrawn.status_code == 200
            assert await search(doctor, f"Observation?patient={person.id}") == []
    async with world.client(requester_of(person)) as patient_client:
        assert await search(patient_client, f"Observation?patient={person.id}") == []


async def opened_documents(world, person) -> list[str]:
    """Return the keys of the person's documents that were indexed."""
    rows = await world.db.fetch(f"SELECT document_id FROM {DOCUMENT_OPENING.name} WHERE person_id = $1", person.id)
    return [row["document_id"].hex for row in rows]


async def follow_journal(world) -> None:
    """Index what was deposited, as the consumer of the journal does in the background."""
    await world.journal.sealer.seal_all()
    while await advance(world.db, world.record.clinical.indexer.consumer):
        pass


async def test_deposited_document_is_indexed_in_the_background(world, person):
    async with world.client(world.people["laboratory"]) as laboratory:
        document = await deposit(laboratory, person, laboratory_report(person, ("1", 14.1)))
    async with world.client(world.people["hospital"]) as hospital:
        letter = await hospital.post("/fhir/DocumentReference", content=text_letter(person), headers=FHIR)
        assert letter.status_code == 201
    await follow_journal(world)
    assert await opened_documents(world, person) == [document[32:]]
    await follow_journal(world)
    assert await opened_documents(world, person) == [document[32:]]


async def test_document_moved_to_the_right_patient_is_indexed_there_in_the_background(world, person):
    right = await world.person()
    report = laboratory_report(person, ("1", 14.1))
    del report["entry"][1]["resource"]["identifier"]
    async with world.client(world.people["hospital"]) as hospital:
        document = await deposit(hospital, person, report)
    moved = await world.record.correct_person(
        world.people["hospital"], person.id, UUID(hex=document[32:]), right.id, "names mixed up"
    )
    await follow_journal(world)
    assert await opened_documents(world, right) == [moved.id.hex]


async def test_missing_object_does_not_stop_the_background(world, person, monkeypatch):
    async with world.client(world.people["hospital"]) as hospital:
        large = laboratory_report(person, ("1", 1.0))
        large["entry"][0]["resource"]["title"] = "x" * INLINE_LIMIT
        await deposit(hospital, person, large)
        small = await deposit(hospital, person, laboratory_report(person, ("2", 2.0)))

    async def lost(self, digest):
        raise FileNotFoundError

    monkeypatch.setattr(Objects, "get", lost)
    await follow_journal(world)
    assert await opened_documents(world, person) == [small[32:]]


async def test_document_that_the_reader_may_not_see_is_not_opened(world, person):
    async with world.client(world.people["laboratory"]) as laboratory:
        document = await deposit(laboratory, person, laboratory_report(person, ("1", 14.1)))
    paths = (f"Observation?patient={person.id}", f"Patient/{person.id}/$everything", f"Observation/{document}")
    async with world.client(world.people["other"]) as other:
        for path in paths:
            await other.get(f"/fhir/{path}")
    assert await opened_documents(world, person) == []
    async with world.client(world.people["doctor"]) as doctor:
        await doctor.get(f"/fhir/{paths[0]}")
    assert await opened_documents(world, person) == [document[32:]]


async def test_concurrent_reads_index_a_document_once(world, person):
    async with world.client(world.people["hospital"]) as hospital:
        document = await deposit(hospital, person, laboratory_report(person, *((str(n), n) for n in range(1, 30))))
    async with world.client(world.people["doctor"]) as doctor:
        path = f"/fhir/Observation?patient={person.id}&_count=0"
        answers = await asyncio.gather(*(doctor.get(path) for _ in range(8)))
    assert {answer.json()["total"] for answer in answers} == {29}
    rows = await world.db.fetch(f"SELECT * FROM {DOCUMENT_OPENING.name} WHERE person_id = $1", person.id)
    assert [(row["document_id"].hex, row["problem"]) for row in rows] == [(document[32:], "")]


async def test_document_that_cannot_be_indexed_does_not_block_others(world, person, monkeypatch):
    async with world.client(world.people["hospital"]) as hospital:
        broken = await deposit(hospital, person, laboratory_report(person, ("1", 1.0)))
        extract_facts = ingest.extract_facts

        def facts(bundle, *rest):
            if bundle["entry"][-2]["resource"]["valueQuantity"]["value"] == 1:
                raise RecursionError
            return extract_facts(bundle, *rest)

        monkeypatch.setattr(ingest, "extract_facts", facts)
        await deposit(hospital, person, laboratory_report(person, ("2", 2.0)))
    async with world.client(world.people["doctor"]) as doctor:
        [observation] = await search(doctor, f"Observation?patient={person.id}")
    assert observation["valueQuantity"]["value"] == 2.0
    rows = await world.db.fetch(
        f"SELECT * FROM {DOCUMENT_OPENING.name} WHERE person_id = $1 AND problem <> ''", person.id
    )
    assert [(row["document_id"].hex, row["problem"]) for row in rows] == [(broken[32:], "RecursionError")]


async def test_document_that_cannot_be_stored_does_not_block_others(world, person, monkeypatch):
    async with world.client(world.people["hospital"]) as hospital:
        broken = await deposit(hospital, person, laboratory_report(person, ("1", 1.0)))
        small = await deposit(hospital, person, laboratory_report(person, ("2", 2.0)))
    make_rows = ingest._rows

    def rows(person_id, document, content):
        found = make_rows(person_id, document, content)
        if document.id.hex == broken[32:]:
            table, values = found[0]
            found[0] = table, (*values[:-1], '{"text": ["\\u0000"]}')
        return found

    monkeypatch.setattr(ingest, "_rows", rows)
    await follow_journal(world)
    rows = await world.db.fetch(f"SELECT * FROM {DOCUMENT_OPENING.name} WHERE person_id = $1", person.id)
    found = {row["document_id"].hex: row["problem"] for row in rows}
    assert found == {broken[32:]: "UntranslatableCharacterError", small[32:]: ""}


async def test_resource_of_document_cannot_be_changed_directly(world, person):
    async with world.client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, laboratory_report(person, ("1", 14.1)))
        [observation] = await search(hospital, f"Observation?patient={person.id}")
        url = f"/fhir/Observation/{observation['id']}"
        assert (await hospital.put(url, content=orjson.dumps(observation), headers=FHIR)).status_code == 405
        assert (await hospital.delete(url)).status_code == 405
    async with world.client(world.people["other"]) as other:
        assert (await other.delete(url)).status_code == 404


async def test_search_without_access_finds_nothing_and_is_journalled(world, person):
    async with world.client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, laboratory_report(person, ("1", 14.1)))
        [observation] = await search(hospital, f"Observation?patient={person.id}")
    async with world.client(world.people["other"]) as other:
        assert await search(other, f"Observation?patient={person.id}") == []
        assert (await other.get(f"/fhir/Observation/{observation['id']}")).status_code == 404
        stranger = await search_bundle(other, f"Observation?patient={uuid7()}")
        known = await search_bundle(other, f"Observation?patient={person.id}")
        assert {name: stranger.get(name) for name in ("total", "entry")} == {
            name: known.get(name) for name in ("total", "entry")
        }
    entries = await world.events(person, ClinicalSearched, ClinicalRefused)
    refused = [
        (type(event).__name__, event.allowed) for entry, event in entries if entry.actor.id == world.people["other"].id
    ]
    assert refused == [("ClinicalSearched", False), ("ClinicalRefused", False), ("ClinicalSearched", False)]
    of_hospital = [event for entry, event in entries if entry.actor.id == world.people["hospital"].id]
    assert [(event.categories, event.type, event.count) for event in of_hospital] == [
        (("laboratory_report",), "Observation", 1)
    ]
