"""The choice of series (chapter 8): its tables case by case, and its scores against a plain twin."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from esante.services.vaccination.forecast import Observation, Patient, SeriesStatus, advise
from esante.services.vaccination.forecast.engine.conditions import AntigenConditions
from esante.services.vaccination.forecast.engine.evaluation import evaluate
from esante.services.vaccination.forecast.engine.person import Person
from esante.services.vaccination.forecast.engine.selection import prioritised_series, scorable_series
from esante.services.vaccination.forecast.engine.series_forecast import Forecaster
from esante.services.vaccination.forecast.rules.model import Contraindication, Indication, SeriesKind
from tests.services.vaccination.forecast.made_rules import (
    BIRTH,
    CHILD,
    age,
    dose,
    given,
    interval,
    on_day,
    rule_set,
    series,
    span,
)

ON = on_day(1000)


def followed(*members, doses=(), patient=CHILD, **of_antigen):
    """The names of the best series."""
    advice = advise(patient, doses, ON, rule_set(*members, **of_antigen))
    return [one.series[0] for one in advice.by_antigen]


def two(**more):
    return dose(**more), dose(intervals=[interval("28 days")], **more)


def test_default_is_taken_when_nobody_has_a_dose():
    assert followed(series(*two(), name="other", default=False), series(*two(), name="default")) == ["default"]


def test_complete_series_is_preferred_to_one_in_process():
    short, long = series(dose(), name="short", default=False), series(*two(), name="long")
    assert followed(short, long, doses=[given(100)]) == ["short"]


def test_only_series_in_process_is_taken():
    theirs = series(*two(preferable=(2,)), name="theirs", default=False)
    assert followed(series(*two(), name="default"), theirs, doses=[given(100, 2)]) == ["theirs"]


def test_series_begun_after_its_maximum_age_to_start_is_not_scorable():
    early = series(*two(), name="early", maximum_start=span("90 days"))
    late = series(*two(), name="late", default=False)
    assert followed(early, late, doses=[given(89)]) == ["early"]
    assert followed(early, late, doses=[given(90)]) == ["late"]


def test_first_valid_dose_decides_whether_a_series_was_begun_in_time():
    early = series(*two(), two()[1], name="early", maximum_start=span("90 days"))
    slow = series(*two(), two()[1], two()[1], name="slow", default=False, preference=0)
    assert followed(early, slow, doses=[given(89), given(200)]) == ["early"]


def test_product_path_is_preferred_while_every_dose_is_valid():
    product = series(*two(preferable=(2,)), name="product", default=False, product_path=True, preference=2)
    mixed = series(*two(preferable=(1, 2)), name="mixed", preference=1)
    assert followed(product, mixed, doses=[given(100, 2)]) == ["product"]
    assert followed(product, mixed, doses=[given(100, 2), given(120, 2)]) == ["mixed"]


def test_series_that_can_be_completed_is_preferred():
    ends = dose(intervals=[interval("28 days")], ages=[age(maximum="1030 days")])
    closing = series(*two(), ends, name="closing", preference=1)
    open_one = series(*two(), two()[1], name="open", default=False, preference=2)
    on_time = [given(950)]
    assert followed(closing, open_one, doses=on_time) == ["closing"]
    too_late = [given(990)]
    assert followed(closing, open_one, doses=too_late) == ["open"]


def test_tie_goes_to_the_preferred_series():
    one, other = series(*two(), name="one", preference=2), series(*two(), name="other", default=False, preference=1)
    assert followed(one, other, doses=[given(100)]) == ["other"]


def risk(name, code="R", **more):
    return series(
        *two(),
        name=name,
        kind=SeriesKind.RISK,
        default=False,
        indications=(Indication(name, code, f"{name} text"),),
        **more,
    )


AT_RISK = Patient(BIRTH, "female", (Observation("R"),))


def test_risk_series_is_taken_before_an_equivalent_standard_one():
    standard = series(*two(), name="standard", equivalent=frozenset({"2"}))
    at_risk = risk("risk", series_group="2", equivalent=frozenset({"1"}))
    assert followed(standard, at_risk, patient=AT_RISK) == ["risk"]
    assert followed(standard, at_risk) == ["standard"]


def test_risk_series_stands_beside_a_standard_one_that_is_not_equivalent():
    assert followed(series(*two(), name="standard"), risk("risk", series_group="2"), patient=AT_RISK) == [
        "standard",
        "risk",
    ]


def test_equivalent_complete_series_makes_the_risk_series_needless():
    standard = series(dose(), name="standard", equivalent=frozenset({"2"}))
    at_risk = risk("risk", series_group="2", equivalent=frozenset({"1"}))
    assert followed(standard, at_risk, patient=AT_RISK, doses=[given(100)]) == ["standard"]


def test_highest_priority_of_the_risk_series_is_scorable():
    low, high = risk("low", priority="B", preference=1), risk("high", priority="A", preference=2)
    assert followed(low, high, patient=AT_RISK) == ["high"]


def test_evaluation_only_series_counts_when_it_is_complete():
    old = series(dose(preferable=(2,)), name="old", kind=SeriesKind.EVALUATION_ONLY, default=False)
    standard = series(*two(), name="standard")
    assert followed(old, standard, doses=[given(100, 2)]) == ["old"]
    assert followed(old, standard) == ["standard"]


def test_evaluation_only_series_that_is_not_complete_is_no_best_series():
    assert followed(series(*two(), name="old", kind=SeriesKind.EVALUATION_ONLY), doses=[given(100)]) == []


def test_contraindicated_default_gives_way_to_a_series_that_is_aged_out():
    row = series(dose(preferable=(2,))).doses[0].preferable[0]
    against = Contraindication("no 2", "C", "not 2", vaccines=(row,))
    default = series(*two(preferable=(2,), allowable=(1,)), name="default")
    over = series(*two(preferable=(1,), ages=[age(maximum="900 days")]), name="over", default=False)
    patient = Patient(BIRTH, "female", (Observation("C"),))
    found = followed(default, over, doses=[given(100)], patient=patient, vaccine_contraindications=(against,))
    assert found == ["over"]


def test_contraindicated_series_is_dropped_unless_all_are():
    vaccine_2 = Contraindication(
        "no 2", "C", "not 2", vaccines=(series(dose(preferable=(2,))).doses[0].preferable[0],)
    )
    first = series(*two(preferable=(2,)), name="first", default=False)
    second = series(*two(preferable=(1,)), name="second", default=False)
    patient = Patient(BIRTH, "female", (Observation("C"),))
    assert followed(first, second, patient=patient, vaccine_contraindications=(vaccine_2,)) == ["second"]
    only = advise(patient, [], ON, rule_set(first, vaccine_contraindications=(vaccine_2,)))
    assert only.groups[0].status is SeriesStatus.CONTRAINDICATED


@pytest.mark.parametrize(
    ("gender", "genders", "relevant"),
    [
        ("female", (), True),
        ("female", ("female", "unknown"), True),
        ("male", ("female", "unknown"), False),
        ("unknown", ("female", "unknown"), True),
        ("unknown", ("male",), False),
    ],
)
def test_series_is_for_the_genders_that_it_names(gender, genders, relevant):
    members = [series(dose(), name="one", genders=frozenset(genders))]
    assert followed(*members, patient=Patient(BIRTH, gender)) == (["one"] if relevant else [])


TARGETS = st.lists(
    st.tuples(
        st.sampled_from([None, "10 days", "28 days", "100 days"]), st.sampled_from([None, "900 days", "1050 days"])
    ),
    min_size=1,
    max_size=4,
)
MEMBERS = st.lists(
    st.tuples(TARGETS, st.booleans(), st.booleans(), st.sampled_from([(1,), (2,), (1, 2)]), st.integers(1, 3)),
    min_size=1,
    max_size=5,
)
GIVEN = st.lists(st.tuples(st.integers(20, 999), st.sampled_from([1, 2])), max_size=5)


def plain_choice(members, person):
    """Sections 8.1 to 8.7 read line by line; the candidates of the highest score."""
    scorable = scorable_series(members, person)
    complete = [one for one in scorable if one.status is SeriesStatus.COMPLETE]
    running = [one for one in scorable if one.status is SeriesStatus.NOT_COMPLETE and one.state.satisfied]
    defaults = [one for one in members if one.state.series.default]
    if not scorable:
        return defaults if len(defaults) == 1 else []
    for alone in (scorable, complete) if complete else (scorable, running):
        if len(alone) == 1:
            return alone
    if not complete and not running and len(defaults) == 1:
        return defaults
    scored = complete or running or [one for one in scorable if not one.state.satisfied] or scorable
    points = {id(one): 0 for one in scored}

    def award(condition, alone, several, otherwise):
        true = [one for one in scored if condition(one)]
        for one in scored:
            points[id(one)] += otherwise if one not in true else alone if len(true) == 1 else several

    def finish(one):
        state = one.state
        remaining = [row for target in state.targets[state.position :] for row in target.intervals if row.minimum]
        return one.earliest + max([row.minimum.days for row in remaining], default=0)

    def completable(one):
        if one.earliest is None:
            return False
        last = one.state.targets[-1].ages
        return not last or last[0].maximum is None or finish(one) < person.birth + last[0].maximum.days

    def most_valid(one):
        return len(one.state.satisfied) == max(len(other.state.satisfied) for other in scored)

    def nearest(one):
        def left(each):
            return sum(status.value == "Not Satisfied" for status in each.state.statuses)

        return left(one) == min(left(other) for other in scored)

    if complete:
        award(most_valid, 1, 0, -1)
    elif running or not any(not one.state.satisfied for one in scored):
        award(
            lambda one: (
                one.state.series.product_path
                and all(str(each.status) == "Valid" for each in one.state.outcomes if each.target)
            ),
            2,
            2,
            -2,
        )
        award(completable, 3, 3, -3)
        award(most_valid, 2, 0, -2)
        award(nearest, 2, 0, -2)
        able = [other for other in scored if completable(other)]
        award(lambda one: one in able and finish(one) == min(map(finish, able)), 1, 0, -1)
    else:
        starts = [one.earliest for one in scored if one.earliest is not None]
        award(lambda one: bool(starts) and one.earliest == min(starts), 1, 0, -1)
        award(completable, 1, 1, -1)
        award(lambda one: not one.state.series.product_path, 1, 1, -1)
    highest = max(points.values())
    return [one for one in scored if points[id(one)] == highest]


@for_all(MEMBERS, GIVEN)
def test_choice_equals_its_plain_twin(members, doses):
    made = [
        series(
            *(
                dose(
                    preferable=preferable,
                    intervals=[interval(minimum)] if minimum else (),
                    ages=[age(maximum=maximum)] if maximum else (),
                )
                for minimum, maximum in targets
            ),
            default=default,
            product_path=product,
            preference=preference,
        )
        for targets, default, product, preferable, preference in members
    ]
    rules = rule_set(*made)
    person = Person(CHILD, [given(day, cvx, id=str(place)) for place, (day, cvx) in enumerate(doses)], ON, rules)
    forecaster = Forecaster(person, rules, AntigenConditions(None, None, {}, ()), ())
    forecasts = [forecaster.forecast(evaluate(one, person, rules, ())) for one in made]
    chosen = prioritised_series(forecasts, person)
    twins = plain_choice(forecasts, person)
    assert (chosen is None) is (not twins)
    if chosen is not None:
        assert any(chosen is one for one in twins)
        assert chosen.state.series.preference == min(one.state.series.preference for one in twins)
