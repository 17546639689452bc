"""The rules of labels: two different operators, evidence of the present kit, days of end."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.services.conformance.kits.run_model import KeptRun, RunState
from esante.services.conformance.labels import rules
from esante.services.conformance.labels.model import EndCause, Label, LabelState, Review
from esante.services.conformance.terms import terms_on

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TERMS = terms_on(NOW.date())
VENDOR, OPERATORS = uuid7(), [uuid7() for _ in range(3)]
RUN = KeptRun(
    run_id=uuid7(),
    vendor_id=VENDOR,
    kit="dsp",
    kit_version="1.0",
    target="https://x.example",
    options={},
    state=RunState.ENDED,
    done=2,
    total=2,
    started_at=NOW - timedelta(hours=1),
    beat_at=NOW,
    ended_at=NOW - timedelta(hours=1),
    passed=True,
    report="x",
)
LABEL = Label(
    label_id=uuid7(),
    version_id=uuid7(),
    vendor_id=VENDOR,
    run_id=RUN.run_id,
    kit="dsp",
    kit_version="1.0",
    state=LabelState.APPLIED,
    applied_at=NOW,
)
GRANTED = replace(LABEL, state=LabelState.GRANTED, granted_at=NOW, until=date(2028, 11, 19))


def review(operator, approved):
    return Review(label_id=LABEL.label_id, operator_id=operator, operator="O", at=NOW, approved=approved, reason="")


reviews = st.lists(st.builds(review, st.sampled_from(OPERATORS), st.booleans()))


@given(reviews)
def test_label_is_granted_by_two_different_operators_and_by_no_fewer(found):
    state = rules.state_after(found)
    approving = {one.operator_id for one in found if one.approved}
    refusals = [one for one in found if not one.approved]
    assert (state is LabelState.REFUSED) == bool(refusals)
    assert (state is LabelState.GRANTED) == (not refusals and len(approving) >= 2)


@given(reviews, st.sampled_from(OPERATORS), st.sampled_from(list(LabelState)))
def test_operator_reviews_an_open_application_once(found, operator, state):
    allowed = state is LabelState.APPLIED and operator not in {one.operator_id for one in found}
    try:
        rules.check_review(replace(LABEL, state=state), found, operator)
    except Problem as problem:
        assert not allowed and problem.status == 409
    else:
        assert allowed


def test_passed_run_of_the_present_kit_is_evidence():
    assert rules.findings(RUN, VENDOR, "1.0", NOW, TERMS) == []


@pytest.mark.parametrize(
    ("changes", "vendor", "version", "words"),
    [
        ({}, uuid7(), "1.0", "none of this vendor"),
        ({"state": RunState.INTERRUPTED}, VENDOR, "1.0", "none of this vendor"),
        ({"passed": False}, VENDOR, "1.0", "not passed"),
        ({}, VENDOR, "1.1", "another version"),
        ({}, VENDOR, None, "another version"),
        ({"ended_at": NOW - timedelta(days=30, seconds=1)}, VENDOR, "1.0", "too old"),
        ({"ended_at": None}, VENDOR, "1.0", "too old"),
    ],
)
def test_what_speaks_against_a_run_is_found(changes, vendor, version, words):
    (found,) = rules.findings(replace(RUN, **changes), vendor, version, NOW, TERMS)
    assert words in found


@pytest.mark.parametrize(
    ("labels", "allowed"),
    [
        ([], True),
        ([LABEL], False),
        ([replace(LABEL, kit="other")], True),
        ([replace(LABEL, state=LabelState.REFUSED)], True),
        ([GRANTED], False),
        ([replace(GRANTED, kit_version="0.9")], True),
        ([replace(GRANTED, until=NOW.date() + timedelta(days=90))], True),
        ([replace(GRANTED, until=NOW.date() + timedelta(days=91))], False),
    ],
)
def test_application_is_for_what_is_not_labelled_or_must_be_renewed(labels, allowed):
    assert rules.may_apply(labels, "dsp", "1.0", NOW.date(), TERMS) == allowed


def test_label_ends_after_its_last_day_and_not_before():
    last = GRANTED.until
    assert rules.end_cause(GRANTED, last) is None
    assert rules.end_cause(GRANTED, last + timedelta(days=1)) is EndCause.EXPIRED
    outdated = replace(GRANTED, run_again_by=date(2027, 1, 31))
    assert rules.end_cause(outdated, date(2027, 1, 31)) is None
    assert rules.end_cause(outdated, date(2027, 2, 1)) is EndCause.NOT_RUN_AGAIN


def test_day_for_testing_again_is_set_once():
    today = NOW.date()
    assert rules.run_again_by(GRANTED, "1.0", today, TERMS) is None
    day = rules.run_again_by(GRANTED, "1.1", today, TERMS)
    assert day == today + timedelta(days=180)
    later = rules.run_again_by(replace(GRANTED, run_again_by=day), "1.2", today + timedelta(days=50), TERMS)
    assert later == day
