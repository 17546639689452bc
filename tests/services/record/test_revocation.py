"""What a patient ends has ended for every request that begins afterwards, however many run at the same time."""

import asyncio

import orjson
import pytest

from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Deposit
from tests.support.clinical_resources import laboratory_report

READERS = 12


@pytest.fixture
async def shown(world):
    """A person with a report that the doctor in the circle may read."""
    person = await world.person()
    grant = await world.access.grants.add_to_circle(requester_of(person), world.people["doctor"].id)
    content = orjson.dumps(laboratory_report(person, ("1", 14.1)))
    deposited = await world.record.deposit(world.people["laboratory"], person.id, content, Deposit())
    return person, grant, deposited.document


@pytest.mark.parametrize("how", ["grant", "block", "sharing", "hiding"])
async def test_read_that_begins_after_the_end_gets_nothing(world, shown, how):
    person, grant, document = shown
    patient, access = requester_of(person), world.access
    ended, before, after = asyncio.Event(), [], []

    async def end() -> None:
        match how:
            case "grant":
                await access.grants.revoke(patient, grant.id)
            case "block":
                await access.restrictions.block(patient, "practitioner", world.people["doctor"].id)
            case "sharing":
                await access.restrictions.set_sharing(patient, sharing=False)
            case "hiding":
                await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
        ended.set()

    async def read_on(client, path) -> None:
        while len(after) < 40:
            has_ended = ended.is_set()
            answer = await client.get(path)
            found = answer.json().get("total") if "?" in path else answer.status_code == 200
            (after if has_ended else before).append(bool(found))

    async with world.client(world.people["doctor"]) as client:
        paths = (f"/fhir/Bundle/{document.key}", f"/fhir/Observation?patient={person.id}")
        readers = [asyncio.create_task(read_on(client, paths[number % 2])) for number in range(READERS)]
        while len(before) < READERS:
            await asyncio.sleep(0)
        await end()
        await asyncio.gather(*readers)
    assert any(before)
    assert not any(after)
