"""The use cases of cases: two-person closing, merging, steps, containment, and the journal of every act."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from esante.core.web import Problem
from esante.services.soc.cases.model import CaseFilter, TaskState
from esante.services.soc.cases.playbooks import packaged_playbooks, parse_playbooks
from tests.support.soc_cases import incident_facts

SUMMARY = "Nothing was found."


async def refused(call) -> int:
    """Return the status of the problem that a call raises."""
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def test_same_person_does_not_close_alone_and_one_of_many_confirmations_counts(world):
    tenant, _ = await world.member("Hôpital A")
    case = await world.case(tenant.tenant_id)
    await world.closing.propose(world.anna, case.case_id, "expected", SUMMARY)
    assert await refused(world.closing.confirm(world.anna, case.case_id)) == 409
    calls = (world.closing.confirm(world.ben, case.case_id) for _ in range(6))
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(one is None for one in done) == 1
    acts = [
        one for one in await world.journalled("soc.case_changed") if str(case.case_id) in one and '"confirm"' in one
    ]
    assert len(acts) == 1


async def test_two_proposals_at_the_same_time_are_one(world):
    tenant, _ = await world.member("Hôpital B")
    case = await world.case(tenant.tenant_id)
    people = (world.anna, world.ben)
    calls = (world.closing.propose(who, case.case_id, "false_alarm", SUMMARY) for who in people)
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(one is None for one in done) == 1
    proposer = people[done.index(None)]
    assert await refused(world.closing.confirm(proposer, case.case_id)) == 409


async def test_incident_is_not_closed_with_open_steps_or_duties(world):
    tenant, _ = await world.member("Hôpital C")
    case = await world.case(tenant.tenant_id, playbook="log_silence")
    assert await refused(world.closing.propose(world.anna, case.case_id, "incident", SUMMARY)) == 409
    for task in (await world.cases.view(world.anna, case.case_id)).tasks:
        await world.cases.decide_task(world.anna, case.case_id, task.step, "not_applicable", "Not here.")
    known = datetime.now(UTC) - timedelta(minutes=5)
    await world.duties.state(world.anna, case.case_id, incident_facts(aware_at=known, severe_disruption=True))
    assert await refused(world.closing.propose(world.anna, case.case_id, "incident", SUMMARY)) == 409
    await world.duties.state(world.anna, case.case_id, incident_facts(aware_at=known))
    await world.closing.propose(world.anna, case.case_id, "incident", SUMMARY)
    await world.duties.state(world.anna, case.case_id, incident_facts(aware_at=known, severe_disruption=True))
    assert await refused(world.closing.confirm(world.ben, case.case_id)) == 409


async def test_closed_case_is_not_changed_until_it_is_opened_again(world):
    tenant, contact = await world.member("Hôpital D")
    case = await world.case(tenant.tenant_id, playbook="log_silence")
    [alert] = await world.raise_alerts(tenant.tenant_id, "later")
    await world.closing.propose(world.anna, case.case_id, "false_alarm", SUMMARY)
    await world.closing.confirm(world.ben, case.case_id)
    acts = [
        lambda: world.cases.note(contact, case.case_id, "A note."),
        lambda: world.cases.decide_task(contact, case.case_id, "check_source", "done"),
        lambda: world.evidence.add(contact, case.case_id, "f", "text/plain", b"x"),
        lambda: world.cases.change(world.anna, case.case_id, title="Other", severity=1, tlp="red", playbook=""),
        lambda: world.triage.join(world.anna, case.case_id, [alert.alert_id]),
        lambda: world.duties.state(contact, case.case_id, incident_facts()),
        lambda: world.containment.request_quarantine(world.anna, case.case_id, "It spreads."),
    ]
    for act in acts:
        assert await refused(act()) == 409
    await world.cases.reopen(world.anna, case.case_id, "It came again.")
    for act in acts:
        await act()


async def test_merged_case_gives_its_alerts_and_keeps_its_evidence(world):
    tenant, _ = await world.member("Hôpital E")
    other, _ = await world.member("Hôpital F")
    case, target = await world.case(tenant.tenant_id, "a", "b"), await world.case(tenant.tenant_id, "c")
    foreign = await world.case(other.tenant_id)
    assert await refused(world.cases.merge(world.anna, case.case_id, foreign.case_id)) == 400
    assert await refused(world.cases.merge(world.anna, case.case_id, case.case_id)) == 400
    assert await refused(world.cases.merge(world.anna, case.case_id, uuid4())) == 404
    await world.cases.merge(world.anna, case.case_id, target.case_id)
    view = await world.cases.view(world.anna, target.case_id)
    assert len(view.alerts) == 3 and [one.case_id for one in view.merged] == [case.case_id]
    assert len(await world.evidence.items(world.anna, case.case_id)) == 1
    assert await world.evidence.verify(world.anna, case.case_id) == []


async def test_two_cases_merged_into_each_other_at_once_leave_one(world):
    tenant, _ = await world.member("Hôpital G")
    one, two = await world.case(tenant.tenant_id, "a"), await world.case(tenant.tenant_id, "b")
    done = await asyncio.gather(
        world.cases.merge(world.anna, one.case_id, two.case_id),
        world.cases.merge(world.ben, two.case_id, one.case_id),
        return_exceptions=True,
    )
    assert sum(result is None for result in done) == 1
    states = {(await world.cases.case(world.anna, case.case_id)).state for case in (one, two)}
    assert states == {"open", "merged"}


async def test_contact_does_own_steps_only_and_writes_no_internal_note(world):
    tenant, contact = await world.member("Hôpital H")
    case = await world.case(tenant.tenant_id, playbook="log_silence")
    await world.cases.decide_task(contact, case.case_id, "check_source", "done")
    assert await refused(world.cases.decide_task(contact, case.case_id, "confirm", "done")) == 404
    assert await refused(world.cases.decide_task(contact, case.case_id, "call_it", "not_applicable", "")) == 400
    assert await refused(world.cases.decide_task(contact, case.case_id, "call_it", "maybe")) == 400
    await world.cases.note(contact, case.case_id, "Ours.", is_internal=True)
    await world.cases.note(world.anna, case.case_id, "Of the agency.", is_internal=True)
    assert [one.text for one in (await world.cases.timeline(contact, case.case_id)).items if one.text] == ["Ours."]
    assert [step.step for step, _ in await world.cases.member_tasks(contact)] == ["call_it"]
    for act in (world.cases.take, world.closing.confirm):
        assert await refused(act(contact, case.case_id)) == 403


async def test_suspension_needs_a_second_person_and_ends_what_is_open(world):
    tenant, contact = await world.member("Hôpital I")
    case = await world.case(tenant.tenant_id)
    token = await world.access.issue_token(contact, frozenset({"user/*.rs"}), timedelta(hours=1))
    assert token
    unknown = world.containment.request_suspension(world.anna, case.case_id, "nobody", "Stolen password.")
    assert await refused(unknown) == 400
    await world.containment.request_suspension(world.anna, case.case_id, str(contact.id), "Stolen password.")
    [asked] = await world.containment.of_case(world.anna, case.case_id)
    decide = world.containment.decide_suspension
    assert await refused(decide(world.anna, case.case_id, asked.containment_id, confirm=True)) == 409
    assert not await world.directory.suspensions.among([contact.id])
    calls = (decide(world.ben, case.case_id, asked.containment_id, confirm=True) for _ in range(4))
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(one is None for one in done) == 1
    assert await world.directory.suspensions.among([contact.id]) == {contact.id}
    left = await world.db.fetch("SELECT 1 FROM access_token WHERE principal->>'id' = $1", str(contact.id))
    assert left == []


async def test_quarantine_is_an_event_that_names_the_organisation(world):
    tenant, _ = await world.member("Hôpital J")
    case = await world.case(tenant.tenant_id)
    await world.containment.request_quarantine(world.anna, case.case_id, "It spreads.")
    [entry] = [one for one in await world.journalled("soc.quarantine_requested") if str(case.case_id) in one]
    assert str(tenant.organization_id) in entry
    agency = await world.tenants.agency()
    own = await world.case(agency.tenant_id)
    assert await refused(world.containment.request_quarantine(world.anna, own.case_id, "It spreads.")) == 409


async def test_every_act_is_one_entry_of_the_journal(world):
    tenant, contact = await world.member("Hôpital K")
    case = await world.case(tenant.tenant_id, playbook="log_silence")
    other = await world.case(tenant.tenant_id, "other")
    [alert] = await world.raise_alerts(tenant.tenant_id, "later")
    id_ = case.case_id
    await world.containment.request_suspension(world.anna, id_, str(contact.id), "Stolen password.")
    [asked] = await world.containment.of_case(world.anna, id_)
    acts = [
        (world.cases.take(world.anna, id_), {"soc.case_changed": 1}),
        (world.cases.note(contact, id_, "A note."), {"soc.note_added": 1}),
        (world.cases.decide_task(contact, id_, "check_source", "done"), {"soc.task_changed": 1}),
        (world.cases.decide_task(contact, id_, "check_source", "done"), {}),
        (world.triage.join(world.anna, id_, [alert.alert_id]), {"soc.alerts_joined": 1, "soc.evidence_added": 1}),
        (world.evidence.add(contact, id_, "f", "text/plain", b"x"), {"soc.evidence_added": 1}),
        (
            world.containment.decide_suspension(world.anna, id_, asked.containment_id, confirm=False),
            {"soc.suspension_decided": 1},
        ),
        (world.cases.merge(world.anna, other.case_id, id_), {"soc.case_changed": 2}),
        (world.closing.propose(world.anna, id_, "false_alarm", SUMMARY), {"soc.case_changed": 1}),
        (world.closing.decline(world.ben, id_, "Not yet."), {"soc.case_changed": 1}),
        (world.handovers.make(world.anna, id_, "circl", "fr"), {"soc.case_handed_over": 1}),
    ]
    for act, expected in acts:
        before = await counts(world)
        await act
        assert {
            name: n - before.get(name, 0) for name, n in (await counts(world)).items() if n != before.get(name, 0)
        } == expected


async def counts(world):
    rows = await world.db.fetch("SELECT type, count(*) AS n FROM journal_entry GROUP BY type")
    return {row["type"]: row["n"] for row in rows}


async def test_contact_sees_cases_of_their_own_member_only(world):
    tenant, contact = await world.member("Hôpital L")
    _, stranger = await world.member("Hôpital M")
    case = await world.case(tenant.tenant_id, playbook="phishing")
    assert [one.case_id for one in (await world.cases.page(contact, CaseFilter())).items] == [case.case_id]
    assert (await world.cases.page(stranger, CaseFilter())).items == []
    assert await world.cases.member_tasks(stranger) == []
    for call in (
        world.cases.view(stranger, case.case_id),
        world.cases.timeline(stranger, case.case_id),
        world.cases.note(stranger, case.case_id, "A note."),
        world.cases.decide_task(stranger, case.case_id, "keep_message", "done"),
        world.containment.of_case(stranger, case.case_id),
        world.handovers.of_case(stranger, case.case_id),
    ):
        assert await refused(call) == 404


def test_playbooks_have_the_eight_rulebooks_and_steps_with_who_and_when():
    books = packaged_playbooks()
    rulebooks = [
        one.key for one in books.playbook if "rulebook on" in one.legal_source and "Guidance" in one.legal_source
    ]
    assert len(rulebooks) == 8
    assert {"ransomware", "data_breach", "snooping", "lost_device", "exposed_archive", "log_silence"} < {*books.by_key}
    used = {key for one in books.playbook for key in one.steps}
    assert used == {*books.steps} and all(one.display for one in books.playbook)


@pytest.mark.parametrize(
    ("techniques", "origins", "key"),
    [(["T1490"], [], "ransomware"), (["T1059.001"], [], "malware"), ([], ["health"], "snooping"), (["T9"], [], "")],
)
def test_playbook_is_proposed_by_technique_or_origin(techniques, origins, key):
    assert packaged_playbooks().proposed(techniques, origins) == key


def test_playbook_with_an_unknown_step_is_refused():
    text = (
        '[[step]]\nkey = "a"\nphase = "detection"\nwho = "agency"\nminutes = 1\nlabel = "A"\n[[playbook]]\nkey = "p"\n'
    )
    text += 'label = "P"\ndisplay = "P"\ntechniques = []\norigins = []\nlegal_source = "x"\nverified = false\n'
    with pytest.raises(ValueError, match="unknown steps: b"):
        parse_playbooks(text + 'steps = ["b"]\n')
    with pytest.raises(ValueError, match="twice"):
        parse_playbooks(text + 'steps = ["a", "a"]\n')
    assert parse_playbooks(text + 'steps = ["a"]\n').tasks("p", uuid4(), datetime.now(UTC))[0].state is TaskState.OPEN


async def test_duties_of_a_closed_case_are_not_listed_and_a_report_to_come_keeps_an_incident_open(world):
    tenant, contact = await world.member("Hôpital N")
    case = await world.case(tenant.tenant_id)
    known = datetime.now(UTC) - timedelta(minutes=5)
    await world.duties.state(world.anna, case.case_id, incident_facts(aware_at=known, severe_disruption=True))
    owed = {one.duty.key: one for _, one in await world.duties.clocks(contact)}
    assert owed["final_report"].due_at is None
    assert await refused(world.closing.propose(world.anna, case.case_id, "incident", SUMMARY)) == 409
    await world.closing.propose(world.anna, case.case_id, "false_alarm", SUMMARY)
    assert len(await world.duties.clocks(contact)) == len(owed)
    await world.closing.confirm(world.ben, case.case_id)
    assert await world.duties.clocks(contact) == []
