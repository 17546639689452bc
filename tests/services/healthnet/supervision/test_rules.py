"""Anomalies are raised once and end once, whatever the measures; a slow plain twin says the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.healthnet.supervision.model import AnomalyRule, Subject
from esante.services.healthnet.supervision.rules import Judge, increase
from esante.services.healthnet.supervision.terms import parse_terms, terms_on
from tests.support.healthnet_watch import START

SUBJECT = Subject("S1", "", "x")


def a_rule(**changes):
    values = {
        "key": "x",
        "of_path": False,
        "measure": "silence",
        "is_below": False,
        "raise_at": 10.0,
        "end_at": 5.0,
        "raise_after": 3.0,
        "end_after": 2.0,
        "level": 2,
    }
    return AnomalyRule(**values | changes)


def plain_twin(rule, series):
    """The moments at which an anomaly is raised or ended, found by looking back over the whole series each time."""
    is_open, last_change, changes = False, -1, []
    for place, (at, value) in enumerate(series):
        if value is None:
            continue
        sign = -1 if rule.is_below else 1

        def turns(one, is_open=is_open, sign=sign):
            return sign * one <= sign * rule.end_at if is_open else sign * one >= sign * rule.raise_at

        known = [one for one in series[last_change + 1 : place + 1] if one[1] is not None]
        run = []
        for moment, one in reversed(known):
            if not turns(one):
                break
            run.append(moment)
        if run and at - run[-1] >= (rule.end_after if is_open else rule.raise_after):
            is_open, last_change = not is_open, place
            changes.append((at, is_open))
    return changes


VALUES = st.one_of(st.none(), st.sampled_from([0.0, 4.9, 5.0, 5.1, 7.0, 9.9, 10.0, 12.0, 30.0]))
STEPS = st.lists(st.tuples(st.integers(1, 4), VALUES), max_size=40)


@given(STEPS, st.booleans(), st.sampled_from([0.0, 1.0, 3.0, 6.0]), st.sampled_from([0.0, 2.0, 5.0]))
def test_judge_and_its_plain_twin_raise_and_end_at_the_same_moments(steps, is_below, raise_after, end_after):
    ends = {"raise_at": 5.0, "end_at": 10.0} if is_below else {"raise_at": 10.0, "end_at": 5.0}
    rule = a_rule(is_below=is_below, raise_after=raise_after, end_after=end_after, **ends)
    series, at = [], 0
    for step, value in steps:
        at += step
        series.append((at, value))
    judge = Judge()
    found = [(at, judge.see(SUBJECT, rule, value, at)) for at, value in series]
    assert [(at, one.is_raised) for at, one in found if one] == plain_twin(rule, series)


def test_value_between_the_thresholds_neither_raises_nor_ends():
    judge, rule = Judge(), a_rule(raise_after=0.0, end_after=0.0)
    seen = [judge.see(SUBJECT, rule, value, at) for at, value in enumerate([7, 9.9, 10, 7, 9.9, 5, 7])]
    assert [(place, one.is_raised) for place, one in enumerate(seen) if one] == [(2, True), (5, False)]


def test_sites_that_are_not_watched_any_more_have_no_anomalies():
    judge, rule = Judge([SUBJECT, Subject("S2", "S1", "y"), Subject("S3", "", "x")]), a_rule()
    assert {one.subject for one in judge.forget({"S1"})} == {SUBJECT, Subject("S2", "S1", "y")}
    assert judge.open == {Subject("S3", "", "x")}
    assert judge.see(SUBJECT, rule, 3.0, 1.0) is None


@pytest.mark.parametrize(
    ("before", "now", "more"), [(None, 7, 0), (7, None, 0), (3, 7, 4), (7, 3, 3), (7, 7, 0), (0, 0, 0)]
)
def test_counter_that_begins_anew_counts_from_zero(before, now, more):
    assert increase(before, now) == more


def test_packaged_rules_are_samples_of_the_project():
    terms = terms_on(START.date())
    assert {one.measure for one in terms.rules} == {
        "silence",
        "latency",
        "loss",
        "certificate_left",
        "release_overdue",
        "traffic_ratio",
    }
    assert not terms.is_verified


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("raise_at = 150", "raise_at = 100"),
        ('measure = "loss"', 'measure = "luck"'),
        ('of = "path"', 'of = "site"'),
        ('key = "slow"', 'key = "lossy"'),
        ("raise_at = 48", "raise_at = 96"),
        ("level = 3", "level = 9"),
    ],
)
def test_rules_that_cannot_be_are_refused(old, new):
    from esante.core.dated_data import packaged_text

    text = packaged_text("esante.services.healthnet", "supervision.toml")
    assert old in text
    with pytest.raises(ValueError, match="rule"):
        parse_terms(text.replace(old, new, 1))
