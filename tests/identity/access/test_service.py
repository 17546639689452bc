"""Records, grants, codes, emergencies and restrictions on a real database."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from esante.core.journal import EVENTS, advance
from esante.core.storage import NIL, uuid7
from esante.core.web import Problem
from esante.identity.access import (
    AccessEvent,
    Action,
    CodeRefused,
    Confidentiality,
    EmergencyDeclared,
    EmergencyReviewed,
    Granted,
    GrantEnded,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    SharingChanged,
    StateChanged,
    decide,
)

from .conftest import terms, within_one_window

LETTER = Item(category="letter")


async def told(journal, person_id, *types):
    """What the journal tells of a person, oldest first."""
    wanted = types or [type_ for name, type_ in EVENTS.items() if name.startswith("access.")]
    return [entry.event for entry in reversed(await journal.entries_of(person_id, wanted, limit=100))]


async def sees(house, patient, requester, item=LETTER, purpose=Purpose.TREATMENT):
    consent = await house.access.consent(patient.id)
    return decide(consent, requester, Action.READ, item, purpose, datetime.now(UTC))


async def refused(awaitable):
    with pytest.raises(Problem) as caught:
        await awaitable
    return caught.value


# The life of a record


async def test_nobody_has_a_record_before_the_letter(house):
    consent = await house.access.consent(uuid7())
    assert (consent.state, consent.grants, consent.blocked) == (RecordState.NONE, (), frozenset())


async def test_a_record_opens_by_itself_after_the_time_to_object_and_not_before(house, journal):
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
    assert await told(journal, patient.id, StateChanged) == [
        StateChanged(before="none", after="announced", until=due),
        StateChanged(before="announced", after="open"),
    ]


async def test_two_openers_at_once_open_each_record_once(house, journal):
    patients = [await house.patient() for _ in range(5)]
    await house.access.lifecycle.announce([p.id for p in patients], at=datetime.now(UTC) - timedelta(days=31))
    opened = await asyncio.gather(*(house.access.lifecycle.open_due() for _ in range(4)))
    assert sum(opened) == 5
    for patient in patients:
        assert len(await told(journal, patient.id, StateChanged)) == 2


async def test_a_person_objects_in_time_and_changes_her_mind(house):
    patient = await house.patient()
    await house.access.lifecycle.announce([patient.id], at=datetime.now(UTC) - timedelta(days=1))
    assert await house.access.lifecycle.change(patient, "object") is RecordState.OBJECTED
    await house.access.lifecycle.open_due(datetime.now(UTC) + timedelta(days=40))
    assert (await house.access.consent(patient.id)).state is RecordState.OBJECTED
    assert await house.access.lifecycle.change(patient, "reopen") is RecordState.OPEN


async def test_closing_twice_is_told_once_and_closes_for_everybody_but_her(house, journal):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.access.lifecycle.change(patient, "close")
    await house.access.lifecycle.change(patient, "close")
    assert [event.after for event in await told(journal, patient.id, StateChanged)] == ["announced", "open", "closed"]
    assert (await sees(house, patient, house.doctor)).rule == "record.closed"
    assert (await sees(house, patient, patient)).allowed


@pytest.mark.parametrize("act", ["close", "reopen", "object", "burn"])
async def test_a_record_that_is_not_there_cannot_change(house, act):
    assert (await refused(house.access.lifecycle.change(await house.patient(), act))).status == 409


async def test_nobody_rules_over_the_record_of_another(house):
    patient = await house.open_patient()
    for stranger in (house.doctor, house.operator, house.software):
        assert (await refused(house.access.lifecycle.change(stranger, "close"))).status == 403
        assert (await refused(house.access.codes.issue(stranger))).status == 403
    grant = await house.access.grants.add_to_circle(patient, house.doctor.id)
    other = await house.open_patient()
    assert (await refused(house.access.grants.revoke(other, grant.id))).status == 404
    assert (await sees(house, patient, house.doctor)).allowed


async def test_the_dead_get_no_record_and_a_death_ends_the_grants(house, journal):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.directory.mark_deceased(patient.id, datetime.now(UTC), actor=house.operator.actor)
    await journal.sealer.seal_all()
    (reader,) = house.access.consumers()
    while await advance(journal.db, reader):
        pass
    assert (await sees(house, patient, house.doctor)).rule == "read.dead"
    assert not (await sees(house, patient, patient)).allowed
    gone = await house.patient()
    await house.directory.mark_deceased(gone.id, datetime.now(UTC), actor=house.operator.actor)
    assert await house.access.lifecycle.announce([gone.id]) == 0


# Presence codes


async def test_a_code_gives_its_grant_to_who_enters_it_however_it_is_written(house, journal, fresh):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient, timedelta(hours=2))
    assert len(code) == 9 and code[4] == "-"
    doctor = fresh(house.doctor)
    grant = await house.access.codes.redeem(doctor, f"  {code.lower().replace('-', ' - ')} ")
    assert (grant.person_id, grant.kind, grant.until - grant.since) == (
        patient.id,
        GrantKind.PRESENCE,
        timedelta(hours=2),
    )
    assert (await sees(house, patient, doctor)).grant == grant
    assert not (await sees(house, patient, house.other_doctor)).allowed
    assert not (
        await sees(house, patient, doctor, replace(LETTER, confidentiality=Confidentiality.RESTRICTED))
    ).allowed
    (granted,) = await told(journal, patient.id, Granted)
    assert (granted.holder_id, granted.kind, granted.until) == (doctor.id, "presence_code", grant.until)


async def test_the_code_itself_is_kept_nowhere(house, journal, db):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    kept = await db.fetchval("SELECT string_agg(c::text, '') FROM access_code c")
    contents = await db.fetchval(
        "SELECT string_agg(convert_from(content, 'UTF8'), '') FROM journal_entry WHERE person_id = $1", patient.id
    )
    for text in (kept, contents):
        assert code not in text and code.replace("-", "") not in text


async def test_wrong_expired_used_and_foreign_codes_answer_the_same(house, journal, db, fresh):
    patient = await house.open_patient()
    used = await house.access.codes.issue(patient)
    await house.access.codes.redeem(fresh(house.doctor), used)
    old = await house.access.codes.issue(patient)
    await db.fetch("UPDATE access_code SET expires_at = now() - interval '1 second' WHERE used_at IS NULL")
    blocked = fresh(house.doctor)
    blocking = await house.open_patient()
    of_blocking = await house.access.codes.issue(blocking)
    await db.write([(_block(blocking, blocked))])
    closed = await house.open_patient()
    of_closed = await house.access.codes.issue(closed)
    await house.access.lifecycle.change(closed, "close")

    answers = []
    for requester, text in (
        (fresh(house.doctor), "AAAA-AAAA"),
        (fresh(house.doctor), ""),
        (fresh(house.doctor), "x" * 10_000),
        (fresh(house.doctor), "'; DROP TABLE access_code; --"),
        (fresh(house.doctor), "\x00\ud7ff\N{COMBINING ACUTE ACCENT}"),
        (fresh(house.doctor), used),
        (fresh(house.doctor), old),
        (blocked, of_blocking),
        (fresh(house.doctor), of_closed),
    ):
        problem = await refused(house.access.codes.redeem(requester, text))
        answers.append((problem.status, problem.code, problem.title, problem.remedy, problem.detail, problem.headers))
    assert set(map(str, answers)) == {str(answers[0])}
    assert answers[0][0] == 404
    assert [event.rule for event in await told(journal, patient.id, CodeRefused)] == ["code.used", "code.expired"]
    assert [event.rule for event in await told(journal, blocking.id, CodeRefused)] == ["code.blocked"]
    assert "code.unknown" in [event.rule for event in await told(journal, NIL, CodeRefused)]


def _block(patient, requester):
    from esante.identity.access.consent.store import BLOCK

    return BLOCK, (patient.id, requester.id, "practitioner", requester.name, datetime.now(UTC))


async def test_of_doctors_who_enter_one_code_at_once_exactly_one_gets_the_grant(house, journal, fresh):
    for _ in range(5):
        patient = await house.open_patient()
        code = await house.access.codes.issue(patient)
        doctors = [fresh(house.doctor) for _ in range(6)]
        outcomes = await asyncio.gather(
            *(house.access.codes.redeem(doctor, code) for doctor in doctors), return_exceptions=True
        )
        winners = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert len(winners) == 1
        assert {outcome.status for outcome in outcomes if isinstance(outcome, Problem)} == {404}
        assert len((await house.access.consent(patient.id)).grants) == 1
        assert len(await told(journal, patient.id, Granted)) == 1
        assert len(await told(journal, patient.id, CodeRefused)) == 5


async def test_guessing_is_limited_by_requester_and_by_origin(house, fresh):
    await within_one_window()
    guesser = fresh(house.doctor)
    statuses = [
        (await refused(house.access.codes.redeem(guesser, "AAAA-AAAA"))).status
        for _ in range(terms().attempts_per_requester)
    ]
    problem = await refused(house.access.codes.redeem(guesser, "AAAA-AAAA"))
    assert set(statuses) == {404}
    assert problem.status == 429
    assert 0 < int(problem.headers["Retry-After"]) <= terms().attempt_window.total_seconds()
    crowd = [replace(fresh(house.doctor), origin="203.0.113.9") for _ in range(terms().attempts_per_origin + 1)]
    outcomes = [(await refused(house.access.codes.redeem(one, "AAAA-AAAA"))).status for one in crowd]
    assert outcomes == [404] * terms().attempts_per_origin + [429]


async def test_a_right_code_does_not_get_past_the_limit(house, fresh):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    await within_one_window()
    guesser = fresh(house.doctor)
    for _ in range(terms().attempts_per_requester):
        await refused(house.access.codes.redeem(guesser, "AAAA-AAAA"))
    assert (await refused(house.access.codes.redeem(guesser, code))).status == 429
    assert (await house.access.codes.redeem(fresh(house.doctor), code)).person_id == patient.id


@pytest.mark.parametrize("lasts", [timedelta(minutes=59), timedelta(days=366), timedelta(0), timedelta(days=-1)])
async def test_a_code_lasts_from_an_hour_to_a_year(house, lasts):
    assert (await refused(house.access.codes.issue(await house.open_patient(), lasts))).status == 400


async def test_only_a_practitioner_enters_a_code(house):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    for other in (patient, house.software, house.operator):
        assert (await refused(house.access.codes.redeem(other, code))).status == 403


async def test_no_code_for_a_record_that_nobody_could_open(house):
    assert (await refused(house.access.codes.issue(await house.patient()))).status == 409
    patient = await house.open_patient()
    await house.access.restrictions.set_sharing(patient, sharing=False)
    assert (await refused(house.access.codes.issue(patient))).status == 409


# Circle


async def test_the_circle_sees_restricted_documents_until_it_is_revoked(house, journal):
    patient = await house.open_patient()
    first = await house.access.grants.add_to_circle(patient, house.doctor.id)
    assert await house.access.grants.add_to_circle(patient, house.doctor.id) == first
    restricted = replace(LETTER, confidentiality=Confidentiality.RESTRICTED)
    assert (await sees(house, patient, house.doctor, restricted)).rule == "grant.circle"
    await house.access.grants.revoke(patient, first.id)
    assert (await sees(house, patient, house.doctor, restricted)).rule == "no-grant"
    assert (await refused(house.access.grants.revoke(patient, first.id))).status == 404
    assert await house.access.grants.list_active(patient.id) == []
    assert len(await told(journal, patient.id, Granted)) == len(await told(journal, patient.id, GrantEnded)) == 1


async def test_the_circle_takes_no_one_twice_at_once_and_no_stranger(house):
    patient = await house.open_patient()
    await asyncio.gather(*(house.access.grants.add_to_circle(patient, house.doctor.id) for _ in range(5)))
    assert len(await house.access.grants.list_active(patient.id)) == 1
    assert (await refused(house.access.grants.add_to_circle(patient, uuid7()))).status == 404


async def test_my_patients_are_those_whose_record_opens(house, fresh):
    doctor = fresh(house.doctor)
    doctor = replace(doctor, organization_id=None)
    patients = [await house.open_patient() for _ in range(6)]
    for patient in patients:
        await house.access.codes.redeem(doctor, await house.access.codes.issue(patient))
    gone, blocked, closed, *kept = patients
    await house.access.restrictions.set_sharing(gone, sharing=False)
    await house.access.restrictions._db.write([_block(blocked, doctor)])
    await house.access.lifecycle.change(closed, "close")
    page = await house.access.grants.list_patients(doctor, limit=2)
    rest = await house.access.grants.list_patients(doctor, cursor=page.next, limit=2)
    found = [item.person.id for item in page.items + rest.items]
    assert found == [patient.id for patient in reversed(kept)]
    assert rest.next is None
    named = await house.access.grants.list_patients(doctor, text=kept[0].name.split()[-1].upper())
    assert [item.person.id for item in named.items] == [kept[0].id]
    assert (await refused(house.access.grants.list_patients(doctor, cursor="!!"))).status == 400


# Emergencies


async def declare(house, requester, patient, reason="Unconscious after a fall", birth_date=date(1970, 5, 17)):
    return await house.access.emergencies.declare(requester, await house.identifier(patient), birth_date, reason)


async def test_an_emergency_opens_for_reading_tells_the_person_and_waits_for_review(house, journal, fresh):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    grant = await declare(house, doctor, patient)
    restricted, hidden = (
        replace(LETTER, confidentiality=level) for level in (Confidentiality.RESTRICTED, Confidentiality.HIDDEN)
    )
    verdict = await sees(house, patient, doctor, restricted, Purpose.EMERGENCY)
    assert (verdict.rule, verdict.grant) == ("grant.emergency", grant)
    assert not (await sees(house, patient, doctor, hidden, Purpose.EMERGENCY)).allowed
    consent = await house.access.consent(patient.id)
    now = datetime.now(UTC)
    assert not decide(consent, doctor, Action.WRITE, LETTER, Purpose.EMERGENCY, now).allowed
    (event,) = await told(journal, patient.id, EmergencyDeclared)
    assert (event.justification, event.grant_id, event.allowed) == ("Unconscious after a fall", grant.id, True)
    assert isinstance(event, AccessEvent)

    waiting = [review.grant_id for review, _ in (await house.access.emergencies.list_reviews(house.operator)).items]
    assert grant.id in waiting
    await house.access.emergencies.review(house.operator, grant.id, "justified", "called the doctor")
    assert (await refused(house.access.emergencies.review(house.operator, grant.id, "unjustified", ""))).status == 409
    done = (await house.access.emergencies.list_reviews(house.operator, done=True)).items
    assert [(r.verdict, r.note, p.id) for r, p in done if r.grant_id == grant.id] == [
        ("justified", "called the doctor", patient.id)
    ]
    assert await told(journal, patient.id, EmergencyReviewed) == [
        EmergencyReviewed(grant_id=grant.id, verdict="justified")
    ]


async def test_the_queue_is_read_page_by_page(house, fresh):
    grants = [await declare(house, fresh(house.other_doctor), await house.open_patient()) for _ in range(3)]
    seen, cursor = [], None
    while True:
        page = await house.access.emergencies.list_reviews(house.operator, cursor=cursor, limit=2)
        seen += [review.grant_id for review, _ in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen[:3] == [grant.id for grant in reversed(grants)]
    assert len(seen) == len(set(seen))
    for cursor in ("x", "WyJ4Il0", "WzFd", ""):
        assert (await refused(house.access.emergencies.list_reviews(house.operator, cursor=cursor))).status == 400


async def test_unknown_closed_blocking_and_opted_out_persons_answer_the_same(house, journal, fresh):
    doctor = house.other_doctor
    closed, out, blocking, fine = [await house.open_patient() for _ in range(4)]
    await house.access.lifecycle.change(closed, "close")
    await house.access.restrictions.set_sharing(out, sharing=False)
    await house.access.restrictions.block(blocking, "practitioner", doctor.id)
    problems = [
        await refused(declare(house, replace(doctor, origin="192.0.2.77"), closed)),
        await refused(declare(house, replace(doctor, origin="192.0.2.77"), out)),
        await refused(declare(house, replace(doctor, origin="192.0.2.77"), blocking)),
        await refused(declare(house, fresh(doctor), fine, birth_date=date(1970, 5, 18))),
        await refused(
            house.access.emergencies.declare(fresh(doctor), "no such number", date(1970, 5, 17), "Unconscious person")
        ),
    ]
    assert {(p.status, p.title, p.detail, p.remedy, p.place) for p in problems} == {
        (problems[0].status, problems[0].title, problems[0].detail, problems[0].remedy, problems[0].place)
    }
    (event,) = await told(journal, blocking.id, EmergencyDeclared)
    assert (event.allowed, event.rule) == (False, "emergency.blocked")
    assert (await house.access.consent(blocking.id)).grants == ()


@pytest.mark.parametrize("reason", ["", "short", " \n\t ", "x" * 501, "\x00" * 50])
async def test_an_emergency_needs_a_reason_in_words(house, fresh, reason):
    patient = await house.open_patient()
    assert (await refused(declare(house, fresh(house.other_doctor), patient, reason=reason))).status == 400
    assert (await house.access.consent(patient.id)).grants == ()


async def test_emergencies_are_for_practitioners_and_reviews_for_operators(house):
    patient = await house.open_patient()
    for other in (patient, house.software, house.operator):
        assert (await refused(declare(house, other, patient))).status == 403
    for other in (patient, house.doctor):
        assert (await refused(house.access.emergencies.list_reviews(other))).status == 403
        assert (await refused(house.access.emergencies.review(other, uuid7(), "justified", ""))).status == 403
    assert (await refused(house.access.emergencies.review(house.operator, uuid7(), "justified", ""))).status == 404
    assert (await refused(house.access.emergencies.review(house.operator, uuid7(), "maybe", ""))).status == 400


# Restrictions


async def test_a_block_holds_against_every_grant_until_it_is_lifted(house):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.access.restrictions.block(patient, "organization", house.hospital.id)
    await house.access.restrictions.block(patient, "organization", house.hospital.id)
    assert (await sees(house, patient, house.doctor)).rule == "blocked"
    assert [block.subject for block in await house.access.restrictions.list_blocks(patient.id)] == ["Hôpital du Nord"]
    await house.access.restrictions.unblock(patient, house.hospital.id)
    await house.access.restrictions.unblock(patient, house.hospital.id)
    assert (await sees(house, patient, house.doctor)).allowed
    for kind, id_ in (("practitioner", uuid7()), ("person", house.doctor.id), ("", uuid7())):
        assert (await refused(house.access.restrictions.block(patient, kind, id_))).status == 404


async def test_opting_out_and_in_again_is_told_once_each(house, journal):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    for sharing in (False, False, True, True):
        await house.access.restrictions.set_sharing(patient, sharing=sharing)
        assert (await sees(house, patient, house.doctor)).allowed is sharing
    assert [event.sharing for event in await told(journal, patient.id, SharingChanged)] == [False, True]


async def test_tidying_leaves_what_still_counts(house, fresh):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    await house.access.tidy()
    assert (await house.access.codes.redeem(fresh(house.doctor), code)).person_id == patient.id
