"""The lifecycle of records on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.journal import advance
from esante.identity.access import (
    RecordState,
    StateChanged,
)
from tests.identity.access.conftest import terms
from tests.support.consent import access_events, problem_of, read_verdict


async def test_record_opens_when_objection_period_ends(house, journal):
    patient = await house.patient()
    days = terms().objection_days
    sent = datetime.now(UTC) - timedelta(days=days - 1)
    assert await house.access.lifecycle.announce([patient.id], at=sent) == 1
    assert await house.access.lifecycle.announce([patient.id]) == 0
    await house.access.lifecycle.open_due(datetime.now(UTC))
    assert (await house.access.consent(patient.id)).state is RecordState.ANNOUNCED
    due = sent + timedelta(days=days)
    await house.access.lifecycle.open_due(due)
    assert (await house.access.consent(patient.id)).state is RecordState.OPEN
    assert await access_events(journal, patient.id, StateChanged) == [
        StateChanged(before="none", after="announced", until=due),
        StateChanged(before="announced", after="open"),
    ]


async def test_concurrent_openers_open_each_record_once(house, journal):
    patients = [await house.patient() for _ in range(5)]
    await house.access.lifecycle.announce([p.id for p in patients], at=datetime.now(UTC) - timedelta(days=31))
    opened = await asyncio.gather(*(house.access.lifecycle.open_due() for _ in range(4)))
    assert sum(opened) == 5
    for patient in patients:
        assert len(await access_events(journal, patient.id, StateChanged)) == 2


async def test_objection_keeps_record_closed_until_reopened(house):
    patient = await house.patient()
    await house.access.lifecycle.announce([patient.id], at=datetime.now(UTC) - timedelta(days=1))
    assert await house.access.lifecycle.change(patient, "object") is RecordState.OBJECTED
    await house.access.lifecycle.open_due(datetime.now(UTC) + timedelta(days=40))
    assert (await house.access.consent(patient.id)).state is RecordState.OBJECTED
    assert await house.access.lifecycle.change(patient, "reopen") is RecordState.OPEN


async def test_closing_twice_is_journalled_once_and_denies_all_but_the_patient(house, journal):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.access.lifecycle.change(patient, "close")
    await house.access.lifecycle.change(patient, "close")
    assert [event.after for event in await access_events(journal, patient.id, StateChanged)] == [
        "announced",
        "open",
        "closed",
    ]
    assert (await read_verdict(house, patient, house.doctor)).rule == "record.closed"
    assert (await read_verdict(house, patient, patient)).allowed


@pytest.mark.parametrize("act", ["close", "reopen", "object", "burn"])
async def test_change_without_record_is_conflict(house, act):
    assert (await problem_of(house.access.lifecycle.change(await house.patient(), act))).status == 409


async def test_only_patient_changes_own_record(house):
    patient = await house.open_patient()
    for stranger in (house.doctor, house.operator, house.software):
        assert (await problem_of(house.access.lifecycle.change(stranger, "close"))).status == 403
        assert (await problem_of(house.access.codes.issue(stranger))).status == 403
    grant = await house.access.grants.add_to_circle(patient, house.doctor.id)
    other = await house.open_patient()
    assert (await problem_of(house.access.grants.revoke(other, grant.id))).status == 404
    assert (await read_verdict(house, patient, house.doctor)).allowed


async def test_death_ends_grants_and_prevents_announcement(house, journal):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.directory.mark_deceased(patient.id, datetime.now(UTC), actor=house.operator.actor)
    await journal.sealer.seal_all()
    (reader,) = house.access.lifecycle.consumers()
    while await advance(journal.db, reader):
        pass
    assert (await read_verdict(house, patient, house.doctor)).rule == "read.dead"
    assert not (await read_verdict(house, patient, patient)).allowed
    gone = await house.patient()
    await house.directory.mark_deceased(gone.id, datetime.now(UTC), actor=house.operator.actor)
    assert await house.access.lifecycle.announce([gone.id]) == 0
