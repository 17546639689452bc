"""Alerts: raised once, listed to those who may see them."""

import asyncio
from uuid import uuid4

import pytest

from esante.core.web import Problem
from esante.services.soc.alerts.model import AlertFilter, Evidence, Level, Origin
from esante.services.soc.alerts.service import PAGE_SIZE
from tests.support.soc import a_finding


async def raise_alerts(world, *found):
    """Raise alerts in a transaction of their own; return those that are new."""
    async with world.db.transaction() as conn:
        return await world.alerts.raise_in(conn, found)


async def test_finding_comes_back_as_it_was_raised(world):
    tenant, contact = await world.member("Hôpital A")
    finding = a_finding(
        tenant.tenant_id,
        why="%(actor)s opened it.",
        values={"actor": "Dr Weber"},
        techniques=("T1490",),
        evidence=(Evidence(field="CommandLine", value="vssadmin delete", event="e1"),),
        person_id=uuid4(),
    )
    (raised,) = await raise_alerts(world, finding)
    assert await world.alerts.alert(contact, raised.alert_id) == raised
    assert {name: getattr(raised, name) for name in finding.__slots__} == {
        name: getattr(finding, name) for name in finding.__slots__
    }


async def test_same_finding_alerts_once_also_when_two_raise_it_at_the_same_time(world):
    tenant, contact = await world.member("Hôpital B")
    finding = a_finding(tenant.tenant_id)
    raised = await asyncio.gather(*(raise_alerts(world, finding, finding) for _ in range(8)))
    assert sum(map(len, raised)) == 1
    assert len((await world.alerts.page(contact, AlertFilter())).items) == 1


async def test_finding_of_a_rolled_back_transaction_alerts_later(world):
    tenant, _ = await world.member("Hôpital C")
    with pytest.raises(RuntimeError):
        async with world.db.transaction() as conn:
            await world.alerts.raise_in(conn, [a_finding(tenant.tenant_id)])
            raise RuntimeError
    assert len(await raise_alerts(world, a_finding(tenant.tenant_id))) == 1


async def test_contact_sees_no_alert_of_another_member(world):
    tenant, contact = await world.member("Hôpital D")
    other, _ = await world.member("Hôpital E")
    (own,) = await raise_alerts(world, a_finding(tenant.tenant_id))
    (foreign,) = await raise_alerts(world, a_finding(other.tenant_id))
    assert [one.alert_id for one in (await world.alerts.page(contact, AlertFilter())).items] == [own.alert_id]
    for unseen in (foreign.alert_id, uuid4()):
        with pytest.raises(Problem) as caught:
            await world.alerts.alert(contact, unseen)
        assert caught.value.status == 404


async def test_alerts_are_filtered_and_paged_newest_first(world):
    tenant, contact = await world.member("Hôpital F")
    await raise_alerts(world, *(a_finding(tenant.tenant_id, str(number)) for number in range(PAGE_SIZE + 1)))
    await raise_alerts(world, a_finding(tenant.tenant_id, "other", origin=Origin.HEALTH, level=Level.LOW, title="Zoë"))
    page = await world.alerts.page(contact, AlertFilter())
    rest = await world.alerts.page(contact, AlertFilter(), page.next)
    keys = [one.key for one in (*page.items, *rest.items)]
    assert keys == ["other", *map(str, reversed(range(PAGE_SIZE + 1)))] and rest.next is None
    for wanted in (AlertFilter(origin=Origin.HEALTH), AlertFilter(text="ZOË")):
        assert [one.key for one in (await world.alerts.page(contact, wanted)).items] == ["other"]
    high = await world.alerts.page(contact, AlertFilter(level=Level.HIGH))
    assert "other" not in [one.key for one in high.items]


async def test_person_whose_record_is_deleted_is_taken_out_of_alerts(world):
    tenant, contact = await world.member("Hôpital Z")
    person, other = uuid4(), uuid4()
    values = {"patient": str(person), "actor": "Dr Weber"}
    raised = await raise_alerts(
        world,
        a_finding(tenant.tenant_id, f"health:x:{person}", why="%(actor)s", values=values, person_id=person),
        a_finding(tenant.tenant_id, f"health:y:{person}", person_id=person),
        a_finding(tenant.tenant_id, f"health:x:{other}", person_id=other),
    )

    class Planned:
        person_id = person

    async with world.db.transaction() as conn:
        outcome = await world.alerts.unlink_some(conn, Planned())
    assert (outcome.items, outcome.finished) == (2, True)
    found = [await world.alerts.alert(contact, one.alert_id) for one in raised]
    assert [one.person_id for one in found] == [None, None, other]
    assert found[0].values == {"patient": "", "actor": "Dr Weber"} and found[0].subject == raised[0].subject
    stored = await world.db.fetch(
        "SELECT soc_alert::text AS row FROM soc_alert WHERE tenant_id = $1", tenant.tenant_id
    )
    assert not any(str(person) in row["row"] for row in stored)
