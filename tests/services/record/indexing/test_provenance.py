"""Provenance of facts from several documents."""

import pytest

from esante.core.fhir import check
from tests.support.clinical_requests import (
    deposit,
    search,
    search_bundle,
    set_confidentiality,
)
from tests.support.clinical_resources import (
    laboratory_report,
)


@pytest.fixture
async def person(world):
    """A person with the doctor in their circle."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person


async def test_fact_of_two_documents_is_shown_once_with_both_sources(world, person):
    async with world.client(world.people["laboratory"]) as laboratory:
        first = await deposit(laboratory, person, laboratory_report(person, ("1", 14.1)))
    async with world.client(world.people["hospital"]) as hospital:
        second = await deposit(hospital, person, laboratory_report(person, ("1", 14.2)))
    path = f"Observation?patient={person.id}&_revinclude=Provenance:target"
    async with world.client(world.people["doctor"]) as doctor:
        observation, provenance = await search(doctor, path)
        assert observation["valueQuantity"]["value"] == 14.2
        assert provenance["id"] == observation["id"]
        assert _source_documents(provenance) == [second, first]
        assert [agent["who"]["display"] for agent in provenance["agent"]] == ["Hôpital du Nord", "Labo Kirchberg"]
        alone = await doctor.get(f"/fhir/Provenance/{observation['id']}")
        assert (alone.json(), check(alone.content).ok) == (provenance, True)
        assert await search(doctor, f"Provenance?target=Observation/{observation['id']}") == [provenance]
        versions = (await search_bundle(doctor, f"Observation/{observation['id']}/_history"))["entry"]
        assert [one["resource"]["valueQuantity"]["value"] for one in versions] == [14.2, 14.1]
        etag = versions[0]["response"]["etag"]
        await set_confidentiality(world, person, second)
        observation, provenance = await search(doctor, path)
        assert observation["valueQuantity"]["value"] == 14.1
        assert _source_documents(provenance) == [first]
        url = f"/fhir/Observation/{observation['id']}"
        assert (await doctor.get(url)).headers["etag"] != etag
        assert (await doctor.get(f"{url}/_history/{etag[3:-1]}")).status_code == 404
        await set_confidentiality(world, person, first)
        assert (await doctor.get(url)).status_code == 404
        assert await search(doctor, path) == []
        assert (await doctor.get(f"/fhir/Provenance/{observation['id']}")).status_code == 404
        assert (await doctor.get(f"{url}/_history")).status_code == 404


def _source_documents(provenance: dict) -> list[str]:
    return [entity["what"]["reference"].removeprefix("DocumentReference/") for entity in provenance.get("entity", ())]
