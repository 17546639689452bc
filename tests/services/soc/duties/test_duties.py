"""The use cases of duties: facts, drafts, approvals by two people, sending, who sees what."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.web import Problem
from esante.services.soc.duties import service
from esante.services.soc.duties.draft_text import PLACEHOLDER
from esante.services.soc.duties.export import notification_json
from tests.support.soc_cases import incident_facts

DUTY = "early_warning"


async def refused(call) -> int:
    """Return the status of the problem that a call raises."""
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def notified(world, name, **facts):
    """Return a contact and a case with a drafted, complete early warning; the version to approve is 2."""
    tenant, contact = await world.member(name)
    case = await world.case(tenant.tenant_id, playbook="ransomware")
    known = datetime.now(UTC) - timedelta(minutes=30)
    await world.duties.state(world.anna, case.case_id, incident_facts(aware_at=known, severe_disruption=True, **facts))
    await world.duties.draft(world.anna, case.case_id, DUTY, "lb")
    await complete(world, case.case_id)
    return contact, case.case_id


async def complete(world, case_id, duty=DUTY):
    found = (await world.duties.view(world.anna, case_id)).notifications[duty]
    texts = {key: text.replace(PLACEHOLDER, "known") for key, text in found.sections.items()}
    await world.duties.edit(world.anna, case_id, duty, texts, found.version)


async def send(world, who, case_id, duty=DUTY, **changes):
    given = {"sent_at": datetime.now(UTC), "receipt": "R-1", "delay_reason": ""}
    await world.duties.mark_sent(who, case_id, duty, **given | changes)


async def test_clocks_are_searched_by_case_and_duty_and_paged(world, monkeypatch):
    tenant, contact = await world.member("Hôpital Z")
    cases = [await world.case(tenant.tenant_id, key, title=f"Case {key}") for key in "abc"]
    for case in cases:
        await world.duties.state(world.anna, case.case_id, incident_facts(severe_disruption=True))
    everything = await world.duties.clocks(contact)
    monkeypatch.setattr(service, "PAGE_SIZE", len(everything) - 1)
    first = await world.duties.clocks_page(contact, "", "en")
    rest = await world.duties.clocks_page(contact, "", "en", first.next)
    assert [*first.items, *rest.items] == everything and rest.next is None
    by_case = await world.duties.clocks_page(contact, cases[1].reference.lower(), "en")
    assert {case.case_id for case, _ in by_case.items} == {cases[1].case_id}
    by_duty = await world.duties.clocks_page(contact, "frühwarnung", "de")
    assert {owed.duty.key for _, owed in by_duty.items} == {DUTY}
    with pytest.raises(Problem):
        await world.duties.clocks_page(contact, "", "en", "x")


@pytest.mark.parametrize("language", ["fr", "de", "en", "lb"])
async def test_draft_has_every_section_in_its_language_with_what_is_known(world, language):
    tenant, _ = await world.member(f"Hôpital {language}")
    case = await world.case(tenant.tenant_id, playbook="ransomware", techniques=("T1486",))
    await world.cases.decide_task(world.anna, case.case_id, "unplug", "done")
    await world.duties.state(world.anna, case.case_id, incident_facts(severe_disruption=True, deaths=2))
    await world.duties.draft(world.anna, case.case_id, "incident_notification", language)
    view = await world.duties.view(world.anna, case.case_id)
    found = view.notifications["incident_notification"]
    assert (*found.sections,) == view.owed_of("incident_notification").duty.sections
    assert f"Hôpital {language}" in found.sections["entity"] and case.reference in found.sections["nature"]
    assert "T1486" in found.sections["indicators"] and PLACEHOLDER in found.sections["contact"]
    expected = {"fr": "Décès : 2", "de": "Todesfälle: 2", "en": "Deaths: 2", "lb": "Doudesfäll: 2"}
    assert expected[language] in found.sections["impact"]


async def test_text_with_open_places_is_not_approved(world):
    tenant, _ = await world.member("Hôpital A")
    case = await world.case(tenant.tenant_id)
    await world.duties.state(world.anna, case.case_id, incident_facts(severe_disruption=True))
    await world.duties.draft(world.anna, case.case_id, DUTY, "fr")
    assert await refused(world.duties.approve(world.anna, case.case_id, DUTY, 1)) == 409


async def test_same_person_does_not_approve_twice(world):
    contact, case_id = await notified(world, "Hôpital B")
    await world.duties.approve(world.anna, case_id, DUTY, 2)
    assert await refused(world.duties.approve(world.anna, case_id, DUTY, 2)) == 409
    assert await refused(send(world, world.anna, case_id)) == 409
    await world.duties.approve(contact, case_id, DUTY, 2)
    assert await refused(world.duties.approve(world.ben, case_id, DUTY, 2)) == 409


async def test_two_approvals_of_one_person_at_the_same_time_count_once(world):
    _, case_id = await notified(world, "Hôpital C")
    calls = (world.duties.approve(world.anna, case_id, DUTY, 2) for _ in range(6))
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(one is None for one in done) == 1
    assert not (await world.duties.view(world.anna, case_id)).notifications[DUTY].is_approved


async def test_change_of_the_text_ends_the_approvals_and_the_version_that_somebody_saw(world):
    contact, case_id = await notified(world, "Hôpital D")
    await world.duties.approve(world.anna, case_id, DUTY, 2)
    await world.duties.edit(contact, case_id, DUTY, {"nature": "Changed."}, 2)
    assert await refused(world.duties.approve(world.ben, case_id, DUTY, 2)) == 409
    assert await refused(world.duties.edit(world.ben, case_id, DUTY, {"nature": "Other."}, 2)) == 409
    found = (await world.duties.view(world.anna, case_id)).notifications[DUTY]
    assert (found.version, found.first_by_id, found.sections["nature"]) == (3, None, "Changed.")


async def test_sent_notification_starts_the_clock_of_the_final_report_and_is_not_changed(world):
    tenant, contact = await world.member("Hôpital E")
    case = await world.case(tenant.tenant_id)
    now, key = datetime.now(UTC), "incident_notification"
    facts = incident_facts(
        aware_at=now - timedelta(minutes=9), handled_at=now - timedelta(minutes=5), severe_disruption=True
    )
    owed = {one.duty.key: one for one in await world.duties.state(contact, case.case_id, facts)}
    assert owed["final_report"].due_at is None
    await world.duties.draft(contact, case.case_id, key, "en")
    await complete(world, case.case_id, key)
    for who in (world.anna, contact):
        await world.duties.approve(who, case.case_id, key, 2)
    await send(world, contact, case.case_id, key, sent_at=now)
    view = await world.duties.view(contact, case.case_id)
    assert view.owed_of("final_report").due_at > now + timedelta(days=27)
    assert view.owed_of(key).sent_at == now
    for call in (
        world.duties.edit(world.anna, case.case_id, key, {"nature": "x"}, 2),
        world.duties.draft(world.anna, case.case_id, key, "fr"),
        send(world, world.anna, case.case_id, key),
    ):
        assert await refused(call) == 409
    assert key not in {one.duty.key for _, one in await world.duties.clocks(contact)}


@pytest.mark.parametrize("moment", [timedelta(hours=2), -timedelta(hours=9)])
async def test_sending_in_the_future_or_before_the_incident_is_refused(world, moment):
    contact, case_id = await notified(world, f"Hôpital {moment}")
    for who in (world.anna, contact):
        await world.duties.approve(who, case_id, DUTY, 2)
    assert await refused(send(world, contact, case_id, sent_at=datetime.now(UTC) + moment)) == 400
    assert await refused(send(world, contact, case_id, receipt=" ")) == 400


@pytest.mark.parametrize(
    "facts",
    [
        {"aware_at": datetime.now(UTC) + timedelta(days=1)},
        {"aware_at": datetime.now(UTC) - timedelta(days=1)},
        {"handled_at": datetime.now(UTC) - timedelta(days=1)},
        {"detected_at": datetime.now(UTC) + timedelta(days=1)},
    ],
)
async def test_moment_in_the_future_or_before_detection_is_refused(world, facts):
    tenant, _ = await world.member(f"Hôpital {facts}")
    case = await world.case(tenant.tenant_id)
    assert await refused(world.duties.state(world.anna, case.case_id, incident_facts(**facts))) == 400


async def test_duty_that_is_not_owed_has_no_draft(world):
    tenant, _ = await world.member("Hôpital F")
    case = await world.case(tenant.tenant_id)
    assert await refused(world.duties.draft(world.anna, case.case_id, DUTY, "fr")) == 404
    await world.duties.state(world.anna, case.case_id, incident_facts())
    assert await refused(world.duties.draft(world.anna, case.case_id, DUTY, "fr")) == 404


async def test_contact_of_another_member_sees_and_does_nothing(world):
    _, case_id = await notified(world, "Hôpital G")
    _, stranger = await world.member("Hôpital H")
    for call in (
        world.duties.view(stranger, case_id),
        world.duties.state(stranger, case_id, incident_facts()),
        world.duties.draft(stranger, case_id, DUTY, "fr"),
        world.duties.edit(stranger, case_id, DUTY, {}, 2),
        world.duties.approve(stranger, case_id, DUTY, 2),
        send(world, stranger, case_id),
        world.duties.exported(stranger, case_id, DUTY, "pdf"),
    ):
        assert await refused(call) == 404
    assert await world.duties.clocks(stranger) == []


async def test_each_statement_of_facts_is_a_version_that_stays(world):
    tenant, _ = await world.member("Hôpital I")
    case = await world.case(tenant.tenant_id)
    for deaths in (1, 2):
        await world.duties.state(world.anna, case.case_id, incident_facts(deaths=deaths))
    rows = await world.db.fetch(
        "SELECT version, facts->>'deaths' AS deaths FROM soc_facts WHERE case_id = $1 ORDER BY 1", case.case_id
    )
    assert [(row["version"], row["deaths"]) for row in rows] == [(1, "1"), (2, "2")]


async def test_acts_are_journalled_without_the_text(world):
    contact, case_id = await notified(world, "Hôpital J")
    for who in (world.anna, contact):
        await world.duties.approve(who, case_id, DUTY, 2)
    await send(world, contact, case_id)
    view, owed = await world.duties.exported(contact, case_id, DUTY, "json")
    counts = {"facts_stated": 1, "notification_drafted": 2, "notification_approved": 2, "notification_sent": 1}
    for name, count in (counts | {"notification_exported": 1}).items():
        entries = [one for one in await world.journalled(f"soc.{name}") if str(case_id) in one]
        assert len(entries) == count and not any("known" in one for one in entries)
    assert b'"receipt": "R-1"' in notification_json(view, owed, "Hôpital J")
