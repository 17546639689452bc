"""Guessed identifiers: a deposit does not tell who is known, and guesses are counted, journalled and refused."""

from types import SimpleNamespace

import pytest

from esante.core.storage import NIL, uuid7
from esante.identity.access import requester_of
from esante.identity.directory import PersonSearched
from tests.support.access_policy import changed_policy
from tests.support.record import LOCAL, pdf, reference


@pytest.fixture(autouse=True)
async def no_attempts(world):
    """Forget the attempts of the test before."""
    await world.db.fetchval("DELETE FROM access_attempt")


_NOBODY = SimpleNamespace(id="")


def guess(value: str, date: str = "2099-01-01T10:00:00Z") -> dict:
    """Return a DocumentReference of whoever has an identifier."""
    subject = {"identifier": {"system": LOCAL, "value": value}}
    context = {"period": {"start": date}}
    return reference(_NOBODY, pdf(), "application/pdf", type_="51852-2", context=context, subject=subject)


async def test_refused_content_is_answered_alike_for_known_and_unknown_persons(world):
    person = await world.person()
    async with world.client(await new_organization(world)) as client:
        known = await client.post("/fhir/DocumentReference", json=guess(person.identifiers[0].value))
        unknown = await client.post("/fhir/DocumentReference", json=guess(uuid7().hex))
    assert known.status_code == 422
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


async def test_guesses_by_deposit_are_refused_after_the_limit_and_journalled(world):
    requester = await new_organization(world)
    most = 30
    with changed_policy(unknown_per_organization=most):
        async with world.client(requester) as client:
            statuses = [
                (await client.post("/fhir/DocumentReference", json=guess(uuid7().hex))).status_code
                for _ in range(most + 20)
            ]
            known = (await world.person()).identifiers[0].value
            refused = await client.post("/fhir/DocumentReference", json=guess(known, "2024-01-01T10:00:00Z"))
    assert statuses == [422] * most + [429] * 20
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 0
    entries = await world.journal.entries_of(NIL, [PersonSearched], limit=200)
    mine = [entry.event for entry in entries if entry.actor.id == requester.id]
    assert [(event.by, event.found) for event in mine] == [(("identifier",), 0)] * most


async def test_guesses_by_search_are_refused_after_the_limit(world):
    requester = await new_organization(world)
    with changed_policy(unknown_per_organization=5):
        async with world.client(requester) as client:
            url = f"/fhir/DocumentReference?patient.identifier={LOCAL}|"
            statuses = [(await client.get(url + uuid7().hex)).status_code for _ in range(7)]
            assert (await client.get(url + (await world.person()).identifiers[0].value)).status_code == 429
    assert statuses == [200] * 5 + [429] * 2


async def test_known_persons_are_not_counted(world):
    person = await world.person()
    with changed_policy(unknown_per_organization=2):
        async with world.client(await new_organization(world)) as client:
            for _ in range(5):
                document = guess(person.identifiers[0].value, "2024-01-01T10:00:00Z")
                assert (await client.post("/fhir/DocumentReference", json=document)).status_code == 201


async def new_organization(world):
    """Return the software of a hospital that has looked up nobody yet."""
    return requester_of(await world.organization("hospital", "Hôpital du Sud"))
