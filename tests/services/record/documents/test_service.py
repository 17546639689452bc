"""Timeline, confidentiality and the journal entries of the record service."""

from datetime import date, timedelta

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import (
    ConfidentialitySet,
    Deposit,
    DepositedEvent,
    Filters,
    Listed,
    Order,
    Read,
    Refused,
)
from tests.support.record import image, letter, refusal_of


async def test_hidden_versions_stay_visible_to_author_only(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    hospital, doctor, patient = world.people["hospital"], world.people["doctor"], requester_of(person)
    first = (await world.record.deposit(hospital, person.id, *letter())).document
    second = (await world.record.deposit(hospital, person.id, *letter(), replaces=first.id)).document
    assert await refusal_of(
        world.record.set_confidentiality(doctor, person.id, second.id, Confidentiality.HIDDEN)
    ) == (
        403,
        "forbidden",
    )
    await world.record.set_confidentiality(patient, person.id, second.id, Confidentiality.HIDDEN)
    third = (await world.record.deposit(hospital, person.id, *letter(), replaces=second.id)).document
    assert third.confidentiality is Confidentiality.HIDDEN
    for version in (first, second, third):
        assert await refusal_of(world.record.content(doctor, person.id, version.id)) == (404, "not-found")
        assert await world.record.content(hospital, person.id, version.id)
        assert await world.record.content(patient, person.id, version.id)
    [(_, event)] = await world.events(person, ConfidentialitySet)
    assert event.level == "hidden"


async def test_restricted_document_is_visible_to_circle_only(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    document = (
        await world.record.deposit(
            world.people["laboratory"],
            person.id,
            image(),
            Deposit(type="11502-2", confidentiality=Confidentiality.RESTRICTED),
        )
    ).document
    await world.access.stays.admit(world.people["hospital"], person.id)
    assert await world.record.content(world.people["doctor"], person.id, document.id)
    assert await refusal_of(world.record.content(world.people["surgeon"], person.id, document.id)) == (
        404,
        "not-found",
    )


@pytest.mark.parametrize("order", Order)
async def test_timeline_pages_follow_in_order(world, order):
    person = await world.person()
    hospital, patient = world.people["hospital"], requester_of(person)
    deposited = []
    for number in range(7):
        day = date(2024, 1, 1) + timedelta(days=number * 3 % 7)
        content, meta = letter(event_date=day)
        deposited.append((await world.record.deposit(hospital, person.id, content, meta)).document)
    expected = {
        Order.NEWEST: sorted(deposited, key=lambda d: (d.event_date, d.id), reverse=True),
        Order.OLDEST: sorted(deposited, key=lambda d: (d.event_date, d.id)),
        Order.DEPOSITED: deposited[::-1],
    }[order]
    listed, cursor, pages = [], None, 0
    while True:
        page = await world.record.timeline(patient, person.id, cursor=cursor, limit=3, order=order)
        listed += page.documents
        pages += 1
        if (cursor := page.next) is None:
            break
    assert [document.id for document in listed] == [document.id for document in expected]
    assert pages == 3


async def test_timeline_applies_filters(world):
    person = await world.person()
    hospital, patient = world.people["hospital"], requester_of(person)
    one = (await world.record.deposit(hospital, person.id, *letter(event_date=date(2023, 5, 1)))).document
    content, _ = letter()
    meta = Deposit(type="11488-4", title="Évaluation", event_date=date(2024, 6, 1))
    two = (await world.record.deposit(world.people["doctor"], person.id, content, meta)).document

    async def ids(**filters):
        return [d.id for d in (await world.record.timeline(patient, person.id, Filters(**filters))).documents]

    assert await ids(category=("letter",)) == [one.id]
    assert await ids(type=("11488-4", "51852-2")) == [two.id, one.id]
    assert await ids(text="evaluation") == [two.id]
    assert await ids(text="hopital NORD") == [one.id]
    assert await ids(since=date(2023, 5, 1), until=date(2023, 5, 1)) == [one.id]
    assert await ids(author=world.people["doctor"].id) == [two.id]
    assert await ids(author=hospital.id) == [one.id]
    assert await ids(text="nothing like it") == []


async def test_every_access_is_journalled(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    hospital, doctor = world.people["hospital"], world.people["doctor"]
    document = (await world.record.deposit(hospital, person.id, *letter())).document
    timeline = await world.record.timeline(doctor, person.id)
    assert timeline.grant.holder_id == doctor.id
    await world.record.document(doctor, person.id, document.id)
    await world.record.content(doctor, person.id, document.id)
    await refusal_of(world.record.content(world.people["other"], person.id, document.id))
    await refusal_of(world.record.content(world.people["other"], person.id, uuid7()))
    entries = [
        (event.TYPE, entry.actor.id, event.allowed, event.rule, event.categories, event.documents)
        for entry, event in await world.events(person, DepositedEvent, Listed, Read, Refused)
    ]
    other = world.people["other"].id
    assert entries == [
        ("record.deposited", hospital.id, True, "write.matrix", ("letter",), (document.id,)),
        ("record.listed", doctor.id, True, "grant.circle", ("letter",), ()),
        ("record.listed", doctor.id, True, "grant.circle", ("letter",), (document.id,)),
        ("record.read", doctor.id, True, "grant.circle", ("letter",), (document.id,)),
        ("record.refused", other, False, "no-grant", ("letter",), (document.id,)),
        ("record.refused", other, False, "record.absent", (), ()),
    ]


async def test_patient_has_no_access_to_other_record(world):
    own, other = await world.person(), await world.person()
    document = (await world.record.deposit(world.people["hospital"], other.id, *letter())).document
    patient = requester_of(own)
    assert (await world.record.timeline(patient, other.id)).documents == ()
    assert await refusal_of(world.record.content(patient, other.id, document.id)) == (404, "not-found")
    note = Deposit(type="51855-5")
    assert await refusal_of(world.record.deposit(patient, other.id, b"note", note)) == (422, "not-found")
    assert await refusal_of(world.record.deposit(patient, uuid7(), b"note", note)) == (422, "not-found")
