"""The state machine of a case: as a table, and with its use cases against a model."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.web import Problem
from esante.services.soc.alerts.model import Level
from esante.services.soc.cases.model import Case, State, Tlp
from esante.services.soc.cases.states import TRANSITIONS, Act, after, require_active

ANNA, BEN = uuid4(), uuid4()


def a_case(state: State, proposed_by=None) -> Case:
    now = datetime(2026, 5, 4, tzinfo=UTC)
    return Case(
        tenant_id=uuid4(), case_id=uuid4(), reference="2026-1", title="A case", state=state, severity=Level.HIGH,
        tlp=Tlp.AMBER, playbook="", opened_at=now, opened_by="Anna", changed_at=now, proposed_by_id=proposed_by,
    )  # fmt: skip


@given(st.sampled_from([*State]), st.sampled_from([*Act]), st.sampled_from([ANNA, BEN]), st.sampled_from([ANNA, BEN]))
def test_act_is_allowed_where_the_table_says_and_the_second_person_is_another(state, act, proposer, by):
    allowed = (state, act) in TRANSITIONS and not (act is Act.CONFIRM and proposer == by)
    try:
        found = after(a_case(state, proposer), act, by)
    except Problem as problem:
        assert not allowed and problem.status == 409
    else:
        assert allowed and found is TRANSITIONS[state, act]


def test_nothing_closes_a_case_but_a_confirmation_after_a_proposal():
    assert [pair for pair, end in TRANSITIONS.items() if end is State.CLOSED] == [(State.CLOSING, Act.CONFIRM)]
    assert {state for (state, _), end in TRANSITIONS.items() if end is State.CLOSING} == {State.OPEN, State.WORKING}


def test_merged_case_is_final():
    assert not [pair for pair in TRANSITIONS if pair[0] is State.MERGED]
    for state in (State.CLOSED, State.MERGED):
        with pytest.raises(Problem):
            require_active(a_case(state))


ACTS = st.lists(
    st.tuples(st.sampled_from(["take", "propose", "confirm", "decline", "reopen", "merge", "note"]), st.booleans()),
    max_size=14,
)


@settings(max_examples=25)
@given(ACTS)
async def test_cases_follow_the_model_under_any_sequence_of_acts(world, acts):
    tenant, _ = await world.member(f"Hôpital {uuid4()}")
    case, target = await world.case(tenant.tenant_id, "one"), await world.case(tenant.tenant_id, "two")
    state, proposer = "open", None
    for act, is_anna in acts:
        who = world.anna if is_anna else world.ben
        expected = model_of(state, proposer, act, is_anna)
        calls = {
            "take": lambda who=who: world.cases.take(who, case.case_id),
            "propose": lambda who=who: world.closing.propose(who, case.case_id, "false_alarm", "Nothing was found."),
            "confirm": lambda who=who: world.closing.confirm(who, case.case_id),
            "decline": lambda who=who: world.closing.decline(who, case.case_id, "Not yet."),
            "reopen": lambda who=who: world.cases.reopen(who, case.case_id, "It came again."),
            "merge": lambda who=who: world.cases.merge(who, case.case_id, target.case_id),
            "note": lambda who=who: world.cases.note(who, case.case_id, "A note."),
        }
        try:
            await calls[act]()
        except Problem as problem:
            assert problem.status == 409 and expected is None, (act, state)
        else:
            assert expected is not None, (act, state)
            state, proposer = expected, (is_anna if act == "propose" else proposer)
        kept = await world.cases.case(world.anna, case.case_id)
        assert kept.state == state
        alerts = (await world.cases.view(world.anna, case.case_id)).alerts
        assert len(alerts) == (0 if state == "merged" else 1)


def model_of(state, proposer, act, is_anna):
    """The state after an act by the rules in words; None: refused."""
    if act == "note":
        return state if state in ("open", "working", "closing") else None
    if act == "take":
        return "working" if state in ("open", "working") else None
    if act == "propose":
        return "closing" if state in ("open", "working") else None
    if act == "confirm":
        return "closed" if state == "closing" and proposer != is_anna else None
    if act == "decline":
        return "working" if state == "closing" else None
    if act == "reopen":
        return "working" if state == "closed" else None
    return "merged" if state in ("open", "working") else None
