"""Presence codes: issue, redemption, refusals and limits."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core.storage import NIL
from esante.core.web import Problem
from esante.identity.access import (
    CodeRefused,
    Confidentiality,
    Granted,
    GrantKind,
)
from tests.identity.access.conftest import terms, within_one_window
from tests.support.consent import LETTER, access_events, block_row, problem_of, read_verdict


async def test_redeemed_code_gives_grant_in_any_spelling(house, journal, fresh):
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
    assert (await read_verdict(house, patient, doctor)).grant == grant
    assert not (await read_verdict(house, patient, house.other_doctor)).allowed
    assert not (
        await read_verdict(house, patient, doctor, replace(LETTER, confidentiality=Confidentiality.RESTRICTED))
    ).allowed
    (granted,) = await access_events(journal, patient.id, Granted)
    assert (granted.holder_id, granted.kind, granted.until) == (doctor.id, "presence_code", grant.until)


async def test_code_is_stored_only_as_hash(house, journal, db):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    kept = await db.fetchval("SELECT string_agg(c::text, '') FROM access_code c")
    contents = await db.fetchval(
        "SELECT string_agg(convert_from(content, 'UTF8'), '') FROM journal_entry WHERE person_id = $1", patient.id
    )
    for text in (kept, contents):
        assert code not in text and code.replace("-", "") not in text


async def test_invalid_codes_get_identical_refusals(house, journal, db, fresh):
    patient = await house.open_patient()
    used = await house.access.codes.issue(patient)
    await house.access.codes.redeem(fresh(house.doctor), used)
    old = await house.access.codes.issue(patient)
    await db.fetch("UPDATE access_code SET expires_at = now() - interval '1 second' WHERE used_at IS NULL")
    blocked = fresh(house.doctor)
    blocking = await house.open_patient()
    of_blocking = await house.access.codes.issue(blocking)
    await db.write([(block_row(blocking, blocked))])
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
        problem = await problem_of(house.access.codes.redeem(requester, text))
        answers.append((problem.status, problem.code, problem.title, problem.remedy, problem.detail, problem.headers))
    assert set(map(str, answers)) == {str(answers[0])}
    assert answers[0][0] == 404
    assert [event.rule for event in await access_events(journal, patient.id, CodeRefused)] == [
        "code.used",
        "code.expired",
    ]
    assert [event.rule for event in await access_events(journal, blocking.id, CodeRefused)] == ["code.blocked"]
    assert "code.unknown" in [event.rule for event in await access_events(journal, NIL, CodeRefused)]


async def test_concurrent_redemption_gives_one_grant(house, journal, fresh):
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
        assert len(await access_events(journal, patient.id, Granted)) == 1
        assert len(await access_events(journal, patient.id, CodeRefused)) == 5


async def test_guesses_are_limited_by_requester_and_origin(house, fresh):
    await within_one_window()
    guesser = fresh(house.doctor)
    statuses = [
        (await problem_of(house.access.codes.redeem(guesser, "AAAA-AAAA"))).status
        for _ in range(terms().attempts_per_requester)
    ]
    problem = await problem_of(house.access.codes.redeem(guesser, "AAAA-AAAA"))
    assert set(statuses) == {404}
    assert problem.status == 429
    assert 0 < int(problem.headers["Retry-After"]) <= terms().attempt_window.total_seconds()
    crowd = [replace(fresh(house.doctor), origin="203.0.113.9") for _ in range(terms().attempts_per_origin + 1)]
    outcomes = [(await problem_of(house.access.codes.redeem(one, "AAAA-AAAA"))).status for one in crowd]
    assert outcomes == [404] * terms().attempts_per_origin + [429]


async def test_valid_code_is_throttled_after_limit(house, fresh):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    await within_one_window()
    guesser = fresh(house.doctor)
    for _ in range(terms().attempts_per_requester):
        await problem_of(house.access.codes.redeem(guesser, "AAAA-AAAA"))
    assert (await problem_of(house.access.codes.redeem(guesser, code))).status == 429
    assert (await house.access.codes.redeem(fresh(house.doctor), code)).person_id == patient.id


@pytest.mark.parametrize("lasts", [timedelta(minutes=59), timedelta(days=366), timedelta(0), timedelta(days=-1)])
async def test_duration_outside_bounds_is_refused(house, lasts):
    assert (await problem_of(house.access.codes.issue(await house.open_patient(), lasts))).status == 400


async def test_redemption_requires_practitioner(house):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    for other in (patient, house.software, house.operator):
        assert (await problem_of(house.access.codes.redeem(other, code))).status == 403


async def test_issue_requires_open_shared_record(house):
    assert (await problem_of(house.access.codes.issue(await house.patient()))).status == 409
    patient = await house.open_patient()
    await house.access.restrictions.set_sharing(patient, sharing=False)
    assert (await problem_of(house.access.codes.issue(patient))).status == 409
