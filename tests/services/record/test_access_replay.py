"""Replay: past verdicts of real requests, decided again by the rules of their day."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest

from esante.core.journal import Actor
from esante.core.storage import insert, uuid7
from esante.core.web import Problem
from esante.identity.access import Confidentiality, PolicySet, policy_set, requester_of
from esante.identity.access.audit.replay import Replay
from esante.identity.access.regulation.assignment import Assignment
from esante.services.record import Read
from tests.support.access_policy import changed_context
from tests.support.record import letter

LONG_AGO = date(2020, 1, 1)


async def _try(awaitable):
    with suppress(Problem):
        return await awaitable


@pytest.fixture(scope="module")
async def acts(world):
    """Acts of all kinds on records, allowed and refused, in a sealed journal; returns how many verdicts they left."""
    await world.journal.ensure_months(datetime.now(UTC) - timedelta(days=80), datetime.now(UTC))
    people, record = world.people, world.record
    doctor, other, hospital, surgeon = people["doctor"], people["other"], people["hospital"], people["surgeon"]
    for act in (
        "circle",
        "code",
        "stay",
        "emergency",
        "blocked",
        "hidden",
        "opted out",
        "restricted",
        "closed",
        "none",
    ):
        await world.db.fetchval("DELETE FROM access_attempt")
        person = await world.person(opened=act != "none")
        patient = requester_of(person)
        document = await _try(record.deposit(doctor, person.id, *letter()))
        match act:
            case "circle":
                await world.access.grants.add_to_circle(patient, other.id)
            case "code" | "blocked" | "hidden" | "opted out" | "restricted":
                await world.access.codes.redeem(other, await world.access.codes.issue(patient))
            case "stay":
                await world.access.stays.admit(hospital, person.id)
            case "emergency":
                identifier = person.identifiers[0].value
                await world.access.emergencies.declare(
                    other, identifier, person.birth_date, "Unconscious after a fall"
                )
            case "closed":
                await world.access.lifecycle.change(patient, "close")
        if act in ("hidden", "restricted"):
            level = Confidentiality(act)
            await record.set_confidentiality(patient, person.id, document.document.id, level)
        if act == "blocked":
            await world.access.restrictions.block(patient, "practitioner", other.id)
        if act == "opted out":
            await world.access.restrictions.set_sharing(patient, sharing=False)
        key = document.document.id if document else uuid7()
        for requester in (patient, doctor, other, surgeon, hospital):
            await _try(record.content(requester, person.id, key))
            await _try(record.timeline(requester, person.id))
            await _try(record.deposit(requester, person.id, *letter()))
    await world.journal.sealer.seal_all()
    return await world.db.fetchval("SELECT count(*) FROM journal_entry WHERE type LIKE 'record.%'")


def replay(world, rules: PolicySet):
    return Replay(world.db, world.journal, rules)


async def test_verdicts_of_today_come_out_the_same(world, acts):
    steps = []
    report = await replay(world, policy_set()).run(progress=lambda done, total, _: steps.append((done, total)))
    assert report.first == [] and not report.differences and report.outcomes == 0
    assert report.replayed >= acts * 0.8
    assert steps[-1][0] == steps[-1][1] > 0


async def test_other_rules_show_what_they_would_change(world, acts):
    change = Assignment(document_class="letter", category="cover", valid_from=LONG_AGO, legal_source="x")
    report = await replay(world, policy_set().with_assignments([change])).run(show=3)
    assert report.outcomes > 0 and len(report.first) == 3
    assert {(then, now) for (then, now, _, _), _ in report.differences.items()} >= {("write.matrix", "write.category")}
    assert all(one.of_outcome for one in report.first if one.now.rule == "write.category")


async def test_rules_of_a_later_day_change_nothing_of_the_past(world, acts):
    change = Assignment(document_class="letter", category="cover", valid_from=date(2100, 1, 1), legal_source="x")
    report = await replay(world, policy_set().with_assignments([change])).run()
    assert not report.differences


async def test_lower_ceiling_and_context_turned_off_are_found(world, acts):
    with changed_context("circle", allowed=False) as rules:
        report = await replay(world, rules).run()
    assert any(rule == "grant.circle" and now == "context.off" for rule, now, _, _ in report.differences)
    await world.db.fetchval("UPDATE access_grant SET since = since - interval '20 days'")
    try:
        report = await replay(world, policy_set()).run()
    finally:
        await world.db.fetchval("UPDATE access_grant SET since = since + interval '20 days'")
    found = {rule for rule, now, _, _ in report.differences if now in ("context.ended", "no-grant")}
    assert found == {"grant.presence_code", "grant.emergency"}


async def test_days_bound_what_is_replayed(world, acts):
    now = datetime.now(UTC)
    assert (await replay(world, policy_set()).run(until=now - timedelta(days=1))).replayed == 0
    assert (await replay(world, policy_set()).run(since=now + timedelta(days=1))).replayed == 0
    assert (await replay(world, policy_set()).run(since=now - timedelta(days=1))).replayed > 0


async def test_verdict_that_the_matrix_never_allowed_is_a_difference(world, acts):
    person = await world.person()
    pharmacist = await world.practitioner("Apel", profession="pharmacist")
    actor = Actor(kind="practitioner", id=pharmacist.id, name="Apel", role="pharmacist")
    event = Read(allowed=True, rule="author.self", reason="author", categories=("letter",))
    wrong = Read(
        allowed=True, rule="grant.circle", reason="circle", grant_kind="circle", categories=("patient_summary",)
    )
    async with world.db.transaction() as conn:
        for one in (event, wrong):
            await insert(conn, world.journal.rows(one, person_id=person.id, actor=actor))
    await world.journal.sealer.seal_all()
    report = await replay(world, policy_set()).run()
    assert dict(report.differences) == {("grant.circle", "read.category", "pharmacist", "patient_summary"): 1}
