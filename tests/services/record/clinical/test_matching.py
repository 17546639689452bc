"""Conditional create, update and delete of clinical resources."""

import asyncio
from urllib.parse import quote

import orjson
import pytest

from tests.support.clinical_requests import (
    create,
    post_bundle,
)
from tests.support.clinical_resources import (
    bundle_entry,
    identified,
    observation,
)
from tests.support.record import FHIR


async def test_conditional_create_creates_once(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body, criteria = observation(person, **identified("A1")), "identifier=urn:lab|A1"
        answers = await asyncio.gather(*(create(client, body, **{"If-None-Exist": criteria}) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        await create(client, body)
        several = await create(client, body, **{"If-None-Exist": criteria})
        assert several.status_code == 412
        assert (await create(client, body, **{"If-None-Exist": ""})).status_code == 412
        assert (await create(client, body, **{"If-None-Exist": "nonsense=1"})).status_code == 400


async def test_conditional_update_and_delete(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        params = {"identifier": "urn:lab|B1", "patient": str(person.id)}
        body = observation(person, **identified("B1"))
        created = await client.put("/fhir/Observation", params=params, content=body, headers=FHIR)
        assert created.status_code == 201
        again = await client.put("/fhir/Observation", params=params, content=body, headers=FHIR)
        assert (again.status_code, again.json()["id"]) == (200, created.json()["id"])
        assert again.headers["etag"] == 'W/"2"'
        own = observation(person, id="mine", **identified("B2"))
        refused = await client.put("/fhir/Observation?identifier=urn:lab|B2", content=own, headers=FHIR)
        assert refused.status_code == 405
        assert (await client.delete("/fhir/Observation", params=params)).status_code == 204
        assert (await client.get(f"/fhir/Observation/{created.json()['id']}")).status_code == 410
        assert (await client.delete("/fhir/Observation", params=params)).status_code == 204


def worded(person, text: str) -> bytes:
    """Return an Observation of protein in urine whose value is a text."""
    resource = orjson.loads(observation(person, code="5804-0")) | {"valueString": text}
    return orjson.dumps({name: value for name, value in resource.items() if name != "valueQuantity"})


@pytest.mark.parametrize("text", ["+", "-", "?", "*", "~", "%", "…", "\\,", "\u0301", "\U0001f600"])
async def test_search_for_symbols_alone_never_means_another_resource(world, text):
    person = await world.person()
    negative, sent = (worded(person, each) for each in ("negative", text.removeprefix("\\")))
    params = {"patient": str(person.id), "code": "http://loinc.org|5804-0", "value-string": text}
    criteria = "&".join(f"{name}={quote(value)}" for name, value in params.items())
    async with world.client(world.people["hospital"]) as client:
        kept = (await create(client, negative)).json()["id"]
        assert (await client.get("/fhir/Observation", params=params)).json()["total"] == 0
        assert (await client.delete("/fhir/Observation", params=params)).status_code == 204
        for _ in range(2):
            assert (await create(client, sent, **{"If-None-Exist": criteria})).status_code == 201
            updated = await client.put("/fhir/Observation", params=params, content=sent, headers=FHIR)
            assert updated.status_code == 201
        exact = {name.replace("-string", "-string:exact"): value for name, value in params.items()}
        assert (await client.get("/fhir/Observation", params=exact)).json()["total"] == 4
        shown = (await client.get(f"/fhir/Observation/{kept}")).json()
        assert (shown["valueString"], shown["meta"]["versionId"]) == ("negative", "1")


@pytest.mark.parametrize(
    "criteria",
    [
        "identifier=",
        "identifier=urn:lab|C1&code=",
        "identifier=urn:lab|C1&code:not=,",
        "identifier=urn:lab|C1&value-string=%FF",
        "identifier=urn:lab|C1&_count=1",
        "identifier=urn:lab|C1&_sort=date",
        "identifier=urn:lab|C1&_include=Observation:subject",
        "identifier=urn:lab|C1&nonsense=1",
    ],
)
async def test_condition_that_is_not_obeyed_in_full_is_refused(world, criteria):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body = observation(person, **identified("C1"))
        kept = (await create(client, body)).json()["id"]
        url = f"/fhir/Observation?patient={person.id}&{criteria}"
        assert (await client.put(url, content=body, headers=FHIR)).status_code == 400
        assert (await client.delete(url)).status_code == 400
        assert (await create(client, body, **{"If-None-Exist": criteria})).status_code == 400
        item = bundle_entry("POST", "Observation", orjson.loads(body), ifNoneExist=criteria)
        assert (await post_bundle(client, item)).status_code == 400
        assert (await client.get(f"/fhir/Observation/{kept}")).json()["meta"]["versionId"] == "1"


@pytest.mark.parametrize("criteria", ["performer.name=A", "performer:Practitioner.name=A", "subject:Patient.name=A"])
async def test_condition_with_a_chain_is_refused(world, criteria):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        refused = await create(client, observation(person), **{"If-None-Exist": criteria})
        assert refused.status_code in (400, 422)


async def test_conditional_update_with_another_id_is_refused(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body = observation(person, **identified("D1"))
        await create(client, body)
        other = observation(person, id="other", **identified("D1"))
        url = f"/fhir/Observation?patient={person.id}&identifier=urn:lab|D1"
        assert (await client.put(url, content=other, headers=FHIR)).status_code == 400
