"""From the draft to the decision: what applicants and operators do, and what is refused."""

from dataclasses import replace
from datetime import timedelta

from esante.core import clock
from esante.core.clock import use_clock
from esante.core.time_zone import today
from esante.services.research.accounts.model import AccountChange
from esante.services.research.applications.model import ApplicationState, Content, Decision
from esante.services.research.applications.service import MOST_DRAFTS
from esante.services.research.terms import add_months
from tests.support.consent import problem_of
from tests.support.research import COLUMNS, CONTENT, accepted, count_entries, granted, submitted

PART = Decision(
    grants=True, columns={"laboratory.result": frozenset({"code"})}, months=6, conditions="Publish openly."
)
REFUSAL = Decision(grants=False, reason="The aim can be reached with the published statistics.")


async def state_of(applications, researcher, id_):
    return (await applications.case(researcher, id_)).listed.application.state


async def test_draft_is_kept_as_it_is_and_submitted_when_nothing_lacks(applications, researcher):
    draft = await applications.save(researcher, None, Content(title="  Only a title ", members=("kim@uni.example",)))
    kept = (await applications.case(researcher, draft.application_id)).listed.application
    assert kept.content.title == "Only a title" and kept.content.members == ("kim@uni.example",)
    problem = await problem_of(applications.submit(researcher, draft.application_id))
    assert problem.status == 400 and problem.place == "summary"
    await applications.save(researcher, draft.application_id, CONTENT)
    done = await applications.submit(researcher, draft.application_id)
    assert done.state is ApplicationState.SUBMITTED and done.due_on == add_months(today(), 3)
    assert (await problem_of(applications.save(researcher, draft.application_id, CONTENT))).status == 409


async def test_application_of_another_is_as_one_that_is_not_there(
    accounts, applications, decisions, operator, researcher
):
    id_ = await submitted(applications, researcher)
    other = await accepted(accounts, operator, "Otto Other", "otto@uni.example")
    for act in (
        applications.case(other, id_),
        applications.save(other, id_, CONTENT),
        applications.submit(other, id_),
        applications.answer(other, id_, "An answer"),
        applications.withdraw(other, id_),
        applications.delete_draft(other, id_),
    ):
        assert (await problem_of(act)).status == 404
    assert (await problem_of(decisions.case(researcher, id_))).status == 403
    assert [one.application.application_id for one in (await applications.own(researcher)).items] == [id_]
    assert (await applications.own(other)).items == []


async def test_operators_do_not_see_drafts(applications, decisions, operator, researcher):
    draft = await applications.save(researcher, None, CONTENT)
    assert (await problem_of(decisions.case(operator, draft.application_id))).status == 404
    assert (await decisions.queue(operator, state="")).items == []
    await applications.delete_draft(researcher, draft.application_id)
    assert (await applications.own(researcher)).items == []


async def test_one_operator_alone_cannot_decide(
    applications, decisions, permits, operator, second_operator, researcher
):
    id_ = await submitted(applications, researcher)
    await decisions.propose(operator, id_, PART)
    problem = await problem_of(decisions.confirm(operator, id_))
    assert problem.status == 409 and (await permits.published()).items == []
    permit = await decisions.confirm(second_operator, id_)
    assert permit.columns == PART.columns and permit.conditions == "Publish openly."
    assert permit.valid_to == add_months(today(), 6) - timedelta(days=1)
    assert permit.members == frozenset({researcher.id}) and permit.holder == "University of Example"
    case = await decisions.case(operator, id_)
    assert case.listed.application.state is ApplicationState.GRANTED and case.permit_id == permit.permit_id
    assert (await problem_of(decisions.confirm(second_operator, id_))).status == 409


async def test_refusal_is_confirmed_by_another_and_gives_no_permit(
    applications, decisions, permits, operator, second_operator, researcher
):
    id_ = await submitted(applications, researcher)
    await decisions.propose(operator, id_, REFUSAL)
    assert await decisions.confirm(second_operator, id_) is None
    application = (await applications.case(researcher, id_)).listed.application
    assert application.state is ApplicationState.REFUSED and application.reason == REFUSAL.reason
    assert (await permits.published()).items == []


async def test_rejected_proposal_is_kept_and_the_application_decided_anew(
    applications, decisions, operator, second_operator, researcher
):
    id_ = await submitted(applications, researcher)
    await decisions.propose(operator, id_, REFUSAL)
    assert (await problem_of(decisions.propose(second_operator, id_, PART))).status == 409
    assert (await problem_of(decisions.reject(operator, id_, "My own"))).status == 409
    await decisions.reject(second_operator, id_, "The statistics are not published by age.")
    assert await state_of(applications, researcher, id_) is ApplicationState.SUBMITTED
    await decisions.propose(second_operator, id_, PART)
    assert await decisions.confirm(operator, id_)
    proposals = (await decisions.case(operator, id_)).proposals
    assert [one.confirmed for one in proposals] == [False, True]


async def test_question_stops_the_time_until_it_is_answered(applications, decisions, operator, researcher):
    id_ = await submitted(applications, researcher)
    due = (await applications.case(researcher, id_)).listed.application.due_on
    await decisions.ask(operator, id_, "Why do you need the unit?")
    assert (await decisions.queue(operator)).items == [] and await decisions.count_waiting() == 0
    later = clock.now() + timedelta(days=7)
    with use_clock(lambda: later):
        await applications.answer(researcher, id_, "Results are in several units.")
    case = await applications.case(researcher, id_)
    assert case.listed.application.due_on == due + timedelta(days=7)
    assert [one.from_authority for one in case.messages] == [True, False]
    assert (await problem_of(applications.answer(researcher, id_, "Once more"))).status == 409
    assert await decisions.count_waiting() == 1


async def test_withdrawn_application_cannot_be_decided(applications, decisions, operator, second_operator, researcher):
    id_ = await submitted(applications, researcher)
    await decisions.propose(operator, id_, PART)
    await applications.withdraw(researcher, id_)
    assert (await problem_of(decisions.confirm(second_operator, id_))).status == 409
    assert (await problem_of(applications.withdraw(researcher, id_))).status == 409


async def test_permit_is_not_issued_to_somebody_who_is_suspended_meanwhile(
    accounts, applications, decisions, permits, operator, second_operator, researcher
):
    kim = await accepted(accounts, operator, "Kim Kept", "kim@uni.example")
    id_ = await submitted(applications, researcher, members=("KIM@uni.example",))
    await decisions.propose(operator, id_, PART)
    await accounts.change(operator, kim.id, AccountChange.SUSPENSION, "They left the university.")
    assert (await problem_of(decisions.confirm(second_operator, id_))).status == 409
    assert (await permits.published()).items == []
    assert (await decisions.case(operator, id_)).proposal is not None, "nothing is half-done"
    await accounts.change(operator, kim.id, AccountChange.RESUMPTION)
    assert (await decisions.confirm(second_operator, id_)).members == {researcher.id, kim.id}


async def test_every_act_is_one_entry_of_the_journal(
    journal, applications, decisions, operator, second_operator, researcher
):
    before = {name: await count_entries(journal, f"research.{name}") for name in ACTS}
    permit = await granted(applications, decisions, researcher, (operator, second_operator))
    after = {name: await count_entries(journal, f"research.{name}") for name in ACTS}
    assert {name: after[name] - before[name] for name in ACTS} == dict.fromkeys(ACTS, 1)
    assert permit.columns == COLUMNS


ACTS = (
    "application_saved",
    "application_submitted",
    "decision_proposed",
    "permit_issued",
    "application_decided",
)


async def test_too_many_drafts_are_refused_and_unknown_columns_are_left_out(applications, researcher):
    columns = {"laboratory.result": frozenset({"code", "name"}), "genome.variant": frozenset({"x"})}
    draft = await applications.save(researcher, None, replace(CONTENT, columns=columns))
    assert draft.content.columns == {"laboratory.result": frozenset({"code"})}
    for _ in range(MOST_DRAFTS - 1):
        await applications.save(researcher, None, Content())
    assert (await problem_of(applications.save(researcher, None, Content()))).status == 409


async def test_list_is_searched_and_paged(applications, decisions, operator, researcher):
    for number in range(21):
        await submitted(applications, researcher, title=f"Study number {number}")
    first = await decisions.queue(operator)
    assert len(first.items) == 20
    rest = await decisions.queue(operator, cursor=first.next)
    assert [one.application.content.title for one in rest.items] == ["Study number 0"] and rest.next is None
    found = await decisions.queue(operator, "example 17")
    assert [one.application.content.title for one in found.items] == ["Study number 17"]
