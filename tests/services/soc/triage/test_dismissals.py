"""Dismissals: of single alerts and of what a suppression covers; who may, what is kept, what is journalled."""

import asyncio
from uuid import uuid4

import pytest

from esante.core.web import Problem
from esante.services.soc.cases.model import QueueFilter, QueuePart
from esante.services.soc.triage import suppressions

REASON = "The scanner of the agency did this."


async def refused(call) -> int:
    """Return the status of the problem that a call raises."""
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def listed(world, who, part):
    return [one.alert_id for one in (await world.triage.queue(who, QueueFilter(part=part))).items]


async def test_dismissed_alert_waits_no_more_and_keeps_who_and_why(world):
    tenant, contact = await world.member("Hôpital A")
    one, two = await world.raise_alerts(tenant.tenant_id, "one", "two")
    await world.dismissals.dismiss(world.anna, [one.alert_id], "false_alarm", REASON)
    assert await listed(world, contact, QueuePart.WAITING) == [two.alert_id]
    (shown,) = (await world.triage.queue(contact, QueueFilter(part=QueuePart.DISMISSED))).items
    assert (shown.alert_id, shown.dismissed_by, shown.dismissed_as) == (one.alert_id, "Anna", "false_alarm")
    assert shown.dismissal == REASON
    assert await world.journal_count("soc.alerts_dismissed") == 1
    assert REASON not in "".join(await world.journalled("soc.alerts_dismissed"))
    await world.dismissals.restore(world.ben, one.alert_id)
    assert set(await listed(world, contact, QueuePart.WAITING)) == {one.alert_id, two.alert_id}
    assert await world.journal_count("soc.dismissal_ended") == 1
    assert await refused(world.dismissals.restore(world.ben, one.alert_id)) == 409


async def test_alert_with_a_case_is_not_dismissed_and_a_dismissed_one_gets_no_case(world):
    tenant, _ = await world.member("Hôpital B")
    taken, free, gone = await world.raise_alerts(tenant.tenant_id, "taken", "free", "gone")
    case = await world.triage.open_case(world.anna, [taken.alert_id])
    both = [taken.alert_id, free.alert_id]
    assert await refused(world.dismissals.dismiss(world.anna, both, "expected", REASON)) == 409
    assert free.alert_id in await listed(world, world.anna, QueuePart.WAITING), "nothing is half done"
    await world.dismissals.dismiss(world.anna, [gone.alert_id], "expected", REASON)
    assert await refused(world.triage.open_case(world.anna, [gone.alert_id])) == 409
    assert await refused(world.triage.join(world.anna, case.case_id, [gone.alert_id])) == 409


@pytest.mark.parametrize(
    ("outcome", "reason", "status"),
    [("incident", REASON, 400), ("", REASON, 400), ("expected", "short", 400), ("expected", "x" * 1_001, 400)],
)
async def test_dismissal_needs_an_outcome_and_a_reason(world, outcome, reason, status):
    tenant, contact = await world.member("Hôpital C")
    (alert,) = await world.raise_alerts(tenant.tenant_id, "one")
    assert await refused(world.dismissals.dismiss(world.anna, [alert.alert_id], outcome, reason)) == status
    assert await refused(world.dismissals.dismiss(contact, [alert.alert_id], "expected", REASON)) == 403
    assert await refused(world.dismissals.restore(contact, alert.alert_id)) == 403


async def test_unknown_alert_is_not_found_and_none_is_refused(world):
    assert await refused(world.dismissals.dismiss(world.anna, [uuid4()], "expected", REASON)) == 404
    assert await refused(world.dismissals.dismiss(world.anna, [], "expected", REASON)) == 400
    assert await refused(world.dismissals.restore(world.anna, uuid4())) == 404


async def test_alert_is_either_dismissed_or_given_to_a_case_when_two_people_act_at_once(world):
    tenant, _ = await world.member("Hôpital D")
    (alert,) = await world.raise_alerts(tenant.tenant_id, "one")
    done = await asyncio.gather(
        world.dismissals.dismiss(world.anna, [alert.alert_id], "expected", REASON),
        world.triage.open_case(world.ben, [alert.alert_id]),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Problem) for one in done) == 1


async def test_dismissed_alerts_are_paged_the_newest_first(world):
    tenant, contact = await world.member("Hôpital G")
    raised = await world.raise_alerts(tenant.tenant_id, *map(str, range(60)))
    await world.dismissals.dismiss(world.anna, [one.alert_id for one in raised], "expected", REASON)
    first = await world.triage.queue(contact, QueueFilter(part=QueuePart.DISMISSED))
    rest = await world.triage.queue(contact, QueueFilter(part=QueuePart.DISMISSED), first.next)
    shown = [one.alert_id for one in (*first.items, *rest.items)]
    assert shown == sorted((one.alert_id for one in raised), reverse=True) and rest.next is None


async def test_what_a_suppression_covers_is_dismissed_by_the_batch_and_nothing_else(world, monkeypatch):
    monkeypatch.setattr(suppressions, "MOST_AT_ONCE", 2)
    tenant, contact = await world.member("Hôpital E")
    other, _ = await world.member("Hôpital F")
    covered = await world.raise_alerts(tenant.tenant_id, *"abcde")
    (real,) = await world.raise_alerts(tenant.tenant_id, "x", rule="rule-2")
    (theirs,) = await world.raise_alerts(other.tenant_id, "y")
    reason = "The nightly backup deletes shadow copies."
    found = await world.suppressions.suppress(
        world.anna, rule="rule-1", subject="", tenant_id=tenant.tenant_id, days=3, reason=reason
    )
    assert await refused(world.suppressions.dismiss_covered(world.anna, found.suppression_id, "incident")) == 400
    assert await world.suppressions.dismiss_covered(world.anna, found.suppression_id, "expected") == len(covered)
    await world.suppressions.end(world.anna, found.suppression_id)
    waiting = await listed(world, world.anna, QueuePart.WAITING)
    assert {real.alert_id, theirs.alert_id} <= set(waiting)
    assert not {one.alert_id for one in covered} & set(waiting)
    dismissed = (await world.triage.queue(contact, QueueFilter(part=QueuePart.DISMISSED))).items
    assert [one.alert_id for one in dismissed] == sorted((one.alert_id for one in covered), reverse=True)
    assert {one.dismissal for one in dismissed} == {reason}
    assert await refused(world.suppressions.dismiss_covered(world.anna, found.suppression_id, "expected")) == 409
