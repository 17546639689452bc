"""Emergency access and its reviews."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from esante.core.storage import NIL, uuid7
from esante.identity.access import (
    AccessEvent,
    Action,
    Confidentiality,
    EmergencyDeclared,
    EmergencyReviewed,
    GrantEnded,
    Purpose,
    ReviewRead,
    ReviewsListed,
    decide,
    writable_classes,
)
from esante.identity.access.audit.access_log import describe_entry
from tests.support.consent import LETTER, access_events, problem_of, read_verdict


async def declare(house, requester, patient, reason="Unconscious after a fall", birth_date=date(1970, 5, 17)):
    return await house.access.emergencies.declare(requester, await house.identifier(patient), birth_date, reason)


async def test_declared_emergency_gives_read_grant_and_pending_review(house, journal, fresh):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    grant = await declare(house, doctor, patient)
    restricted, hidden = (
        replace(LETTER, confidentiality=level) for level in (Confidentiality.RESTRICTED, Confidentiality.HIDDEN)
    )
    verdict = await read_verdict(house, patient, doctor, restricted, Purpose.EMERGENCY)
    assert (verdict.rule, verdict.grant) == ("grant.emergency", grant)
    assert not (await read_verdict(house, patient, doctor, hidden, Purpose.EMERGENCY)).allowed
    consent = await house.access.consent(patient.id)
    now = datetime.now(UTC)
    assert not decide(consent, doctor, Action.WRITE, LETTER, Purpose.EMERGENCY, now).allowed
    (event,) = await access_events(journal, patient.id, EmergencyDeclared)
    assert (event.justification, event.grant_id, event.allowed) == ("Unconscious after a fall", grant.id, True)
    assert isinstance(event, AccessEvent)

    waiting = [review.grant_id for review, _ in (await house.access.emergencies.list_reviews(house.operator)).items]
    assert grant.id in waiting
    await house.access.emergencies.review(house.operator, grant.id, "justified", "called the doctor")
    assert (
        await problem_of(house.access.emergencies.review(house.operator, grant.id, "unjustified", ""))
    ).status == 409
    done = (await house.access.emergencies.list_reviews(house.operator, done=True)).items
    assert [(r.verdict, r.note, p.id) for r, p in done if r.grant_id == grant.id] == [
        ("justified", "called the doctor", patient.id)
    ]
    assert await access_events(journal, patient.id, EmergencyReviewed) == [
        EmergencyReviewed(grant_id=grant.id, verdict="justified", practitioner_id=doctor.id, practitioner=doctor.name)
    ]


async def test_look_of_an_operator_at_reviews_is_journalled(house, journal, fresh):
    patient, operator = await house.open_patient(), fresh(house.operator)
    grant = await declare(house, fresh(house.other_doctor), patient)
    await house.access.emergencies.list_reviews(operator)
    await house.access.emergencies.find_review(operator, grant.id)
    assert await house.access.emergencies.find_review(operator, uuid7()) is None
    (entry,) = await journal.entries_of(patient.id, [ReviewRead], limit=5)
    assert (entry.actor.id, entry.event.grant_id, entry.event.purpose) == (operator.id, grant.id, "HOPERAT")
    line = describe_entry(entry, str, {}, {})
    assert line.text == f"{operator.name} checked an access to your record for the agency."
    listed = [
        one.event for one in await journal.entries_of(NIL, [ReviewsListed], limit=50) if one.actor.id == operator.id
    ]
    assert [(event.kind, grant.id in event.grants) for event in listed] == [("emergency", True)]


async def test_reviews_are_listed_page_by_page(house, fresh):
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
        assert (await problem_of(house.access.emergencies.list_reviews(house.operator, cursor=cursor))).status == 400


async def test_refused_emergencies_get_identical_refusals(house, journal, fresh):
    doctor = house.other_doctor
    closed, out, blocking, fine = [await house.open_patient() for _ in range(4)]
    await house.access.lifecycle.change(closed, "close")
    await house.access.restrictions.set_sharing(out, sharing=False)
    await house.access.restrictions.block(blocking, "practitioner", doctor.id)
    problems = [
        await problem_of(declare(house, replace(doctor, origin="192.0.2.77"), closed)),
        await problem_of(declare(house, replace(doctor, origin="192.0.2.77"), out)),
        await problem_of(declare(house, replace(doctor, origin="192.0.2.77"), blocking)),
        await problem_of(declare(house, fresh(doctor), fine, birth_date=date(1970, 5, 18))),
        await problem_of(
            house.access.emergencies.declare(fresh(doctor), "no such number", date(1970, 5, 17), "Unconscious person")
        ),
    ]
    assert {(p.status, p.title, p.detail, p.remedy, p.place) for p in problems} == {
        (problems[0].status, problems[0].title, problems[0].detail, problems[0].remedy, problems[0].place)
    }
    (event,) = await access_events(journal, blocking.id, EmergencyDeclared)
    assert (event.allowed, event.rule) == (False, "emergency.blocked")
    assert (await house.access.consent(blocking.id)).grants == ()


@pytest.mark.parametrize("reason", ["", "short", " \n\t ", "x" * 501, "\x00" * 50])
async def test_reason_outside_length_bounds_is_refused(house, fresh, reason):
    patient = await house.open_patient()
    assert (await problem_of(declare(house, fresh(house.other_doctor), patient, reason=reason))).status == 400
    assert (await house.access.consent(patient.id)).grants == ()


async def test_declaration_requires_practitioner_and_review_requires_operator(house):
    patient = await house.open_patient()
    for other in (patient, house.software, house.operator):
        assert (await problem_of(declare(house, other, patient))).status == 403
    for other in (patient, house.doctor):
        assert (await problem_of(house.access.emergencies.list_reviews(other))).status == 403
        assert (await problem_of(house.access.emergencies.review(other, uuid7(), "justified", ""))).status == 403
    assert (await problem_of(house.access.emergencies.review(house.operator, uuid7(), "justified", ""))).status == 404
    assert (await problem_of(house.access.emergencies.review(house.operator, uuid7(), "maybe", ""))).status == 400


async def test_unjustified_emergency_ends_at_once_and_is_told(house, journal, fresh):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    grant = await declare(house, doctor, patient)
    assert (await read_verdict(house, patient, doctor)).allowed
    assert await house.access.emergencies.list_verdicts(doctor) == []
    await house.access.emergencies.review(house.operator, grant.id, "unjustified", "")
    assert not (await read_verdict(house, patient, doctor)).allowed
    (ended,) = await access_events(journal, patient.id, GrantEnded)
    assert (ended.grant_id, ended.holder_id) == (grant.id, doctor.id)
    (reviewed,) = await access_events(journal, patient.id, EmergencyReviewed)
    assert (reviewed.verdict, reviewed.practitioner) == ("unjustified", doctor.name)
    (outcome,) = await house.access.emergencies.list_verdicts(doctor)
    assert (outcome.grant_id, outcome.verdict) == (grant.id, "unjustified")


@pytest.mark.parametrize("verdict", ["justified", "unclear"])
async def test_other_verdict_leaves_access_until_its_end(house, fresh, verdict):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    grant = await declare(house, doctor, patient)
    await house.access.emergencies.review(house.operator, grant.id, verdict, "")
    assert (await read_verdict(house, patient, doctor)).grant == grant


async def test_verdict_on_ended_emergency_writes_no_second_end(house, journal, fresh):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    grant = await declare(house, doctor, patient)
    await house.access.grants.revoke(patient, grant.id)
    await house.access.emergencies.review(house.operator, grant.id, "unjustified", "")
    assert len(await access_events(journal, patient.id, GrantEnded)) == 1


async def test_verdict_is_told_until_its_own_doctor_has_read_it(house, journal, fresh):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    grant = await declare(house, doctor, patient)
    acknowledge = house.access.emergencies.acknowledge
    assert (await problem_of(acknowledge(doctor, grant.id))).status == 404
    await house.access.emergencies.review(house.operator, grant.id, "unclear", "")
    assert (await problem_of(acknowledge(house.doctor, grant.id))).status == 404
    assert (await problem_of(acknowledge(doctor, uuid7()))).status == 404
    for _ in range(2):
        await acknowledge(doctor, grant.id)
    assert await house.access.emergencies.list_verdicts(doctor) == []


async def test_emergency_access_writes_nothing_over_any_face(house, fresh):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    await declare(house, doctor, patient)
    consent, now = await house.access.consent(patient.id), datetime.now(UTC)
    verdict = decide(consent, doctor, Action.WRITE, LETTER, Purpose.TREATMENT, now)
    assert (verdict.allowed, verdict.rule) == (False, "write.emergency")
    assert not writable_classes(consent, doctor, now)
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    consent = await house.access.consent(patient.id)
    assert writable_classes(consent, house.doctor, now)
