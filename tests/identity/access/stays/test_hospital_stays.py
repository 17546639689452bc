"""Hospital stays: admission, discharge, and the grant of a stay."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson

from esante.core.fhir import check
from esante.core.storage import NIL, uuid7
from esante.identity.access import (
    Granted,
    GrantEnded,
    GrantKind,
    StayRead,
    StayRefusalChanged,
    StayRefused,
    StayReported,
    StayStatus,
)
from esante.identity.access.audit.audit_event import audit_event
from tests.identity.access.conftest import BASE, terms
from tests.support.consent import access_events, problem_of, read_verdict


async def test_stay_grants_hospital_until_days_after_discharge(house, journal):
    patient = await house.open_patient()
    stay, new = await house.access.stays.admit(house.software, patient.id)
    assert new
    assert await house.access.stays.admit(house.doctor, patient.id) == (stay, False)
    assert (await read_verdict(house, patient, house.doctor)).rule == "grant.institution_stay"
    assert (await read_verdict(house, patient, house.software)).allowed
    assert not (await read_verdict(house, patient, house.pharmacist)).allowed
    left = datetime.now(UTC)
    finished = await house.access.stays.finish(house.software, patient.id, stay.id, left)
    assert (finished.status, finished.ended_at) == (StayStatus.FINISHED, left)
    until = left + terms().stay_after
    assert (await read_verdict(house, patient, house.doctor, at=until - timedelta(seconds=1))).allowed
    assert not (await read_verdict(house, patient, house.doctor, at=until)).allowed
    (granted,), (ended,) = (
        await access_events(journal, patient.id, Granted),
        await access_events(journal, patient.id, GrantEnded),
    )
    assert (granted.grant_id, granted.kind) == (stay.id, GrantKind.STAY)
    assert (ended.grant_id, ended.until) == (stay.id, until)


async def test_repeated_discharge_does_not_extend_grant(house, journal):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id, datetime.now(UTC) - timedelta(days=9))
    first = await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC) - timedelta(days=5))
    assert await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC)) == first
    assert len(await access_events(journal, patient.id, GrantEnded)) == 1
    (grant,) = (await house.access.consent(patient.id)).grants
    assert grant.until == first.ended_at + terms().stay_after


async def test_late_discharge_ends_grant_at_once(house):
    patient = await house.open_patient()
    long_ago = datetime.now(UTC) - terms().stay_after - timedelta(days=1)
    stay, _ = await house.access.stays.admit(house.software, patient.id, long_ago - timedelta(days=3))
    await house.access.stays.finish(house.software, patient.id, stay.id, long_ago)
    assert not (await read_verdict(house, patient, house.software)).allowed


async def test_grant_begins_when_admission_is_reported(house):
    patient = await house.open_patient()
    began = datetime.now(UTC) - timedelta(days=3)
    stay, _ = await house.access.stays.admit(house.software, patient.id, began)
    assert stay.began_at == began
    assert not (
        await read_verdict(house, patient, house.software, at=datetime.now(UTC) - timedelta(minutes=5))
    ).allowed


async def test_repeated_admission_does_not_restore_revoked_grant(house):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    await house.access.grants.revoke(patient, stay.id)
    assert await house.access.stays.admit(house.software, patient.id) == (stay, False)
    assert not (await read_verdict(house, patient, house.software)).allowed
    await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC))
    assert not (await read_verdict(house, patient, house.software)).allowed


async def test_admission_entered_in_error_ends_grant(house):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    taken = await house.access.stays.mark_entered_in_error(house.software, patient.id, stay.id)
    assert taken.status is StayStatus.ENTERED_IN_ERROR
    assert not (await read_verdict(house, patient, house.software)).allowed
    problem = await problem_of(house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC)))
    assert problem.status == 409
    again, new = await house.access.stays.admit(house.software, patient.id)
    assert new and again.id != stay.id
    await house.access.stays.finish(house.software, patient.id, again.id, datetime.now(UTC))
    await house.access.stays.mark_entered_in_error(house.software, patient.id, again.id)
    assert not (await read_verdict(house, patient, house.software)).allowed


async def test_concurrent_admissions_give_one_stay(house):
    patient = await house.open_patient()
    done = await asyncio.gather(*(house.access.stays.admit(house.software, patient.id) for _ in range(6)))
    assert sorted(new for _, new in done) == [False] * 5 + [True]
    assert len({stay.id for stay, _ in done}) == 1
    assert len((await house.access.consent(patient.id)).grants) == 1


async def test_report_by_other_than_hospital_is_refused_and_journalled(house, journal):
    patient = await house.open_patient()
    for other in (house.pharmacist, house.other_doctor, patient, house.operator):
        assert (await problem_of(house.access.stays.admit(other, patient.id))).status == 403
        assert (await problem_of(house.access.stays.list_stays(other, patient.id))).status == 403
    assert [event.rule for event in await access_events(journal, patient.id, StayRefused)] == ["stay.kind"] * 4
    assert (await house.access.consent(patient.id)).grants == ()


async def test_unknown_person_and_closed_record_get_identical_refusals(house, journal):
    closed, announced = await house.open_patient(), await house.patient()
    await house.access.lifecycle.change(closed, "close")
    await house.access.lifecycle.announce([announced.id])
    persons = (closed.id, announced.id, uuid7(), None)
    answers = [await problem_of(house.access.stays.admit(house.software, id_)) for id_ in persons]
    assert len({str(vars(answer)) for answer in answers}) == 1
    assert answers[0].status == 422
    assert [event.rule for event in await access_events(journal, closed.id, StayRefused)] == ["record.closed"]
    assert [event.rule for event in await access_events(journal, announced.id, StayRefused)] == ["record.announced"]
    assert "record.none" in [event.rule for event in await access_events(journal, NIL, StayRefused)]


async def test_stay_of_other_hospital_is_like_absent(house, journal, second_hospital):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    here, now = house.access.stays, datetime.now(UTC)
    elsewhere = [
        await problem_of(here.read(second_hospital, patient.id, stay.id)),
        await problem_of(here.finish(second_hospital, patient.id, stay.id, now)),
        await problem_of(here.mark_entered_in_error(second_hospital, patient.id, stay.id)),
    ]
    nowhere = [
        await problem_of(here.read(second_hospital, patient.id, uuid7())),
        await problem_of(here.finish(second_hospital, uuid7(), stay.id, now)),
        await problem_of(here.mark_entered_in_error(second_hospital, patient.id, uuid7())),
    ]
    assert len({str(vars(problem)) for problem in elsewhere + nowhere}) == 1
    assert elsewhere[0].status == 404
    assert await here.list_stays(second_hospital, patient.id) == []
    assert await here.list_stays(house.software, patient.id) == [stay]
    assert len(await access_events(journal, patient.id, StayRefused)) == 3
    assert [event.allowed for event in await access_events(journal, patient.id, StayRead)] == [
        False,
        False,
        True,
        True,
    ]


async def test_launched_software_finds_no_stay_of_other_patient(house, journal):
    anna, bea, stays = await house.open_patient(), await house.open_patient(), house.access.stays
    stay, _ = await stays.admit(house.software, bea.id)
    launched = replace(house.doctor, patient=anna.id)
    assert await stays.list_stays(launched, bea.id) == []
    for id_, key in ((bea.id, stay.id), (uuid7(), uuid7())):
        for act in (
            stays.read(launched, id_, key),
            stays.finish(launched, id_, key, datetime.now(UTC)),
            stays.mark_entered_in_error(launched, id_, key),
        ):
            problem = await problem_of(act)
            assert (problem.status, problem.title) == (404, "We could not find what you are looking for.")
        assert (await problem_of(stays.admit(launched, id_))).status == 403
    assert len(await access_events(journal, bea.id, StayRead)) == 2
    assert await stays.read(replace(house.doctor, patient=bea.id), bea.id, stay.id) == stay


async def test_reads_of_stays_are_valid_audit_events(house, journal):
    patient = await house.open_patient()
    await house.access.stays.list_stays(house.software, patient.id)
    await problem_of(house.access.stays.read(house.software, patient.id, uuid7()))
    await problem_of(house.access.stays.admit(house.pharmacist, patient.id))
    for entry in await journal.entries_of(patient.id, [StayRead, StayRefused]):
        assert check(orjson.dumps(audit_event(entry, BASE)), expect="AuditEvent").issues == ()


async def test_admission_by_hospital_staff_is_refused_identically_for_any_record(house, journal):
    opened, closed = await house.open_patient(), await house.patient()
    problems = [await problem_of(house.access.stays.admit(house.doctor, id_)) for id_ in (opened.id, closed.id, None)]
    answers = [(problem.status, problem.title, problem.remedy) for problem in problems]
    assert {answer[0] for answer in answers} == {403}
    assert answers[0] == answers[1] == answers[2]
    assert await house.access.grants.list_active(opened.id) == []
    [entry] = await journal.entries_of(opened.id, [StayRefused])
    assert (entry.actor.id, entry.event.allowed, entry.event.rule) == (house.doctor.id, False, "stay.kind")


async def test_admission_by_hospital_software_opens_record_for_staff(house):
    patient = await house.open_patient()
    stay, new = await house.access.stays.admit(house.software, patient.id)
    assert new
    assert await house.access.stays.admit(house.doctor, patient.id) == (stay, False)
    [grant] = await house.access.grants.list_active(patient.id)
    assert grant.kind is GrantKind.STAY


async def test_patient_cannot_admit_themselves(house):
    patient = await house.open_patient()
    assert (await problem_of(house.access.stays.admit(patient, patient.id))).status == 403


async def readmit(house, patient, stay):
    """Take the admission back as entered in error, and report it again."""
    await house.access.stays.mark_entered_in_error(house.software, patient.id, stay.id)
    again, new = await house.access.stays.admit(house.software, patient.id)
    assert new
    return again


async def test_refused_stay_stays_refused_after_entered_in_error_and_new_admission(house, journal):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    await house.access.grants.revoke(patient, stay.id)
    assert (await read_verdict(house, patient, house.doctor)).rule == "stay.refused"
    again = await readmit(house, patient, stay)
    for requester in (house.software, house.doctor):
        assert (await read_verdict(house, patient, requester)).rule == "stay.refused"
        assert patient.id not in await house.access.grants.list_persons(requester, limit=1_000)
    assert patient.id not in [one.person.id for one in (await house.access.grants.list_patients(house.doctor)).items]
    assert await house.access.grants.list_active(patient.id) == []
    assert [event.grant_id for event in await access_events(journal, patient.id, Granted)] == [stay.id]
    (entry,) = await access_events(journal, patient.id, StayReported)
    assert (entry.grant_id, entry.organization_id, entry.cause) == (again.id, house.hospital.id, "refused")
    assert (await problem_of(house.access.grants.revoke(patient, again.id))).status == 404


async def test_refusal_is_of_one_hospital(house, second_hospital):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    await house.access.grants.revoke(patient, stay.id)
    await house.access.stays.admit(second_hospital, patient.id)
    assert (await read_verdict(house, patient, second_hospital)).allowed
    assert not (await read_verdict(house, patient, house.software)).allowed


async def test_refused_admission_is_answered_like_another(house):
    free, refusing = await house.open_patient(), await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, refusing.id)
    await house.access.grants.revoke(refusing, stay.id)
    again = await readmit(house, refusing, stay)
    other, _ = await house.access.stays.admit(house.software, free.id)
    assert (again.status, again.organization_id) == (other.status, other.organization_id)
    ended = await house.access.stays.finish(house.software, refusing.id, again.id, datetime.now(UTC))
    assert ended.status is StayStatus.FINISHED


async def test_lifted_refusal_gives_stay_its_access_again(house, journal):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    await house.access.grants.revoke(patient, stay.id)
    again = await readmit(house, patient, stay)
    await house.access.grants.allow_stays(patient, house.hospital.id)
    assert (await read_verdict(house, patient, house.doctor)).grant.id == again.id
    assert [event.grant_id for event in await access_events(journal, patient.id, Granted)] == [stay.id, again.id]
    changes = await access_events(journal, patient.id, StayRefusalChanged)
    assert [(event.refused, event.cause) for event in changes] == [(True, "patient"), (False, "patient")]
    await house.access.grants.allow_stays(patient, house.hospital.id)
    assert len(await access_events(journal, patient.id, StayRefusalChanged)) == 2
    assert (await problem_of(house.access.grants.allow_stays(house.doctor, house.hospital.id))).status == 403


async def test_presence_code_at_the_hospital_lifts_refusal(house, journal, fresh):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    await house.access.grants.revoke(patient, stay.id)
    elsewhere, here = fresh(house.other_doctor), fresh(house.doctor)
    await house.access.codes.redeem(elsewhere, await house.access.codes.issue(patient))
    assert not (await read_verdict(house, patient, house.software)).allowed
    await house.access.codes.redeem(here, await house.access.codes.issue(patient))
    assert (await read_verdict(house, patient, house.software)).allowed
    *_, change = await access_events(journal, patient.id, StayRefusalChanged)
    assert (change.refused, change.cause) == (False, "code")
