"""Each context of care around its ceiling, hour by hour, by requests over the API; and its name in what is kept."""

from datetime import UTC, datetime, timedelta

import pytest

from esante.core.time_zone import time_zone
from esante.identity.access import audit_event, policy_set, requester_of
from esante.identity.access.audit.access_log import access_types, describe_entry
from esante.services.record import Listed, Read
from esante.services.record.clinical.events import ClinicalSearched
from tests.support.record import BASE, letter

CONTEXTS = ("own_practice", "institution", "hospital_emergency", "vital_interests")
HOURS = (-25, -3, -2, -1, 0, 1, 2, 3, 20)


async def grant(world, person, context):
    """Give the surgeon, or the hospital where they work, access in a context."""
    access, surgeon = world.access, world.people["surgeon"]
    identifier = person.identifiers[0].value
    match context:
        case "own_practice":
            await access.codes.redeem(surgeon, await access.codes.issue(requester_of(person)))
        case "institution":
            await access.stays.admit(world.people["hospital"], person.id)
        case "hospital_emergency":
            await access.stays.register_emergency(surgeon, identifier, person.birth_date)
        case "vital_interests":
            await access.emergencies.declare(surgeon, identifier, person.birth_date, "Unconscious after a fall")


def beginning_before(end, context):
    """Return when a grant began whose ceiling is `end`."""
    terms = policy_set().at(end).contexts[context]
    local = end.astimezone(time_zone()) - timedelta(days=terms.days)
    return local.astimezone(UTC) - timedelta(hours=terms.hours)


@pytest.mark.parametrize("context", CONTEXTS)
async def test_requests_get_access_until_the_ceiling_of_the_context(world, context):
    await world.db.fetchval("DELETE FROM access_attempt")
    person = await world.person()
    document = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    await grant(world, person, context)
    found = []
    async with world.client(world.people["surgeon"]) as client:
        for hours in HOURS:
            since = beginning_before(datetime.now(UTC) + timedelta(hours=hours, minutes=1), context)
            await world.db.fetchval(
                "UPDATE access_grant SET since = $2, until = NULL WHERE person_id = $1", person.id, since
            )
            found.append((await client.get(f"/fhir/DocumentReference/{document.key}")).status_code)
    assert found == [200 if hours >= 0 else 404 for hours in HOURS]


@pytest.mark.parametrize("context", (*CONTEXTS, "circle"))
async def test_context_stands_in_the_journal_the_history_and_the_audit_event(world, context):
    await world.db.fetchval("DELETE FROM access_attempt")
    person = await world.person()
    document = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    if context == "circle":
        await world.access.grants.add_to_circle(requester_of(person), world.people["surgeon"].id)
    else:
        await grant(world, person, context)
    async with world.client(world.people["surgeon"]) as client:
        await client.get(f"/fhir/DocumentReference?patient={person.id}")
        await client.get(f"/fhir/Binary/{document.key}")
        await client.get(f"/fhir/Observation?patient={person.id}")
    for type_ in (Listed, Read, ClinicalSearched):
        (entry, event), *_ = await world.events(person, type_)
        assert event.context == context
        line = describe_entry(entry, str, {}, {})
        assert line.context == policy_set().at(entry.at).contexts[context].words
        details = audit_event(entry, BASE)["entity"][0]["detail"]
        assert {"type": "context", "valueString": context} in details


async def test_acts_without_access_have_their_own_contexts(world):
    person, doctor = await world.person(), world.people["doctor"]
    document = (await world.record.deposit(doctor, person.id, *letter())).document
    await world.record.content(doctor, person.id, document.id)
    await world.record.content(requester_of(person), person.id, document.id)
    reads = await world.events(person, Read)
    assert [event.context for _, event in reads] == ["author", "holder"]
    async with world.client(world.people["surgeon"]) as client:
        assert (await client.get(f"/fhir/Binary/{document.key}")).status_code == 404
    everything = await world.journal.entries_of(person.id, access_types(), limit=100)
    assert {entry.event.context for entry in everything if not entry.event.allowed} == {""}
    assert all(entry.event.context for entry in everything if entry.event.allowed)
