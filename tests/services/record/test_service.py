"""Deposit, read, replace, withdraw, correct and restrict, through the service."""

import asyncio
from datetime import date, timedelta

import orjson
import pytest

from esante.core.storage import INLINE_LIMIT, uuid7
from esante.core.web import Problem
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import (
    ConfidentialitySet,
    Corrected,
    Deposit,
    DepositedEvent,
    Filters,
    InvalidContent,
    Listed,
    Order,
    Read,
    Refused,
    Replaced,
    Status,
    Withdrawn,
)

from .conftest import cda, fhir_document, image, letter, pdf

FORMATS = {
    "fhir": lambda: (orjson.dumps(fhir_document()), Deposit()),
    "pdf": lambda: (pdf(), Deposit(type="11504-8", media_type="application/pdf")),
    "cda": lambda: (cda(), Deposit()),
    "png": lambda: (image("PNG"), Deposit(type="18748-4")),
    "jpeg": lambda: (image("JPEG"), Deposit(type="18748-4")),
    "text": letter,
    "large text": lambda: letter("x" * (INLINE_LIMIT + 1) + uuid7().hex),
}


@pytest.mark.parametrize("kind", FORMATS)
async def test_every_format_comes_back_as_it_came_in(world, kind):
    person = await world.person()
    content, meta = FORMATS[kind]()
    hospital = world.people["hospital"]
    deposited = await world.record.deposit(hospital, person.id, content, meta)
    assert deposited.created
    document, back = await world.record.content(requester_of(person), person.id, deposited.document.id)
    assert back == content
    assert document == deposited.document
    assert document.size == len(content)
    assert document.organization == "Hôpital du Nord"


async def test_what_a_document_says_of_itself_is_taken_over(world):
    person = await world.person()
    document = (await world.record.deposit(world.people["hospital"], person.id, cda(), Deposit())).document
    assert (document.type, document.category, document.title, document.language, document.event_date) == (
        "34133-9",
        "patient_summary",
        "Résumé",
        "fr",
        date(2024, 3, 11),
    )


async def test_the_same_bytes_are_one_document(world):
    person = await world.person()
    content, meta = letter()
    hospital = world.people["hospital"]
    first = await world.record.deposit(hospital, person.id, content, meta)
    again = await world.record.deposit(hospital, person.id, content, meta)
    assert (first.created, again.created) == (True, False)
    assert again.document == first.document


async def test_the_same_bytes_by_32_at_once_are_one_document(world):
    person = await world.person()
    content, meta = letter()
    hospital = world.people["hospital"]
    answers = await asyncio.gather(*(world.record.deposit(hospital, person.id, content, meta) for _ in range(32)))
    assert len({answer.document.id for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1
    assert len(await world.events(person, DepositedEvent)) == 1


async def test_bytes_of_another_are_told_of_only_to_who_sees_them(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    content, meta = letter()
    first = await world.record.deposit(world.people["hospital"], person.id, content, meta)
    seeing = await world.record.deposit(world.people["doctor"], person.id, content, meta)
    blind = await world.record.deposit(world.people["other"], person.id, content, meta)
    assert (seeing.created, seeing.document.id) == (False, first.document.id)
    assert blind.created


async def test_versions_form_a_chain(world):
    person = await world.person()
    hospital = world.people["hospital"]
    first = (await world.record.deposit(hospital, person.id, *letter())).document
    second = (await world.record.deposit(hospital, person.id, *letter(), replaces=first.id)).document
    third = (await world.record.deposit(hospital, person.id, *letter(), replaces=second.id)).document
    chain = await world.record.versions(requester_of(person), person.id, first.id)
    assert [(version.id, version.version, version.status) for version in chain] == [
        (third.id, 3, Status.CURRENT),
        (second.id, 2, Status.SUPERSEDED),
        (first.id, 1, Status.SUPERSEDED),
    ]
    listed = await world.record.timeline(requester_of(person), person.id)
    assert [document.id for document in listed.documents] == [third.id]
    assert len(await world.events(person, Replaced)) == 2


async def test_a_retried_replacement_answers_with_the_version_that_is_there(world):
    person = await world.person()
    hospital = world.people["hospital"]
    first = (await world.record.deposit(hospital, person.id, *letter())).document
    new = letter()
    once = await world.record.deposit(hospital, person.id, *new, replaces=first.id)
    twice = await world.record.deposit(hospital, person.id, *new, replaces=first.id)
    assert (twice.created, twice.document.id) == (False, once.document.id)


async def test_of_two_replacements_at_once_one_wins(world):
    person = await world.person()
    hospital = world.people["hospital"]
    first = (await world.record.deposit(hospital, person.id, *letter())).document
    answers = await asyncio.gather(
        *(world.record.deposit(hospital, person.id, *letter(), replaces=first.id) for _ in range(4)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Problem)]
    assert [problem.status for problem in refused] == [409, 409, 409]
    assert len(await world.record.versions(hospital, person.id, first.id)) == 2


async def test_only_the_author_replaces(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    first = (await world.record.deposit(world.people["hospital"], person.id, *letter())).document
    assert await _refused(world.record.deposit(world.people["doctor"], person.id, *letter(), replaces=first.id)) == (
        403,
        "forbidden",
    )
    assert await _refused(world.record.deposit(world.people["other"], person.id, *letter(), replaces=first.id)) == (
        404,
        "not-found",
    )


async def test_withdrawn_by_its_author_with_a_reason(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    document = (await world.record.deposit(world.people["hospital"], person.id, *letter())).document
    assert await _refused(world.record.withdraw(world.people["doctor"], person.id, document.id, "no")) == (
        403,
        "forbidden",
    )
    with pytest.raises(InvalidContent):
        await world.record.withdraw(world.people["surgeon"], person.id, document.id, "  ")
    await world.record.withdraw(world.people["surgeon"], person.id, document.id, "mixed up two samples")
    [(_, told)] = await world.events(person, Withdrawn)
    assert told.why == "mixed up two samples"
    assert (await world.record.timeline(requester_of(person), person.id)).documents == ()
    [withdrawn] = (
        await world.record.timeline(requester_of(person), person.id, Filters(status=(Status.WITHDRAWN,)))
    ).documents
    assert withdrawn.withdrawn_reason == "mixed up two samples"
    assert await _refused(world.record.withdraw(world.people["hospital"], person.id, document.id, "again")) == (
        409,
        "conflict",
    )


async def test_a_patient_writes_and_withdraws_her_own_note(world):
    person = await world.person()
    me = requester_of(person)
    note = Deposit(type="51855-5", title="Headache diary", confidentiality=Confidentiality.HIDDEN)
    document = (await world.record.deposit(me, person.id, b"Monday: none.", note)).document
    assert (document.category, document.author_kind) == ("patient_note", "patient")
    await world.record.withdraw(me, person.id, document.id, "private")
    assert await _refused(world.record.deposit(me, person.id, b"I say so", Deposit(type="18842-5"))) == (
        403,
        "forbidden",
    )


async def test_wrong_patient(world):
    wrong, right = await world.person(), await world.person("Reuter")
    hospital, doctor = world.people["hospital"], world.people["doctor"]
    await world.into_circle(wrong, world.people["doctor_entry"])
    await world.into_circle(right, world.people["doctor_entry"])
    content, meta = letter()
    document = (await world.record.deposit(hospital, wrong.id, content, meta)).document
    moved = await world.record.correct_person(hospital, wrong.id, document.id, right.id, "names mixed up")

    everything = Filters(status=())
    for who in (requester_of(wrong), doctor):
        assert (await world.record.timeline(who, wrong.id, everything)).documents == ()
        assert await _refused(world.record.content(who, wrong.id, document.id)) == (404, "not-found")
    [left] = (await world.record.timeline(hospital, wrong.id, everything)).documents
    assert (left.status, left.misfiled) == (Status.WITHDRAWN, True)
    assert (await world.record.content(world.people["operator"], wrong.id, document.id))[1] == content
    assert (await world.record.content(requester_of(right), right.id, moved.id))[1] == content
    [(_, out)] = await world.events(wrong, Corrected)
    [(_, into)] = await world.events(right, Corrected)
    assert (out.moved, out.documents, into.moved, into.documents) == ("out", (document.id,), "in", (moved.id,))


async def test_wrong_patient_with_a_closed_record_changes_nothing(world):
    wrong, right = await world.person(), await world.person(opened=False)
    hospital = world.people["hospital"]
    document = (await world.record.deposit(hospital, wrong.id, *letter())).document
    assert await _refused(
        world.record.correct_person(hospital, wrong.id, document.id, right.id, "names mixed up")
    ) == (403, "forbidden")
    assert (await world.record.document(hospital, wrong.id, document.id)).status is Status.CURRENT
    assert await world.events(right, Corrected) == []


async def test_the_patient_hides_all_versions_and_the_author_keeps_sight(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    hospital, doctor, me = world.people["hospital"], world.people["doctor"], requester_of(person)
    first = (await world.record.deposit(hospital, person.id, *letter())).document
    second = (await world.record.deposit(hospital, person.id, *letter(), replaces=first.id)).document
    assert await _refused(world.record.set_confidentiality(doctor, person.id, second.id, Confidentiality.HIDDEN)) == (
        403,
        "forbidden",
    )
    await world.record.set_confidentiality(me, person.id, second.id, Confidentiality.HIDDEN)
    third = (await world.record.deposit(hospital, person.id, *letter(), replaces=second.id)).document
    assert third.confidentiality is Confidentiality.HIDDEN
    for version in (first, second, third):
        assert await _refused(world.record.content(doctor, person.id, version.id)) == (404, "not-found")
        assert await world.record.content(hospital, person.id, version.id)
        assert await world.record.content(me, person.id, version.id)
    [(_, told)] = await world.events(person, ConfidentialitySet)
    assert told.level == "hidden"


async def test_restricted_reaches_the_circle_only(world):
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
    assert await _refused(world.record.content(world.people["surgeon"], person.id, document.id)) == (404, "not-found")


async def test_only_the_patient_hides_at_deposit(world):
    person = await world.person()
    with pytest.raises(InvalidContent) as refused:
        content, meta = letter(confidentiality=Confidentiality.HIDDEN)
        await world.record.deposit(world.people["hospital"], person.id, content, meta)
    assert refused.value.key == "hidden-by-author"


async def test_a_record_that_is_not_open_takes_nothing_in(world):
    person = await world.person(opened=False)
    assert await _refused(world.record.deposit(world.people["hospital"], person.id, *letter())) == (403, "forbidden")
    [(_, told)] = await world.events(person, Refused)
    assert (told.action, told.allowed, told.rule) == ("deposit", False, "record.none")


async def test_an_unknown_person_takes_nothing_in(world):
    assert await _refused(world.record.deposit(world.people["hospital"], uuid7(), *letter())) == (422, "not-found")


async def test_the_author_may_be_a_practitioner_of_the_organisation(world):
    person = await world.person()
    surgeon = world.people["surgeon"]
    content, meta = letter(author_id=surgeon.id)
    document = (await world.record.deposit(world.people["hospital"], person.id, content, meta)).document
    assert (document.author_id, document.author, document.organization_id) == (
        surgeon.id,
        "Marc Kieffer",
        world.people["hospital"].id,
    )
    content, meta = letter(author_id=world.people["doctor"].id)
    with pytest.raises(InvalidContent) as refused:
        await world.record.deposit(world.people["hospital"], person.id, content, meta)
    assert refused.value.key == "author-unknown"


async def test_all_documents_of_an_act_or_none(world):
    from esante.services.record import DepositItem

    person = await world.person()
    hospital = world.people["hospital"]
    entries = [DepositItem(content=content, meta=meta) for content, meta in (letter(), letter())]
    broken = DepositItem(content=letter()[0], meta=Deposit(type="51852-2", media_type="application/pdf"))
    with pytest.raises(InvalidContent):
        await world.record.deposit_all(hospital, person.id, [*entries, broken])
    assert (await world.record.timeline(hospital, person.id)).documents == ()
    absent = DepositItem(content=letter()[0], meta=letter()[1], replaces=uuid7())
    assert await _refused(world.record.deposit_all(hospital, person.id, [*entries, absent])) == (404, "not-found")
    assert (await world.record.timeline(hospital, person.id)).documents == ()
    kept = await world.record.deposit_all(hospital, person.id, [*entries, entries[0]])
    assert [answer.created for answer in kept] == [True, True, False]


@pytest.mark.parametrize("order", Order)
async def test_pages_of_a_timeline_follow_each_other(world, order):
    person = await world.person()
    hospital, me = world.people["hospital"], requester_of(person)
    made = []
    for number in range(7):
        day = date(2024, 1, 1) + timedelta(days=number * 3 % 7)
        content, meta = letter(event_date=day)
        made.append((await world.record.deposit(hospital, person.id, content, meta)).document)
    expected = {
        Order.NEWEST: sorted(made, key=lambda d: (d.event_date, d.id), reverse=True),
        Order.OLDEST: sorted(made, key=lambda d: (d.event_date, d.id)),
        Order.DEPOSITED: made[::-1],
    }[order]
    seen, cursor, pages = [], None, 0
    while True:
        page = await world.record.timeline(me, person.id, cursor=cursor, limit=3, order=order)
        seen += page.documents
        pages += 1
        if (cursor := page.next) is None:
            break
    assert [document.id for document in seen] == [document.id for document in expected]
    assert pages == 3


async def test_a_timeline_is_filtered(world):
    person = await world.person()
    hospital, me = world.people["hospital"], requester_of(person)
    one = (await world.record.deposit(hospital, person.id, *letter(event_date=date(2023, 5, 1)))).document
    content, _ = letter()
    meta = Deposit(type="11488-4", title="Évaluation", event_date=date(2024, 6, 1))
    two = (await world.record.deposit(world.people["doctor"], person.id, content, meta)).document

    async def ids(**filters):
        return [d.id for d in (await world.record.timeline(me, person.id, Filters(**filters))).documents]

    assert await ids(category=("letter",)) == [one.id]
    assert await ids(type=("11488-4", "51852-2")) == [two.id, one.id]
    assert await ids(text="evaluation") == [two.id]
    assert await ids(text="hopital NORD") == [one.id]
    assert await ids(since=date(2023, 5, 1), until=date(2023, 5, 1)) == [one.id]
    assert await ids(author=world.people["doctor"].id) == [two.id]
    assert await ids(author=hospital.id) == [one.id]
    assert await ids(text="nothing like it") == []


async def test_every_access_is_told(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    hospital, doctor = world.people["hospital"], world.people["doctor"]
    document = (await world.record.deposit(hospital, person.id, *letter())).document
    timeline = await world.record.timeline(doctor, person.id)
    assert timeline.grant.holder_id == doctor.id
    await world.record.document(doctor, person.id, document.id)
    await world.record.content(doctor, person.id, document.id)
    await _refused(world.record.content(world.people["other"], person.id, document.id))
    await _refused(world.record.content(world.people["other"], person.id, uuid7()))
    told = [
        (event.TYPE, entry.actor.id, event.allowed, event.rule, event.categories, event.documents)
        for entry, event in await world.events(person, DepositedEvent, Listed, Read, Refused)
    ]
    other = world.people["other"].id
    assert told == [
        ("record.deposited", hospital.id, True, "write.matrix", ("letter",), (document.id,)),
        ("record.listed", doctor.id, True, "grant.circle", ("letter",), ()),
        ("record.listed", doctor.id, True, "grant.circle", ("letter",), (document.id,)),
        ("record.read", doctor.id, True, "grant.circle", ("letter",), (document.id,)),
        ("record.refused", other, False, "no-grant", ("letter",), (document.id,)),
        ("record.refused", other, False, "record.absent", (), ()),
    ]


async def test_a_patient_sees_no_other_record(world):
    mine, hers = await world.person(), await world.person()
    document = (await world.record.deposit(world.people["hospital"], hers.id, *letter())).document
    me = requester_of(mine)
    assert (await world.record.timeline(me, hers.id)).documents == ()
    assert await _refused(world.record.content(me, hers.id, document.id)) == (404, "not-found")
    note = Deposit(type="51855-5")
    assert await _refused(world.record.deposit(me, hers.id, b"note", note)) == (422, "not-found")
    assert await _refused(world.record.deposit(me, uuid7(), b"note", note)) == (422, "not-found")


async def _refused(act) -> tuple[int, str]:
    with pytest.raises(Problem) as refused:
        await act
    return refused.value.status, refused.value.code
