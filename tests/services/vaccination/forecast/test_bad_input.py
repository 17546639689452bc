"""Histories as records have them: wrong days, unknown vaccines, far too many doses."""

from datetime import date, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from esante.services.vaccination.forecast import Dose, Observation, Patient, advise

BORN, ON = date(2019, 3, 31), date(2026, 11, 29)


def reasons(advice):
    return {one.dose: str(one.reason) for one in advice.not_evaluated}


@pytest.mark.parametrize(
    ("day", "vaccine", "reason"),
    [
        (date(2019, 3, 30), "146", "Given before birth"),
        (date(2026, 11, 30), "146", "Given after the day of the advice"),
        (date(2025, 6, 2), "146", "Given after death"),
        (date(2020, 1, 1), "9999", "Vaccine unknown to the rules"),
        (date(2020, 1, 1), "", "Vaccine unknown to the rules"),
        (date(2020, 1, 1), "J07CA09", "Vaccine unknown to the rules"),
        (date(2020, 1, 1), "-1", "Vaccine unknown to the rules"),
        (date(2020, 1, 1), "٣", "Vaccine unknown to the rules"),
    ],
)
def test_dose_that_no_rule_can_be_about_is_set_aside_with_its_reason(lu, day, vaccine, reason):
    died = date(2025, 6, 1) if reason == "Given after death" else None
    patient = Patient(BORN, "male", death_date=died)
    with_it = advise(patient, [Dose("1", day, vaccine)], ON, lu)
    assert reasons(with_it) == {"1": reason}
    assert with_it.groups == advise(patient, [], ON, lu).groups


def test_leading_zeros_of_a_code_mean_nothing(lu):
    one, other = (advise(Patient(BORN), [Dose("1", date(2020, 5, 1), code)], ON, lu) for code in ("3", "003"))
    assert one == other


def test_dead_person_is_advised_nothing(lu):
    assert advise(Patient(BORN, death_date=date(2026, 1, 1)), [], ON, lu).groups == ()


def check_ten_thousand(rules, vaccines, *, same_day):
    days = [date(1990, 1, 1) + timedelta(days=0 if same_day else number) for number in range(10_000)]
    doses = [Dose(str(number), day, vaccines[number % len(vaccines)]) for number, day in enumerate(days)]
    advice = advise(Patient(date(1990, 1, 1), "female"), doses, ON, rules)
    evaluated = {one.dose for group in (*advice.groups, *advice.further) for one in group.evaluations}
    assert len(evaluated | reasons(advice).keys()) == 10_000


MANY = [["94"], ["146"], ["141"], ["309"], ["133"], ["3", "21", "146", "133", "10", "165", "37"]]


@pytest.mark.parametrize("vaccines", MANY)
@pytest.mark.parametrize("same_day", [True, False])
def test_ten_thousand_doses_are_all_answered(lu, vaccines, same_day):
    check_ten_thousand(lu, vaccines, same_day=same_day)


@pytest.mark.long
@pytest.mark.parametrize("vaccines", MANY)
@pytest.mark.parametrize("same_day", [True, False])
def test_ten_thousand_doses_are_all_answered_by_supporting_data(cdsi_464, vaccines, same_day):
    check_ten_thousand(cdsi_464, vaccines, same_day=same_day)


DOSES = st.lists(
    st.builds(
        Dose,
        st.uuids().map(str),
        st.dates(date(1950, 1, 1), date(2030, 1, 1)),
        st.sampled_from(
            ["3", "21", "94", "146", "115", "10", "133", "216", "165", "187", "309", "141", "306", "8", "0", "x"]
        ),
        st.sampled_from([None, "SKB", ""]),
        st.none(),
        st.none() | st.dates(date(1990, 1, 1), date(2030, 1, 1)),
        st.booleans(),
    ),
    max_size=12,
)
CODES = ("003", "007", "170", "020", "278", "preterm", "unheard-of")
OBSERVATIONS = st.lists(
    st.builds(
        Observation,
        st.sampled_from(CODES),
        st.none() | st.dates(date(1990, 1, 1), date(2030, 1, 1)),
        st.none() | st.dates(date(1990, 1, 1), date(2030, 1, 1)),
        st.booleans(),
    ),
    max_size=4,
).map(tuple)
PATIENTS = st.builds(
    Patient, st.dates(date(1920, 2, 29), ON), st.sampled_from(["male", "female", "unknown", "other"]), OBSERVATIONS
)


@settings(max_examples=200)
@for_all(PATIENTS, DOSES)
def test_any_history_gets_an_advice_whose_statements_name_their_rules(lu, patient, doses):
    check(advise(patient, doses, ON, lu), lu, doses)


@settings(max_examples=60)
@for_all(PATIENTS, DOSES)
def test_any_history_gets_an_advice_by_supporting_data(cdsi_464, patient, doses):
    check(advise(patient, doses, ON, cdsi_464), cdsi_464, doses)


def check(advice, rules, doses):
    """Every status, date and evaluation names a rule; the dates ascend; no dose is lost."""
    for one in (*advice.groups, *advice.further, *advice.by_antigen):
        named = {"status"} | {name for name in ("earliest", "recommended", "past_due", "latest") if getattr(one, name)}
        assert named == set(one.rule_of)
        for rule in (*one.reasons, *(evaluation.rule for evaluation in one.evaluations)):
            assert rules.rule(rule).source
        if one.earliest is not None:
            assert one.earliest <= one.recommended
            assert one.past_due is None or one.earliest <= one.past_due
            assert one.dose_number >= 1
    evaluated = {each.dose for one in advice.by_antigen for each in one.evaluations}
    assert evaluated | {one.dose for one in advice.not_evaluated} == {dose.id for dose in doses}


@settings(max_examples=100)
@for_all(PATIENTS, DOSES, st.randoms())
def test_order_in_which_doses_of_different_days_are_handed_over_means_nothing(lu, patient, doses, random):
    single = list({dose.given_on: dose for dose in doses}.values())
    shuffled = random.sample(single, len(single))
    assert advise(patient, single, ON, lu) == advise(patient, shuffled, ON, lu)
