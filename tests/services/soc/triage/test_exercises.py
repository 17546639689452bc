"""Exercises: marked, counted nowhere, apart from what is real; nothing leaves them."""

import pytest

from esante.core.web import Problem
from esante.services.soc.alerts.model import Origin
from esante.services.soc.cases.model import QueueFilter
from esante.services.soc.console.overview import Overview
from tests.support.soc_cases import incident_facts


async def refused(call) -> int:
    """Return the status of the problem that a call raises."""
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def an_exercise(world, tenant, playbook="ransomware", **changes):
    given = {"title": "Files are being encrypted", "subject": "WS-17", "level": 4, "playbook": playbook}
    return await world.exercises.begin(world.anna, tenant.tenant_id, **given | changes)


async def test_exercise_waits_in_the_queue_and_has_the_steps_of_its_playbook(world):
    tenant, contact = await world.member("Hôpital A")
    alert = await an_exercise(world, tenant)
    (shown,) = (await world.triage.queue(contact, QueueFilter())).items
    assert shown.is_exercise and alert.is_exercise
    case = await world.triage.open_case(world.anna, [alert.alert_id])
    assert case.is_exercise and case.playbook == "ransomware"
    assert (await world.cases.case(contact, case.case_id)).is_exercise
    assert await world.cases.member_tasks(contact)
    assert (await world.exercises.page(world.anna, "encrypted")).items[0] == alert


async def test_figures_of_the_overview_do_not_count_exercises(world, flow):
    tenant, contact = await world.member("Hôpital B")
    before, waiting = await Overview(world.db, world.tenants).summary(contact), await world.triage.count_waiting()
    alert = await an_exercise(world, tenant)
    assert await Overview(world.db, world.tenants).summary(contact) == before
    assert (await flow.now(contact)).waiting == 0 and await world.triage.count_waiting() == waiting
    await world.triage.open_case(world.anna, [alert.alert_id])
    assert await Overview(world.db, world.tenants).summary(contact) == before


async def test_nothing_leaves_an_exercise_and_no_clock_starts(world):
    tenant, contact = await world.member("Hôpital C")
    alert = await an_exercise(world, tenant)
    case = await world.triage.open_case(world.anna, [alert.alert_id])
    facts = incident_facts(severe_disruption=True)
    for act in (
        world.duties.state(contact, case.case_id, facts),
        world.containment.request_suspension(world.anna, case.case_id, str(contact.id), "Practice of it."),
        world.containment.request_quarantine(world.anna, case.case_id, "Practice of it."),
        world.handovers.make(world.anna, case.case_id, "circl", "en"),
    ):
        assert await refused(act) == 409
    assert await world.duties.clocks(contact) == []
    assert (await world.duties.view(contact, case.case_id)).owed == ()


async def test_exercise_and_real_alerts_are_never_in_one_case(world):
    tenant, _ = await world.member("Hôpital D")
    practice, (real, more) = await an_exercise(world, tenant), await world.raise_alerts(tenant.tenant_id, "a", "b")
    keys = [practice.alert_id, real.alert_id]
    assert await refused(world.triage.open_case(world.anna, keys)) == 400
    queued, _ = await world.triage.alert(world.anna, practice.alert_id)
    assert await world.triage.related(world.anna, queued) == [queued], "of the same subject, and yet apart"
    case = await world.triage.open_case(world.anna, [real.alert_id])
    assert await refused(world.triage.join(world.anna, case.case_id, [practice.alert_id])) == 400
    assert await world.triage.active_cases(world.anna, queued) == []
    exercise = await world.triage.open_case(world.anna, [practice.alert_id])
    assert await refused(world.triage.join(world.anna, exercise.case_id, [more.alert_id])) == 400
    assert await refused(world.cases.merge(world.anna, case.case_id, exercise.case_id)) == 400
    assert await world.cases.mergeable(world.anna, case) == []


@pytest.mark.parametrize("changes", [{"playbook": "x"}, {"title": ""}, {"level": 9}, {"subject": "x" * 201}])
async def test_wrong_exercise_is_refused(world, changes):
    tenant, contact = await world.member("Hôpital E")
    assert await refused(an_exercise(world, tenant, **changes)) == 400
    given = {"title": "Files are encrypted", "subject": "", "level": 4, "playbook": "ransomware"}
    assert await refused(world.exercises.begin(contact, tenant.tenant_id, **given)) == 403
    await world.tenants.change(world.anna, tenant.tenant_id, is_active=False, quota=1)
    assert await refused(an_exercise(world, tenant)) == 409


async def test_journal_says_that_an_alert_is_an_exercise(world):
    tenant, _ = await world.member("Hôpital F")
    alert = await an_exercise(world, tenant)
    raised = [one for one in await world.journalled("soc.alert_raised") if str(alert.alert_id) in one]
    assert len(raised) == 1 and f'"origin":"{Origin.EXERCISE}"' in raised[0]
    assert await world.journal_count("soc.exercise_started") == 1
