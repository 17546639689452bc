"""Oppositions to deposits: what is refused to whom, what the depositor learns, and what the journal says."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import (
    Against,
    BlockChanged,
    Confidentiality,
    OppositionChanged,
    SharingChanged,
    care_opposition,
    requester_of,
)
from esante.services.record import ConfidentialitySet, DepositedEvent, Refused
from tests.support.clinical_requests import create
from tests.support.clinical_resources import observation
from tests.support.record import FHIR, letter, reference, transaction

TODAY = today()
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
SENTENCE = "The patient does not want documents of this care to be added to their record."


async def oppose(world, person, who="hospital", since=YESTERDAY, until=TODAY, document_class=""):
    """Let a person oppose deposits of somebody about some days of care."""
    subject = world.people[who]
    kind = "organization" if subject.kind == "organization" else "practitioner"
    opposition = care_opposition(Against.DEPOSIT, subject.id, since, until, document_class)
    return await world.access.oppositions.oppose(requester_of(person), kind, opposition, risk_confirmed=True)


async def deposit(world, person, who="hospital", on=TODAY, **meta):
    content, about = letter(**meta)
    return await world.record.deposit(world.people[who], person.id, content, replace(about, event_date=on))


async def is_refused(world, person, who="hospital", on=TODAY, **meta) -> bool:
    try:
        await deposit(world, person, who, on, **meta)
    except Problem as problem:
        assert (problem.status, problem.title) == (403, SENTENCE)
        return True
    return False


async def test_opposed_care_is_refused_until_the_opposition_is_lifted(world):
    person = await world.person()
    opposition = await oppose(world, person)
    assert [await is_refused(world, person, on=day) for day in (YESTERDAY - timedelta(days=1), YESTERDAY, TODAY)] == [
        False,
        True,
        True,
    ]
    await world.access.oppositions.lift(requester_of(person), opposition.id)
    assert not await is_refused(world, person)
    changes = [event for _, event in await world.events(person, OppositionChanged)]
    assert [(one.ended, one.risk, one.on_word) for one in changes] == [(False, "deposit", False), (True, "", False)]


async def test_opposition_is_about_its_depositor_and_class_only(world):
    person = await world.person()
    await oppose(world, person, document_class="letter")
    assert await is_refused(world, person, "hospital")
    assert await is_refused(world, person, "surgeon")  # works there
    assert not await is_refused(world, person, "doctor")
    assert not await is_refused(world, await world.person(), "hospital")
    async with world.client(world.people["hospital"]) as client:
        assert (await create(client, observation(person))).status_code == 201  # of another class


async def test_opposed_deposit_is_refused_over_fhir_with_no_more_than_that(world):
    """By ITI-65, ITI-105 and as a resource; nothing is stored, and each refusal is journalled with its rule."""
    person = await world.person()
    await oppose(world, person)
    content, _ = letter()
    fields = {"type_": "51852-2", "context": {"period": {"end": TODAY.isoformat()}}}
    one = reference(person, content, "text/plain", **fields)
    async with world.client(world.people["hospital"]) as client:
        answers = [
            await client.post("/fhir/DocumentReference", content=orjson.dumps(one), headers=FHIR),
            await client.post("/fhir", content=transaction(person, ({"type": one["type"]}, content, "text/plain")), headers=FHIR),
            await create(client, observation(person)),
        ]  # fmt: skip
    for answer in answers:
        assert answer.status_code == 403, answer.text
        assert SENTENCE in answer.text
        assert person.family not in answer.text
    assert not await world.events(person, DepositedEvent)
    refused = [event for _, event in await world.events(person, Refused)]
    assert {event.rule for event in refused} == {"write.opposed"}


async def test_professional_records_what_the_patient_says_about_their_own_care_only(world):
    person = await world.person()
    opposition = care_opposition(Against.DEPOSIT, world.people["laboratory"].id, TODAY, TOMORROW)
    await world.access.oppositions.record_on_word(world.people["surgeon"], person.id, opposition, risk_confirmed=True)
    assert await is_refused(world, person, "hospital")  # where the surgeon works, not the laboratory that was named
    assert not await is_refused(world, person, "doctor")
    [recorded] = await world.access.oppositions.list_current(person.id, Against.DEPOSIT)
    assert (recorded.on_word, recorded.recorder) == (True, world.people["surgeon"].name)
    [(entry, event)] = await world.events(person, OppositionChanged)
    assert (entry.actor.id, event.on_word, event.risk) == (world.people["surgeon"].id, True, "deposit")


async def test_same_opposition_again_changes_nothing(world):
    person = await world.person()
    first = await oppose(world, person)
    assert (await oppose(world, person)).id == first.id
    assert len(await world.events(person, OppositionChanged)) == 1


REFUSED = [
    ({"until": YESTERDAY - timedelta(days=1)}, 400),
    ({"since": None}, 400),
    ({"until": TODAY + timedelta(days=400)}, 400),
    ({"document_class": "no such class"}, 400),
]


@pytest.mark.parametrize(("changes", "status"), REFUSED)
async def test_opposition_without_a_valid_end_or_class_is_refused(world, changes, status):
    person = await world.person()
    with pytest.raises(Problem) as caught:
        await oppose(world, person, **changes)
    assert caught.value.status == status
    assert not (await world.access.consent(person.id)).oppositions


async def test_opposition_needs_its_risk_confirmed_a_known_depositor_and_an_open_record(world):
    person = requester_of(await world.person())
    use_case = world.access.oppositions
    wanted = care_opposition(Against.DEPOSIT, world.people["hospital"].id, TODAY, TODAY)
    calls = [
        (use_case.oppose(person, "organization", wanted), 400),
        (use_case.oppose(person, "organization", replace(wanted, depositor_id=person.id), risk_confirmed=True), 404),
        (use_case.oppose(world.people["doctor"], "organization", wanted, risk_confirmed=True), 403),
        (use_case.record_on_word(world.people["operator"], person.id, wanted, risk_confirmed=True), 403),
        (
            use_case.record_on_word(world.people["hospital"], world.people["doctor"].id, wanted, risk_confirmed=True),
            404,
        ),
        (use_case.lift(person, wanted.id), 404),
    ]
    for call, status in calls:
        with pytest.raises(Problem) as caught:
            await call
        assert caught.value.status == status
    closed = await world.person(opened=False)
    with pytest.raises(Problem) as caught:
        await use_case.oppose(requester_of(closed), "organization", wanted, risk_confirmed=True)
    assert caught.value.status == 409


async def test_hidden_level_and_bars_say_in_the_journal_that_the_risk_was_told(world):
    person = await world.person()
    me = requester_of(person)
    document = (await deposit(world, person)).document
    restrictions, record = world.access.restrictions, world.record
    await restrictions.block(me, "practitioner", world.people["other"].id, risk_confirmed=True)
    await restrictions.block(me, "practitioner", world.people["surgeon"].id)
    await restrictions.set_sharing(me, False, risk_confirmed=True)
    await restrictions.set_sharing(me, True)
    for level, told in (
        (Confidentiality.HIDDEN, True),
        (Confidentiality.RESTRICTED, False),
        (Confidentiality.NORMAL, True),
    ):
        await record.set_confidentiality(me, person.id, document.id, level, risk_confirmed=told)
    assert [event.risk for _, event in await world.events(person, BlockChanged)] == ["block", ""]
    assert [event.risk for _, event in await world.events(person, SharingChanged)] == ["sharing", ""]
    assert [event.risk for _, event in await world.events(person, ConfidentialitySet)] == ["hidden", "", ""]
