"""Agreements about how long a document is kept: proposed by its author, agreed by the person, dated, ended."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from esante.core.storage import uuid7
from esante.core.time_limits import end_of
from esante.identity.access import Confidentiality, requester_of
from esante.services.record.retention.events import RetentionChanged
from esante.services.record.retention.rules import FOR_LIFE
from tests.support.lifecycle_clock import running_clock
from tests.support.record import letter, refusal_of
from tests.support.retention import executor_of, months

START = datetime(2028, 2, 29, 12, tzinfo=UTC)
LAST = date(2038, 2, 28)


@pytest.fixture
async def now(world):
    await months(
        world, START, *(datetime(year, month, 1, tzinfo=UTC) for year in (2037, 2038) for month in range(1, 13))
    )
    with running_clock(START) as running:
        yield running


@pytest.fixture
async def person(world, now):
    person = await world.person(opened=False)
    await world.access.lifecycle.announce([person.id])
    await world.access.lifecycle.change(requester_of(person), "activate")
    return person


@pytest.fixture
async def document(world, person):
    return (await world.record.deposit(world.people["doctor"], person.id, *letter())).document


async def last_day(world, person, document):
    return (await world.record.document(requester_of(person), person.id, document.id)).expires_on


async def changes(world, person):
    return [event.change for _, event in await world.events(person, RetentionChanged)]


async def test_kept_document_does_not_end(world, person, document, now):
    retention, patient = world.record.retention, requester_of(person)
    now.set(end_of(LAST) - timedelta(days=100))
    await executor_of(world).run()
    (soon,) = (await retention.holdings(patient)).documents.items
    assert soon.id == document.id
    await retention.keep(patient, document.series_id)
    await retention.keep(patient, document.series_id)
    assert (await retention.holdings(patient)).documents.items == []
    now.set(end_of(LAST))
    await executor_of(world).run()
    assert await last_day(world, person, document) == FOR_LIFE
    assert await changes(world, person) == ["kept"]
    ((agreement, of),) = await retention.agreements(patient)
    assert (agreement.is_for_life, agreement.proposer, of.id) == (True, "", document.id)
    assert agreement.decided_at is not None


async def test_ended_agreement_leads_back_to_the_rule_and_to_a_new_notice(world, person, document, now):
    retention, patient = world.record.retention, requester_of(person)
    await retention.keep(patient, document.series_id)
    ((agreement, _),) = await retention.agreements(patient)
    now.set(end_of(LAST) + timedelta(days=5))
    await retention.end(patient, agreement.id)
    assert await last_day(world, person, document) == LAST
    assert (await refusal_of(retention.end(patient, agreement.id)))[0] == 404
    await executor_of(world).run()
    assert await last_day(world, person, document) == LAST  # told now, deleted three months later
    (planned,) = [one for one in await world.access.dispositions.find_open(person.id) if one.act == "expire"]
    assert planned.due_at - now.at > timedelta(days=90)


async def test_author_proposes_and_nothing_changes_before_the_person_agrees(world, person, document):
    retention, patient, doctor = world.record.retention, requester_of(person), world.people["doctor"]
    proposed = await retention.propose(doctor, person.id, document.id, date(2030, 1, 1))
    assert await last_day(world, person, document) == LAST
    await retention.answer(patient, proposed.id, agreed=True)
    assert await last_day(world, person, document) == date(2030, 1, 1)
    assert await changes(world, person) == ["proposed", "agreed"]
    assert (await refusal_of(retention.answer(patient, proposed.id, agreed=True)))[0] == 404
    again = await retention.propose(doctor, person.id, document.id, FOR_LIFE)
    await retention.answer(patient, again.id, agreed=False)
    assert await last_day(world, person, document) == date(2030, 1, 1)
    newer = await retention.propose(doctor, person.id, document.id, FOR_LIFE)
    newest = await retention.propose(doctor, person.id, document.id, FOR_LIFE)
    assert (await refusal_of(retention.answer(patient, newer.id, agreed=True)))[0] == 404
    await retention.answer(patient, newest.id, agreed=True)
    ((agreement, _),) = await retention.agreements(patient)
    assert agreement.is_for_life and agreement.proposer == doctor.name


async def test_shorter_retention_is_told_like_any_other(world, person, document, now):
    retention, patient = world.record.retention, requester_of(person)
    proposed = await retention.propose(world.people["doctor"], person.id, document.id, date(2029, 1, 15))
    await retention.answer(patient, proposed.id, agreed=True)
    now.set(datetime(2028, 10, 20, 12, tzinfo=UTC))
    await months(world, now.at, datetime(2029, 1, 15, tzinfo=UTC))
    await executor_of(world).run()
    (planned,) = await world.access.dispositions.find_open(person.id)
    assert planned.due_at == end_of(date(2029, 1, 31))
    now.set(planned.due_at)
    await executor_of(world).run()
    assert (await refusal_of(world.record.document(patient, person.id, document.id)))[0] == 404


@pytest.mark.parametrize("until", [date(2028, 4, 1), LAST, date(2040, 1, 1)])
async def test_day_that_is_too_early_or_not_shorter_is_refused(world, person, document, until):
    refused = await refusal_of(world.record.retention.propose(world.people["doctor"], person.id, document.id, until))
    assert refused == (422, "value")


async def test_only_the_author_proposes_and_only_the_person_decides(world, person, document):
    retention, patient = world.record.retention, requester_of(person)
    doctor, other = world.people["doctor"], world.people["other"]
    stranger = requester_of(await world.person())
    assert (await refusal_of(retention.propose(other, person.id, document.id, FOR_LIFE)))[0] == 404
    await world.into_circle(person, world.people["other_entry"])
    assert (await refusal_of(retention.propose(other, person.id, document.id, FOR_LIFE)))[0] == 403
    assert (await refusal_of(retention.propose(patient, person.id, document.id, FOR_LIFE)))[0] == 403
    assert (await refusal_of(retention.propose(doctor, person.id, uuid7(), FOR_LIFE)))[0] == 404
    proposed = await retention.propose(doctor, person.id, document.id, FOR_LIFE)
    for requester in (doctor, world.people["operator"]):
        assert (await refusal_of(retention.answer(requester, proposed.id, agreed=True)))[0] == 403
        assert (await refusal_of(retention.keep(requester, document.series_id)))[0] == 403
        assert (await refusal_of(retention.holdings(requester)))[0] == 403
    assert (await refusal_of(retention.answer(stranger, proposed.id, agreed=True)))[0] == 404
    assert (await refusal_of(retention.keep(stranger, document.series_id)))[0] == 404
    assert await last_day(world, person, document) == LAST


async def test_next_version_keeps_what_was_agreed(world, person, document):
    patient, doctor = requester_of(person), world.people["doctor"]
    await world.record.retention.keep(patient, document.series_id)
    second = (await world.record.deposit(doctor, person.id, *letter(), replaces=document.id)).document
    assert await last_day(world, person, second) == FOR_LIFE


async def test_closed_record_shows_nothing_and_changes_nothing(world, person, document):
    patient = requester_of(person)
    await world.access.lifecycle.change(patient, "close")
    assert (await world.record.retention.holdings(patient, "all")).documents.items == []
    assert await world.record.retention.agreements(patient) == []
    assert (await refusal_of(world.record.retention.keep(patient, document.series_id)))[0] == 404


async def test_list_is_searched_and_paged_by_the_last_day(world, person, document, now):
    retention, patient = world.record.retention, requester_of(person)
    titles = ["Résumé", "Bilan", "Rapport", "Résultat"]
    for title in titles:
        now.advance(days=1)
        await months(world, now.at)
        content, meta = letter(confidentiality=Confidentiality.NORMAL)
        await world.record.deposit(world.people["doctor"], person.id, content, replace(meta, title=title))
    seen, cursor = [], None
    while True:
        page = (await retention.holdings(patient, "all", cursor=cursor, limit=2)).documents
        seen += [one.title for one in page.items]
        if (cursor := page.next) is None:
            break
    assert seen == ["Letter", *titles]
    found = (await retention.holdings(patient, "all", "resu")).documents.items
    assert [one.title for one in found] == ["Résumé", "Résultat"]
    assert (await refusal_of(retention.holdings(patient, cursor="bad!")))[0] == 400
