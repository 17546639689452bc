"""The queue: order, filters, paging, suppression that is never silent, and cases opened by several at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from esante.core.clock import use_clock
from esante.core.web import Problem
from esante.services.soc.alerts.model import Level, Origin
from esante.services.soc.cases.model import QueueFilter, QueuePart
from esante.services.soc.triage.service import PAGE_SIZES

SIZE = PAGE_SIZES[0]


async def refused(call) -> int:
    """Return the status of the problem that a call raises."""
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def suppress(world, who, tenant_id, rule="rule-1", subject="", days=3, reason="Noise of the nightly backup."):
    return await world.suppressions.suppress(
        who, rule=rule, subject=subject, tenant_id=tenant_id, days=days, reason=reason
    )


async def keys(world, who, **wanted):
    return [one.alert_id for one in (await world.triage.queue(who, QueueFilter(**wanted))).items]


async def test_queue_is_sorted_by_level_then_age_and_pages_lose_nothing(world):
    tenant, contact = await world.member("Hôpital A")
    start = datetime.now(UTC) - timedelta(hours=1)
    raised = []
    for number in range(SIZE + 12):
        with use_clock(lambda number=number: start + timedelta(seconds=number % 7)):
            raised += await world.raise_alerts(tenant.tenant_id, str(number), level=Level(number % 5))
    first = await world.triage.queue(contact, QueueFilter())
    rest = await world.triage.queue(contact, QueueFilter(), first.next)
    shown = [*first.items, *rest.items]
    expected = sorted(raised, key=lambda one: (-one.level, one.raised_at, one.alert_id))
    assert [one.alert_id for one in shown] == [one.alert_id for one in expected] and rest.next is None
    assert len((await world.triage.queue(contact, QueueFilter(), size=PAGE_SIZES[1])).items) == len(raised)


async def test_queue_is_filtered_by_text_level_origin_and_member(world):
    tenant, _ = await world.member("Hôpital B")
    other, _ = await world.member("Hôpital C")
    [one] = await world.raise_alerts(
        tenant.tenant_id, "b", title="Zoë was here", level=Level.LOW, origin=Origin.HEALTH
    )
    [two] = await world.raise_alerts(other.tenant_id, "c", title="Zoë was there", level=Level.CRITICAL, rule="rule-zz")
    assert await keys(world, world.anna, text="zoë was") == [two.alert_id, one.alert_id]
    for wanted, found in (
        ({"text": "RULE-ZZ"}, two),
        ({"text": "zoë was", "level": Level.HIGH}, two),
        ({"text": "zoë was", "origin": Origin.HEALTH}, one),
        ({"text": "zoë was", "tenant_id": other.tenant_id}, two),
    ):
        assert await keys(world, world.anna, **wanted) == [found.alert_id]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "W10",
        "WzEsIngiLCJ5Il0",
        "WzEsIjIwMjYtMDEtMDFUMDA6MDAiLCIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiXQ",
    ],
)
async def test_wrong_cursor_is_refused(world, cursor):
    assert await refused(world.triage.queue(world.anna, QueueFilter(), cursor)) == 400


async def test_alert_goes_into_one_case_also_when_several_open_one_at_once(world):
    tenant, _ = await world.member("Hôpital D")
    raised = await world.raise_alerts(tenant.tenant_id, *map(str, range(6)))
    sets = [[one.alert_id for one in raised[n : n + 3]] for n in range(4)]
    done = await asyncio.gather(*(world.triage.open_case(world.anna, one) for one in sets), return_exceptions=True)
    cases = [one for one in done if not isinstance(one, BaseException)]
    assert all(isinstance(one, Problem) and one.status == 409 for one in done if one not in cases) and cases
    held = [a.alert_id for one in cases for a in (await world.cases.view(world.anna, one.case_id)).alerts]
    assert len(held) == len({*held}) == 3 * len(cases)
    rows = await world.db.fetch("SELECT case_id FROM soc_case WHERE tenant_id = $1", tenant.tenant_id)
    assert len(rows) == len(cases)


async def test_case_takes_alerts_of_one_member_only_and_no_unknown_one(world):
    tenant, contact = await world.member("Hôpital E")
    other, _ = await world.member("Hôpital F")
    [one], [two] = await world.raise_alerts(tenant.tenant_id, "e"), await world.raise_alerts(other.tenant_id, "f")
    for alerts, status in (([one.alert_id, two.alert_id], 400), ([uuid4()], 404), ([], 400)):
        assert await refused(world.triage.open_case(world.anna, alerts)) == status
    assert await refused(world.triage.open_case(contact, [one.alert_id])) == 403
    case = await world.triage.open_case(world.anna, [one.alert_id])
    assert await refused(world.triage.join(world.anna, case.case_id, [two.alert_id])) == 400
    assert await refused(world.triage.join(world.anna, case.case_id, [one.alert_id])) == 409


async def test_suppressed_alerts_are_counted_listed_and_return_when_it_ends(world):
    tenant, contact = await world.member("Hôpital G")
    [noise] = await world.raise_alerts(tenant.tenant_id, "noise")
    [other] = await world.raise_alerts(tenant.tenant_id, "other", rule="rule-2")
    found = await suppress(world, world.anna, tenant.tenant_id)
    assert await keys(world, contact) == [other.alert_id]
    assert await keys(world, contact, part=QueuePart.SUPPRESSED) == [noise.alert_id]
    assert await world.triage.counts(contact) == {"waiting": 1, "suppressed": 1, "dismissed": 0}
    [(shown, count)] = (await world.suppressions.page(world.anna, "nightly backup")).items[:1]
    assert (shown.suppression_id, shown.owner, count) == (found.suppression_id, "Anna", 1)
    await world.suppressions.end(world.ben, found.suppression_id)
    assert await world.triage.counts(contact) == {"waiting": 2, "suppressed": 0, "dismissed": 0}
    assert await refused(world.suppressions.end(world.ben, found.suppression_id)) == 409


async def test_alert_after_the_expiry_waits_and_one_before_stays_suppressed(world):
    tenant, contact = await world.member("Hôpital H")
    await suppress(world, world.anna, tenant.tenant_id, days=2)
    [during] = await world.raise_alerts(tenant.tenant_id, "during")
    with use_clock(lambda: datetime.now(UTC) + timedelta(days=2, seconds=1)):
        [later] = await world.raise_alerts(tenant.tenant_id, "later")
        assert await keys(world, contact) == [later.alert_id]
        assert await keys(world, contact, part=QueuePart.SUPPRESSED) == [during.alert_id]


async def test_suppression_of_a_subject_and_of_one_member_covers_nothing_else(world):
    tenant, contact = await world.member("Hôpital I")
    other, stranger = await world.member("Hôpital J")
    for one in (tenant, other):
        await world.raise_alerts(one.tenant_id, "x", subject="WS-1")
        await world.raise_alerts(one.tenant_id, "y", subject="WS-2")
    await suppress(world, world.anna, tenant.tenant_id, subject="WS-1")
    assert await world.triage.counts(contact) == {"waiting": 1, "suppressed": 1, "dismissed": 0}
    assert await world.triage.counts(stranger) == {"waiting": 2, "suppressed": 0, "dismissed": 0}


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"days": 0}, 400), ({"days": 91}, 400), ({"reason": "noise"}, 400), ({"rule": ""}, 400)],
)
async def test_suppression_without_reason_end_or_object_is_refused(world, changes, status):
    tenant, contact = await world.member(f"Hôpital {changes}")
    assert await refused(suppress(world, world.anna, tenant.tenant_id, **changes)) == status
    assert await refused(suppress(world, contact, tenant.tenant_id)) == 403
