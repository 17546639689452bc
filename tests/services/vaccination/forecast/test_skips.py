"""Conditional skips (section 6.2), against a plain twin that reads the tables word by word."""

from datetime import date, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from esante.services.vaccination.forecast import SeriesStatus, advise
from esante.services.vaccination.forecast.durations import FIRST_DAY, LAST_DAY, Duration, add
from esante.services.vaccination.forecast.engine.person import Person
from esante.services.vaccination.forecast.engine.skips import SkipContext
from esante.services.vaccination.forecast.engine.state import SeriesState
from esante.services.vaccination.forecast.rules.model import (
    Association,
    Comparison,
    ConditionKind,
    SeriesKind,
    Skip,
    SkipCondition,
    SkipSet,
)
from tests.services.vaccination.forecast.made_rules import (
    BIRTH,
    CHILD,
    age,
    dose,
    evaluations,
    given,
    interval,
    on_day,
    rule_set,
    series,
    skip,
    span,
)


def by_age(begin=None, end=None):
    return SkipCondition(ConditionKind.AGE, span(begin), span(end))


def counting(count, comparison=Comparison.GREATER, begin=None, end=None, **more):
    return SkipCondition(
        ConditionKind.VACCINE_COUNT, span(begin), span(end), count=count, comparison=comparison, **more
    )


LATER = on_day(4000)


def advised(rules, *doses, on=LATER):
    return advise(CHILD, doses, on, rules).group("G")


@pytest.mark.parametrize(
    ("context", "in_evaluation", "in_forecast"),
    [("Evaluation", True, False), ("Forecast", False, True), ("Both", True, True)],
)
def test_skip_is_applied_in_its_context_only(context, in_evaluation, in_forecast):
    first = dose(preferable=(2,), skips=[skip(by_age("10 days"), context=context)])
    rules = rule_set(series(first, dose(preferable=(1,))))
    evaluated = evaluations(advise(CHILD, [given(100, 1)], on_day(200), rules))
    assert (evaluated[0][0] == "Valid") is in_evaluation
    without = advised(rules, on=on_day(200))
    assert (without.status, without.dose_number) == (SeriesStatus.NOT_COMPLETE, 1)
    assert (without.suitable == ("1",)) is in_forecast


@pytest.mark.parametrize(("days", "skipped"), [(99, False), (100, True), (199, True), (200, False)])
def test_age_condition_includes_its_begin_and_excludes_its_end(days, skipped):
    rules = rule_set(series(dose(preferable=(2,), skips=[skip(by_age("100 days", "200 days"))]), dose()))
    assert (advised(rules, on=on_day(days)).suitable == ("1",)) is skipped


@pytest.mark.parametrize(("days", "skipped"), [(27, False), (28, True)])
def test_interval_condition_needs_a_dose_and_its_distance(days, skipped):
    since = SkipCondition(ConditionKind.INTERVAL, interval=Duration(days=28))
    rules = rule_set(series(dose(), dose(preferable=(2,), skips=[skip(since)]), dose()))
    assert (advised(rules, given(100), on=on_day(100 + days)).suitable == ("1",)) is skipped
    first = rule_set(series(dose(preferable=(2,), skips=[skip(since)]), dose()))
    assert advised(first, on=on_day(500)).suitable == ("2",)


def test_unfit_dose_skips_nothing():
    first = dose(preferable=(2,), skips=[skip(by_age("10 days"), context="Evaluation")])
    rules = rule_set(series(first, dose(preferable=(1,))))
    assert advised(rules, given(100, condition_flag=True), on=on_day(200)).suitable == ("2",)


def test_dose_under_evaluation_does_not_count_itself():
    rules = rule_set(series(dose(preferable=(2,), skips=[skip(counting(0))]), dose()))
    assert evaluations(advise(CHILD, [given(100), given(200)], on_day(300), rules)) == [
        ("Not Valid", "Not a preferable or allowable vaccine"),
        ("Valid", None),
    ]


def test_list_of_vaccines_is_counted_in_the_whole_history():
    rules = rule_set(
        series(dose(preferable=(2,), skips=[skip(counting(0, vaccines=frozenset({9})))]), dose()),
        vaccines={1: (Association("A"),), 2: (Association("A"),), 9: (Association("other"),)},
    )
    assert advised(rules, given(100, 9)).suitable == ("1",)
    assert advised(rules).suitable == ("2",)


def test_valid_doses_are_those_of_the_series():
    first = dose(ages=[age("100 days")])
    second = dose(preferable=(2,), skips=[skip(counting(0, end="90 days", valid_only=True))])
    rules = rule_set(series(first, second, dose()))
    assert advised(rules, given(50), given(150)).suitable == ("2",)


def test_series_asked_about_is_evaluated_first_whatever_its_place():
    asks = SkipCondition(ConditionKind.COMPLETED_SERIES, series_group="1")
    risk = series(
        dose(preferable=(2,), skips=[skip(asks)]), dose(preferable=(3,)), name="asks", series_group="2", default=True
    )
    rules = rule_set(risk, series(dose(), name="asked", series_group="1"))
    for doses, suitable in (([given(100)], ("3",)), ([], ("2",))):
        found = advise(CHILD, doses, on_day(300), rules).by_antigen
        assert [one.suitable for one in found if one.series == ("asks",)] == [suitable]


def test_set_is_looked_at_on_its_dates_only():
    last = on_day(300).toordinal()
    rules = rule_set(series(dose(preferable=(2,), skips=[skip(by_age("1 day"), cessation=last)]), dose()))
    assert advised(rules, on=on_day(300)).suitable == ("1",)
    assert advised(rules, on=on_day(301)).suitable == ("2",)


def test_forecast_that_its_own_day_would_skip_moves_to_the_next_dose():
    second = dose(
        preferable=(2,), intervals=[interval("28 days")], skips=[skip(by_age("12 months"), context="Forecast")]
    )
    rules = rule_set(series(dose(), second, dose(intervals=[interval("56 days")])))
    near, far = on_day(340), on_day(300)
    assert (advised(rules, given(near), on=near).earliest, advised(rules, given(near), on=near).suitable) == (
        near + timedelta(days=56),
        ("1",),
    )
    assert advised(rules, given(far), on=far).earliest == far + timedelta(days=28)


def test_series_whose_last_dose_is_skipped_by_its_own_day_is_complete():
    second = dose(intervals=[interval("28 days")], skips=[skip(by_age("12 months"))])
    rules = rule_set(series(dose(), second))
    assert advised(rules, given(340), on=on_day(340)).status is SeriesStatus.COMPLETE


def test_series_with_every_dose_skipped_and_none_given_is_not_recommended():
    rules = rule_set(series(dose(skips=[skip(by_age("12 months"))])))
    found = advised(rules)
    assert (found.status, found.reasons) == (SeriesStatus.NOT_RECOMMENDED, ("skip",))


SPANS = st.none() | st.integers(0, 400).map(lambda days: Duration(days=days))
DATES = st.integers(0, 400).map(lambda days: on_day(days).toordinal())
CONDITIONS = st.builds(
    SkipCondition,
    st.sampled_from(ConditionKind),
    SPANS,
    SPANS,
    st.just(FIRST_DAY) | DATES,
    st.just(LAST_DAY) | DATES,
    SPANS.map(lambda one: one or Duration()),
    st.integers(0, 3),
    st.sampled_from(Comparison),
    st.booleans(),
    st.sampled_from([frozenset(), frozenset({1}), frozenset({1, 2}), frozenset({9})]),
    st.sampled_from(["1", "2"]),
)
SETS = st.builds(
    SkipSet,
    st.just("set"),
    st.booleans(),
    st.lists(CONDITIONS, min_size=1, max_size=3).map(tuple),
    DATES | st.just(FIRST_DAY),
)
SKIPS = st.builds(Skip, st.just(True), st.just(True), st.booleans(), st.lists(SETS, min_size=1, max_size=3).map(tuple))
DOSES = st.lists(st.tuples(st.integers(0, 400), st.sampled_from([1, 2, 9]), st.booleans()), max_size=6)


class PlainTwin:
    """The tables of section 6.2, one after the other, without shortcuts."""

    def __init__(self, history, before, reference, anchor, completed):
        """`history`: (day, cvx, valid) in order; doses of the antigen are those of vaccines 1 and 2."""
        self.earlier = history[:before]
        self.reference, self.anchor, self.completed = reference, anchor, completed

    def is_skipped(self, one: Skip) -> bool:
        sets = [each for each in one.sets if each.effective <= self.anchor <= each.cessation]
        met = [self.set_met(each) for each in sets]
        return bool(met) and (all(met) if one.every else any(met))

    def set_met(self, one: SkipSet) -> bool:
        met = [self.met(condition) for condition in one.conditions]
        return all(met) if one.every else any(met)

    def met(self, one: SkipCondition) -> bool:
        begin = FIRST_DAY if one.begin is None else add(BIRTH.toordinal(), one.begin)
        end = LAST_DAY if one.end is None else add(BIRTH.toordinal(), one.end)
        if one.kind is ConditionKind.AGE:
            return begin <= self.reference < end
        if one.kind is ConditionKind.COMPLETED_SERIES:
            return one.series_group in self.completed
        of_antigen = [each for each in self.earlier if each[1] in (1, 2)]
        if one.kind is ConditionKind.INTERVAL:
            return bool(of_antigen) and self.reference >= add(of_antigen[-1][0], one.interval)
        counted = 0
        for day, cvx, valid in self.earlier:
            listed = cvx in one.vaccines if one.vaccines else cvx in (1, 2)
            if listed and begin <= day < end and one.start_date <= day < one.end_date:
                counted += valid or not one.valid_only
        return {
            Comparison.GREATER: counted > one.count,
            Comparison.EQUAL: counted == one.count,
            Comparison.LESS: counted < one.count,
        }[one.comparison]


@for_all(SKIPS, DOSES, st.integers(0, 6), st.integers(0, 450), st.sets(st.sampled_from(["1", "2"])))
def test_skip_tree_equals_its_plain_twin(one, doses, before, reference, completed):
    doses = sorted(doses, key=lambda each: each[0])
    rules = rule_set(series(dose()), vaccines={1: (Association("A"),), 2: (Association("A"),), 9: (Association("B"),)})
    person = Person(
        CHILD, [given(day, cvx, id=str(place)) for place, (day, cvx, _) in enumerate(doses)], date(2030, 1, 1), rules
    )
    state = SeriesState(series(dose(), kind=SeriesKind.STANDARD), person.by_antigen["A"])
    valid = {place for place, (_, cvx, flag) in enumerate(doses) if flag and cvx in (1, 2)}
    state.valid = [each for each in state.doses if each.place in valid and each.place < before]
    day = on_day(reference).toordinal()
    context = SkipContext(person, state, completed, day, day, min(before, len(doses)))
    history = [(on_day(each).toordinal(), cvx, place in valid) for place, (each, cvx, _) in enumerate(doses)]
    twin = PlainTwin(history, before, day, day, completed)
    assert (context.skip_rule((one,)) is not None) is twin.is_skipped(one)
