"""The checks of one dose (CDSi Logic Specification, chapter 6), each by a case made for its rule."""

import pytest

from esante.services.vaccination.forecast import advise
from esante.services.vaccination.forecast.rules.model import Association, IntervalFrom
from tests.services.vaccination.forecast.made_rules import (
    BIRTH,
    CHILD,
    age,
    dose,
    evaluations,
    given,
    interval,
    live_conflict,
    on_day,
    rule_set,
    series,
    span,
    vaccine,
)

LATER = on_day(4000)
VALID = ("Valid", None)


def evaluated(rules, *doses, patient=CHILD):
    return evaluations(advise(patient, doses, LATER, rules))


@pytest.mark.parametrize(
    ("day", "outcome"),
    [
        (37, ("Not Valid", "Age: Too Young")),
        (38, ("Valid", "Grace period")),
        (41, ("Valid", "Grace period")),
        (42, VALID),
        (99, VALID),
        (100, ("Extraneous", "Age: Too Old")),
    ],
)
def test_age_is_compared_with_each_bound(day, outcome):
    ages = [age("42 days", absolute="38 days", maximum="100 days")]
    assert evaluated(rule_set(series(dose(ages=ages))), given(day)) == [outcome]


def test_age_rows_hold_on_their_dates_both_ends_included():
    change = on_day(50).toordinal()
    ages = [age("10 days", cessation=change), age("60 days", effective=change + 1)]
    rules = rule_set(series(dose(ages=ages)))
    assert evaluated(rules, given(50)) == [VALID]
    assert evaluated(rules, given(51)) == [("Not Valid", "Age: Too Young")]


@pytest.mark.parametrize(
    ("days", "outcome"),
    [(23, ("Not Valid", "Interval: too short")), (24, ("Valid", "Grace period")), (28, VALID)],
)
def test_interval_from_the_previous_dose(days, outcome):
    rules = rule_set(series(dose(), dose(intervals=[interval("28 days", absolute="24 days")])))
    assert evaluated(rules, given(100), given(100 + days)) == [VALID, outcome]


def test_interval_counts_from_a_dose_that_was_not_valid():
    rules = rule_set(series(dose(), dose(intervals=[interval("28 days")])))
    statuses = evaluated(rules, given(100), given(120), given(130), given(158))
    assert [status for status, _ in statuses] == ["Valid", "Not Valid", "Not Valid", "Valid"]


def test_interval_does_not_count_from_an_inadvertent_dose():
    rules = rule_set(series(dose(), dose(intervals=[interval("28 days")], inadvertent=frozenset({2}))))
    assert evaluated(rules, given(100), given(120, 2), given(128)) == [
        VALID,
        ("Not Valid", "Inadvertent Vaccine"),
        VALID,
    ]


def test_every_interval_must_be_long_enough():
    intervals = [interval("28 days"), interval("100 days", start=IntervalFrom.TARGET_DOSE, target=1)]
    rules = rule_set(series(dose(), dose(), dose(intervals=intervals)))
    assert evaluated(rules, given(100), given(150), given(199), given(227)) == [
        VALID,
        VALID,
        ("Not Valid", "Interval: too short"),
        VALID,
    ]


def test_interval_from_the_most_recent_of_some_vaccines():
    recent = interval("50 days", start=IntervalFrom.MOST_RECENT, vaccines=frozenset({2}))
    rules = rule_set(series(dose(preferable=(1, 2)), dose(intervals=[recent])))
    assert evaluated(rules, given(100, 1), given(101)) == [VALID, VALID]
    assert evaluated(rules, given(100, 2), given(149)) == [VALID, ("Not Valid", "Interval: too short")]


def test_inadvertent_dose_is_not_the_most_recent_one():
    recent = interval("50 days", start=IntervalFrom.MOST_RECENT, vaccines=frozenset({2}))
    rules = rule_set(series(dose(inadvertent=frozenset({2})), dose(intervals=[recent])))
    assert evaluated(rules, given(100, 2), given(110), given(120))[2] == VALID


def test_interval_without_a_reference_is_ignored():
    onset = interval("13 weeks", start=IntervalFrom.OBSERVATION, observation="170")
    assert evaluated(rule_set(series(dose(intervals=[onset]))), given(100)) == [VALID]


def test_allowable_interval_replaces_one_that_is_too_short():
    second = dose(intervals=[interval("28 days")], allowable_intervals=(interval("14 days"),))
    rules = rule_set(series(dose(), second))
    assert evaluated(rules, given(100), given(114)) == [VALID, ("Valid", "Grace period")]
    assert evaluated(rules, given(100), given(113))[1] == ("Not Valid", "Interval: too short")


@pytest.mark.parametrize(
    ("days", "outcome"),
    [(0, VALID), (1, ("Not Valid", "Live Virus Conflict")), (23, ("Not Valid", "Live Virus Conflict")), (24, VALID)],
)
def test_conflict_with_a_valid_dose_of_another_antigen_ends_at_the_minimum(days, outcome):
    rules = rule_set(
        series(dose(preferable=(3,))),
        vaccines={3: (Association("A"),), 4: (Association("other"),)},
        conflicts=live_conflict(4, 3),
    )
    assert evaluated(rules, given(400, 4, "before"), given(400 + days, 3)) == [outcome]


def test_conflict_with_a_dose_that_is_not_valid_ends_later():
    rules = rule_set(series(dose(preferable=(3,), ages=[age("400 days")])), conflicts=live_conflict(3, 3))
    assert evaluated(rules, given(390, 3), given(417, 3)) == [
        ("Not Valid", "Age: Too Young"),
        ("Not Valid", "Live Virus Conflict"),
    ]
    assert evaluated(rules, given(390, 3), given(418, 3))[1] == VALID


def test_preferable_vaccine_counts_between_its_ages_and_allowable_beside_it():
    target = dose(preferable=[vaccine(1, "50 days", "60 days")], allowable=[vaccine(1, "40 days", "50 days")])
    rules = rule_set(series(target))
    statuses = [evaluated(rules, given(day))[0] for day in (39, 40, 50, 59, 60)]
    wrong = ("Not Valid", "Not a preferable or allowable vaccine")
    assert statuses == [wrong, VALID, VALID, VALID, wrong]


@pytest.mark.parametrize(
    ("more", "valid"),
    [
        ({"trade_name": "Engerix-B"}, True),
        ({"trade_name": "Recombivax"}, False),
        ({"manufacturer": "SKB"}, True),
        ({"manufacturer": "MSD"}, False),
        ({}, False),
    ],
)
def test_named_product_is_recognised_by_name_or_maker(more, valid):
    rules = rule_set(series(dose(preferable=[vaccine(1, trade_name="ENGERIX-B", mvx="SKB")])))
    assert (evaluated(rules, given(100, **more)) == [VALID]) is valid


def test_smaller_volume_is_a_remark_only():
    rules = rule_set(series(dose(preferable=[vaccine(1, volume=0.5)])))
    assert evaluated(rules, given(100, volume=0.25)) == [("Valid", "Less than the recommended volume")]
    assert evaluated(rules, given(100, volume=0.5)) == [VALID]


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"expires_on": on_day(99)}, ("Sub-standard", "Expired lot")),
        ({"expires_on": on_day(100)}, VALID),
        ({"condition_flag": True}, ("Sub-standard", "Dose flagged by its condition")),
    ],
)
def test_unfit_dose_is_sub_standard(more, outcome):
    assert evaluated(rule_set(series(dose())), given(100, **more)) == [outcome]


def test_unfit_dose_satisfies_nothing_and_is_no_reference():
    rules = rule_set(series(dose(), dose(intervals=[interval("28 days")])))
    statuses = evaluated(rules, given(100), given(120, condition_flag=True), given(128))
    assert [status for status, _ in statuses] == ["Valid", "Sub-standard", "Valid"]


def test_dose_after_the_last_target_is_extraneous():
    assert evaluated(rule_set(series(dose())), given(100), given(200)) == [
        VALID,
        ("Extraneous", "Series Already Complete"),
    ]


def test_recurring_dose_recurs_at_its_place():
    rules = rule_set(series(dose(recurring=True, intervals=[interval("100 days")]), dose()))
    doses = [given(day) for day in (100, 200, 299, 400)]
    assert [status for status, _ in evaluated(rules, *doses)] == ["Valid", "Valid", "Not Valid", "Valid"]


def test_first_failed_check_names_the_rule():
    rules = rule_set(series(dose(ages=[age("200 days")], intervals=[interval("10 days")], preferable=(2,))))
    (only,) = advise(CHILD, [given(100)], LATER, rules).group("G").evaluations
    assert (only.reason, only.rule) == ("Age: Too Young", "age")


def test_vaccine_belongs_to_an_antigen_between_two_ages():
    split = {1: (Association("A", None, span("50 years")), Association("B", span("50 years"), None))}
    rules = rule_set(series(dose()), series(dose(), antigen="B"), vaccines=split)
    for years, antigen in ((49, "A"), (50, "B")):
        advice = advise(CHILD, [given(BIRTH.replace(year=BIRTH.year + years))], BIRTH.replace(year=2090), rules)
        assert [one.antigen for one in advice.by_antigen if one.evaluations] == [antigen]


def test_doses_are_evaluated_in_the_order_of_their_days():
    rules = rule_set(series(dose(), dose(intervals=[interval("28 days")])))
    late, early = given(200, id="late"), given(100, id="early")
    found = advise(CHILD, [late, early], LATER, rules).group("G").evaluations
    assert [(one.dose, str(one.status)) for one in found] == [("early", "Valid"), ("late", "Valid")]


def test_two_doses_of_one_day_are_both_evaluated():
    rules = rule_set(series(dose(), dose(intervals=[interval("28 days")])))
    assert [status for status, _ in evaluated(rules, given(100, id="a"), given(100, id="b"))] == ["Valid", "Not Valid"]
