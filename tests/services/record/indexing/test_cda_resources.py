"""Vaccinations of CDA documents as Immunizations, and the indexing of such documents."""

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Deposit
from esante.services.record.indexing.cda_resources import immunization_bundle, may_hold_vaccinations
from esante.services.record.rendering.worker_pool import WorkerPool
from tests.services.record.rendering.worker.test_immunizations import dose
from tests.support.clinical_requests import search
from tests.support.record import cda

TOLD = {
    "identifiers": [["2.999", "7"]],
    "negated": False,
    "codes": [["2.16.840.1.113883.6.96", "34689006"], ["1.2.3", "X"]],
    "name": "Engerix B",
    "date": "2019-02-02",
    "lot": "AB1",
    "manufacturer": "GSK",
    "number": 2,
    "performer": "Ana Lopes",
    "place": "CS Lisboa",
}


def resources(*doses):
    return [entry["resource"] for entry in immunization_bundle(doses)["entry"][1:]]


def test_dose_is_valid_fhir_with_its_codes_in_fhir_systems():
    (made,) = resources(TOLD)
    assert check(orjson.dumps(made)).ok
    assert [one["system"] for one in made["vaccineCode"]["coding"]] == ["http://snomed.info/sct", "urn:oid:1.2.3"]
    assert made["identifier"] == [{"system": "urn:oid:2.999", "value": "7"}]
    assert made["protocolApplied"] == [{"doseNumberPositiveInt": 2}] and made["occurrenceDateTime"] == "2019-02-02"


@pytest.mark.parametrize(
    "changes", [{"date": ""}, {"date": "2019-02-31"}, {"number": 0}, {"negated": True}, {"lot": ""}]
)
def test_dose_of_which_less_is_known_is_valid_too(changes):
    (made,) = resources(TOLD | changes)
    assert check(orjson.dumps(made)).ok
    assert ("occurrenceDateTime" in made) == ("date" not in changes)


def test_identifier_of_several_doses_identifies_none():
    first, second = resources(TOLD, TOLD | {"date": "2020-02-02"})
    assert "identifier" not in first and "identifier" not in second


@pytest.mark.parametrize(
    ("pair", "identifier"),
    [
        (["2.999.7", ""], {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.999.7"}),
        (
            ["C7EA65BB-7EDB-4888-A145-AEFDBFCF2C7A", ""],
            {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:c7ea65bb-7edb-4888-a145-aefdbfcf2c7a"},
        ),
    ],
)
def test_identifier_without_extension_is_a_uri(pair, identifier):
    (made,) = resources(TOLD | {"identifiers": [pair]})
    assert made["identifier"] == [identifier]


def test_document_without_section_of_immunizations_is_not_opened():
    assert not may_hold_vaccinations(cda()) and may_hold_vaccinations(vaccinations("x"))
    assert may_hold_vaccinations(cda().decode().replace("UTF-8", "UTF-16").encode("utf-16"))


def vaccinations(lot: str) -> bytes:
    """A CDA letter with a dose of a lot."""
    section = '<component><section><code code="11369-6" codeSystem="2.16.840.1.113883.6.1"/>%s</section></component>'
    entry = dose(name=f"<name>Engerix B</name><lotNumberText>{lot}</lotNumberText>")
    body = f"<component><structuredBody>{section % entry}</structuredBody></component></ClinicalDocument>"
    return cda().replace(b"</ClinicalDocument>", body.encode())


async def test_doses_of_a_cda_document_are_searchable_with_the_access_of_the_document(world):
    person, lot = await world.person(), uuid7().hex[:8]
    await world.into_circle(person, world.people["doctor_entry"])
    deposited = await world.record.deposit(world.people["hospital"], person.id, vaccinations(lot), Deposit())
    query = f"Immunization?patient=Patient/{person.id}"
    async with world.client(world.people["doctor"]) as doctor, world.client(world.people["other"]) as other:
        (found,) = await search(doctor, query)
        assert found["lotNumber"] == lot and found["patient"] == {"reference": f"Patient/{person.id}"}
        assert await search(other, query) == []
        await world.record.set_confidentiality(
            requester_of(person), person.id, deposited.document.id, Confidentiality.HIDDEN
        )
        assert await search(doctor, query) == []
    async with world.client(requester_of(person)) as own:
        assert len(await search(own, query)) == 1


async def test_document_that_no_process_can_open_does_not_block_others(world, monkeypatch):
    person, lot = await world.person(), uuid7().hex[:8]
    await world.into_circle(person, world.people["doctor_entry"])
    await world.record.deposit(world.people["hospital"], person.id, vaccinations("BAD"), Deposit())
    await world.record.deposit(world.people["hospital"], person.id, vaccinations(lot), Deposit())
    run = WorkerPool.run

    async def fail(self, request, data, *rest, **named):
        if b"BAD" in data and request["task"] == "cda_immunizations":
            raise RuntimeError("killed")
        return await run(self, request, data, *rest, **named)

    monkeypatch.setattr(WorkerPool, "run", fail)
    async with world.client(world.people["doctor"]) as doctor:
        assert [one["lotNumber"] for one in await search(doctor, f"Immunization?patient=Patient/{person.id}")] == [lot]
