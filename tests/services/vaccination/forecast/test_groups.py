"""Merging of antigens into vaccine groups (chapter 9)."""

import pytest

from esante.services.vaccination.forecast import Observation, Patient, SeriesStatus, advise
from esante.services.vaccination.forecast.rules.model import (
    Association,
    Contraindication,
    Indication,
    IntervalFrom,
    SeriesKind,
    VaccineGroup,
)
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
)

BOTH = tuple(map(Association, ("A", "B")))
VACCINES = {1: (Association("A"),), 2: (Association("B"),), 3: BOTH}


def two_antigens(a, b, *, whole=False, **more):
    return rule_set(
        series(*a, antigen="A"),
        series(*b, antigen="B"),
        groups=(VaccineGroup("G", ("A", "B"), whole),),
        vaccines=VACCINES,
        **more,
    )


def advised(rules, *doses, on=300, patient=CHILD):
    return advise(patient, doses, on_day(on), rules).group("G")


def days(found):
    return tuple(
        None if one is None else (one - BIRTH).days
        for one in (found.earliest, found.recommended, found.past_due, found.latest)
    )


A = dose(preferable=(1, 3), ages=[age("40 days", "60 days", "90 days", "900 days")])
B = dose(preferable=(2, 3), ages=[age("50 days", "55 days", None, "800 days")])


def test_group_is_due_when_its_last_antigen_may_be_given():
    found = advised(two_antigens([A], [B]))
    assert days(found) == (50, 55, 89, 799)
    assert found.suitable == ("3",)


def test_priority_interval_makes_the_group_due_with_its_first_antigen():
    hurry = dose(preferable=(1,), intervals=[interval("10 days", priority=True)])
    wait = dose(preferable=(2,), intervals=[interval("100 days")])
    rules = two_antigens([dose(preferable=(3,)), hurry], [dose(preferable=(3,)), wait])
    found = advised(rules, given(100, 3))
    assert days(found)[0] == 110
    assert days(advised(rules, given(100, 3), given(150, 9)))[0] == 110
    calm = two_antigens([dose(preferable=(3,)), dose(intervals=[interval("10 days")])], [dose(preferable=(3,)), wait])
    assert days(advised(calm, given(100, 3)))[0] == 200


def test_priority_needs_the_flag_on_every_interval():
    rows = [interval("10 days", priority=True), interval("20 days", priority=False)]
    wait = dose(preferable=(2,), intervals=[interval("100 days")])
    rules = two_antigens([dose(preferable=(3,)), dose(preferable=(1,), intervals=rows)], [dose(preferable=(3,)), wait])
    assert days(advised(rules, given(100, 3)))[0] == 200


def test_priority_is_not_earlier_than_the_last_dose_of_the_group():
    hurry = dose(
        preferable=(1,), intervals=[interval("10 days", start=IntervalFrom.TARGET_DOSE, target=1, priority=True)]
    )
    rules = two_antigens(
        [dose(preferable=(3,)), hurry], [dose(preferable=(3,)), dose(preferable=(2,), intervals=[interval("90 days")])]
    )
    found = advised(rules, given(100, 3), given(150, 2))
    assert (days(found)[0], found.rule_of["earliest"]) == (150, "logic/MULTIANTVG-1")


@pytest.mark.parametrize(("whole", "number"), [(True, 1), (False, 2)])
def test_dose_number_is_the_lowest_when_the_group_is_given_whole(whole, number):
    later = [dose(preferable=(1, 3)), dose(preferable=(1, 3))]
    rules = two_antigens(later, [dose(preferable=(2, 3)), dose(preferable=(2, 3))], whole=whole)
    assert advised(rules, given(100, 1)).dose_number == number


@pytest.mark.parametrize(
    ("a", "b", "status"),
    [
        ([], [], SeriesStatus.COMPLETE),
        ([], ["020"], SeriesStatus.COMPLETE),
        (["020"], ["020"], SeriesStatus.IMMUNE),
    ],
)
def test_group_is_complete_or_immune_as_all_its_antigens_are(a, b, status):
    doses = [given(100, 1, "a")] * (not a) + [given(100, 2, "b")] * (not b)
    rules = two_antigens([dose(preferable=(1,))], [dose(preferable=(2,))], immunity={"020": "immune"})
    assert advised(rules, *doses, patient=Patient(BIRTH, "female", tuple(map(Observation, a + b)))).status is status


def test_worst_status_of_an_antigen_is_that_of_the_group():
    rules = two_antigens([dose(preferable=(1,), ages=[age(maximum="200 days")])], [B])
    assert advised(rules).status is SeriesStatus.AGED_OUT
    both = two_antigens(
        [dose(ages=[age(maximum="200 days")])], [B], contraindications=(Contraindication("no", "C", ""),)
    )
    assert advised(both, patient=Patient(BIRTH, "female", (Observation("C"),))).status is SeriesStatus.CONTRAINDICATED


def test_dose_is_not_valid_when_it_is_for_one_antigen_and_extraneous_when_it_is_for_all():
    rules = two_antigens([dose(preferable=(3,))], [dose(preferable=(3,), ages=[age("150 days")])])
    found = advised(rules, given(100, 3), given(200, 3), given(250, 3))
    assert [str(one.status) for one in found.evaluations] == ["Not Valid", "Valid", "Extraneous"]


def at_risk(**more):
    return series(
        dose(ages=[age("400 days")]),
        name="risk",
        kind=SeriesKind.RISK,
        default=False,
        series_group="2",
        indications=(Indication("indication", "R", "at risk"),),
        **more,
    )


def test_dose_that_is_due_for_a_risk_comes_before_what_is_complete():
    rules = rule_set(series(dose(preferable=(2,)), name="standard"), at_risk())
    patient = Patient(BIRTH, "female", (Observation("R"),))
    advice = advise(patient, [given(100, 2)], on_day(300), rules)
    assert (advice.groups[0].series, advice.further[0].series) == (("risk",), ("standard",))


def test_later_stage_of_life_does_not_hide_what_is_complete():
    later = series(dose(ages=[age("9000 days", "9000 days")]), name="later", series_group="2")
    rules = rule_set(series(dose(), name="child"), later)
    assert advised(rules, given(100)).series == ("child",)
    assert advise(CHILD, [given(100)], on_day(9000), rules).group("G").series == ("later",)


def test_group_without_a_series_for_the_person_is_left_out():
    assert advise(CHILD, [], on_day(300), rule_set(at_risk())).groups == ()
