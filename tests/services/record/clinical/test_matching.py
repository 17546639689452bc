"""Conditional create, update and delete of clinical resources."""

import asyncio

from tests.services.record.conftest import FHIR
from tests.support.clinical_requests import (
    create,
)
from tests.support.clinical_resources import (
    identified,
    observation,
)


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
