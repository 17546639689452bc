"""Statements of holders: who writes them, who reads them and how, their history, and when the question is asked."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from esante.core import clock
from esante.core.fhir import check
from esante.core.web import Problem
from esante.identity.access import RecordState, requester_of
from esante.services.record.clinical.events import ClinicalCreated, ClinicalSearched, ClinicalUpdated
from esante.services.record.statements.model import Statement, StatementDeferred
from esante.services.record.statements.terms import statement_terms
from tests.support.clinical_requests import create, search
from tests.support.record import BASE, acting_for

ORGANS = Statement(kind="organ_donation", opposes=True)
DIRECTIVE = Statement(
    kind="advance_directive",
    text="No ventilation.\nCall my sister.",
    location="Notary Muster",
    trusted_person="Eva, 621",
)


@pytest.fixture
def statements(world):
    return world.record.statements(f"{BASE}/fhir")


async def current(statements, requester, person):
    return {one.kind.key: one.current for one in await statements.read(requester, person.id)}


async def test_statement_is_read_as_it_was_written_and_keeps_its_history(world, statements):
    person = await world.person()
    me = requester_of(person)
    assert set((await current(statements, me, person)).values()) == {None}
    for statement in (ORGANS, Statement(kind="organ_donation", opposes=False, text="All of them"), DIRECTIVE):
        await statements.state(me, statement)
    now = await current(statements, me, person)
    assert (now["organ_donation"].opposes, now["organ_donation"].text) == (False, "All of them")
    read = now["advance_directive"]
    assert (read.text, read.location, read.trusted_person) == (
        DIRECTIVE.text,
        DIRECTIVE.location,
        DIRECTIVE.trusted_person,
    )
    assert read.stated_at <= datetime.now(UTC)
    await statements.take_back(me, "organ_donation")
    [organs] = [one for one in await statements.read(me, person.id) if one.kind.key == "organ_donation"]
    assert organs.current is None
    assert [(one.active, one.opposes) for one in organs.versions] == [(False, False), (True, False), (True, True)]
    created = await world.events(person, ClinicalCreated)
    updated = await world.events(person, ClinicalUpdated)
    assert [event.categories for _, event in created] == [("organ_donation",), ("advance_directive",)]
    assert len(updated) == 2


async def test_doctor_with_access_reads_it_over_fhir_and_each_reading_is_journalled(world, statements):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    await statements.state(requester_of(person), ORGANS)
    async with world.client(world.people["doctor"]) as client:
        [consent] = await search(client, f"Consent?patient={person.id}&category=75781-5")
        assert check(orjson.dumps(consent)).ok
        assert consent["provision"]["type"] == "deny"
        assert consent["performer"] == [{"reference": f"Patient/{person.id}"}]
        assert (await client.get(f"/fhir/Consent/{consent['id']}")).status_code == 200
    searched = [
        event for entry, event in await world.events(person, ClinicalSearched) if entry.actor.kind != "patient"
    ]
    assert [(event.categories, event.allowed) for event in searched] == [(("organ_donation",), True)]


async def test_without_access_a_statement_is_absent(world, statements):
    with_one, without = await world.person(), await world.person()
    await statements.state(requester_of(with_one), ORGANS)
    answers = []
    async with world.client(world.people["other"]) as client:
        for person in (with_one, without):
            found = await client.get(f"/fhir/Consent?patient={person.id}")
            answers.append((found.status_code, found.json().get("entry"), found.json()["total"]))
    assert answers[0] == answers[1] == (200, None, 0)


@pytest.mark.parametrize("who", ["doctor", "hospital", "laboratory"])
async def test_no_professional_writes_a_statement(world, statements, who):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    resource = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "adr"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "75781-5"}]}],
        "patient": {"reference": f"Patient/{person.id}"},
        "policyRule": {"text": "x"},
    }
    async with world.client(world.people[who]) as client:
        assert (await create(client, orjson.dumps(resource), "Consent")).status_code == 403
    with pytest.raises(Problem) as caught:
        await statements.state(world.people[who], ORGANS)
    assert caught.value.status == 403


async def test_nobody_who_acts_for_the_person_states_for_them(world, statements):
    person, parent = await world.person(), await world.person()
    with pytest.raises(Problem) as caught:
        await statements.state(acting_for(parent, person), ORGANS)
    assert caught.value.status == 403


NOT_VALID = [
    (Statement(kind="organ_donation"), 400),
    (Statement(kind="letter", text="x"), 400),
    (Statement(kind="advance_directive"), 400),
    (Statement(kind="advance_directive", text="x" * 2_001), 400),
    (Statement(kind="advance_directive", text="bell \a"), 400),
    (Statement(kind="advance_directive", text="x", location="y" * 201), 400),
]


@pytest.mark.parametrize(("statement", "status"), NOT_VALID)
async def test_statement_that_is_not_valid_changes_nothing(world, statements, statement, status):
    person = await world.person()
    with pytest.raises(Problem) as caught:
        await statements.state(requester_of(person), statement)
    assert caught.value.status == status
    assert not await world.events(person, ClinicalCreated)


async def test_question_is_asked_at_the_first_access_and_again_after_not_now(world, statements, monkeypatch):
    person = requester_of(await world.person())
    assert await statements.is_asked(person, RecordState.OPEN)
    assert not await statements.is_asked(person, RecordState.ANNOUNCED)
    assert not await statements.is_asked(world.people["doctor"], RecordState.OPEN)
    await statements.defer(person, "organ_donation")
    assert not await statements.is_asked(person, RecordState.OPEN)
    later = clock.now() + timedelta(days=statement_terms(clock.now().date()).ask_again_days)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert await statements.is_asked(person, RecordState.OPEN)
    monkeypatch.undo()
    await statements.state(person, ORGANS)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert not await statements.is_asked(person, RecordState.OPEN)
    [(_, event)] = await world.events(person, StatementDeferred)
    assert event.kind == "organ_donation"
