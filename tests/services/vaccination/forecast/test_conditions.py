"""Observations (sections 5.1, 7.2, 7.3): risk series, immunity, contraindications, each rule by a case made for it."""

from datetime import date

import pytest

from esante.services.vaccination.forecast import Observation, Patient, SeriesStatus, advise
from esante.services.vaccination.forecast.rules.model import (
    BirthImmunity,
    Contraindication,
    Indication,
    SeriesKind,
    VaccineRow,
)
from tests.services.vaccination.forecast.made_rules import BIRTH, age, dose, given, on_day, rule_set, series, span

ON = on_day(500)


def advised(rules, *observations, doses=(), on=ON, **of_patient):
    return advise(Patient(BIRTH, "female", observations, **of_patient), doses, on, rules)


def at_risk(begin=None, end=None):
    indication = Indication("indication", "R", "at risk", span(begin), span(end))
    return rule_set(
        series(dose(ages=[age("10 days")]), kind=SeriesKind.RISK, default=False, indications=(indication,))
    )


@pytest.mark.parametrize(
    ("observation", "relevant"),
    [
        (Observation("R"), True),
        (Observation("R", ON), True),
        (Observation("R", on_day(501)), False),
        (Observation("R", None, ON), True),
        (Observation("R", None, on_day(499)), False),
        (Observation("S"), False),
        (Observation("R", certain=False), False),
    ],
)
def test_risk_series_needs_an_active_observation(observation, relevant):
    advice = advised(at_risk(), observation)
    assert bool(advice.groups) is relevant
    if relevant:
        assert (advice.groups[0].risk, advice.groups[0].texts) == (True, ("at risk",))


@pytest.mark.parametrize(
    ("begin", "end", "relevant"),
    [("500 days", None, True), ("501 days", None, False), (None, "500 days", False), (None, "501 days", True)],
)
def test_indication_holds_between_its_ages(begin, end, relevant):
    assert bool(advised(at_risk(begin, end), Observation("R")).groups) is relevant


def test_uncertain_indication_is_shown_to_the_clinician():
    assert advised(at_risk(), Observation("R", certain=False)).texts == ("at risk",)
    assert advised(at_risk()).texts == ()


def test_dose_of_a_series_that_is_not_for_the_person_is_said_to_be_unevaluated():
    (only,) = advised(at_risk(), doses=[given(100)]).not_evaluated
    assert str(only.reason) == "No series for this person"


def test_observation_of_immunity_ends_the_need():
    rules = rule_set(series(dose()), immunity={"020": "immune"})
    found = advised(rules, Observation("020", date(2019, 1, 1))).groups[0]
    assert (found.status, found.reasons) == (SeriesStatus.IMMUNE, ("immune",))


def test_complete_series_stays_complete_with_evidence_of_immunity():
    rules = rule_set(series(dose()), immunity={"020": "immune"})
    assert advised(rules, Observation("020"), doses=[given(100)]).groups[0].status is SeriesStatus.COMPLETE


@pytest.mark.parametrize(
    ("before", "country", "of_patient", "observations", "immune"),
    [
        (BIRTH, "", None, (), False),
        (on_day(1), "", None, (), True),
        (on_day(1), "", None, (Observation("055"),), False),
        (on_day(1), "U.S.", "US", (), True),
        (on_day(1), "U.S.", "USA", (), True),
        (on_day(1), "U.S.", "LU", (), False),
        (on_day(1), "U.S.", None, (), False),
    ],
)
def test_immunity_by_date_of_birth(before, country, of_patient, observations, immune):
    birth = BirthImmunity("birth", before.toordinal(), country, frozenset({"055"}))
    rules = rule_set(series(dose()), birth_immunity=(birth,))
    found = advised(rules, *observations, birth_country=of_patient).groups[0]
    assert (found.status is SeriesStatus.IMMUNE) is immune


def against(*vaccines, begin=None, end=None):
    return Contraindication("against", "C", "do not vaccinate", span(begin), span(end), vaccines)


@pytest.mark.parametrize(
    ("begin", "end", "applies"),
    [(None, None, True), ("500 days", None, True), ("501 days", None, False), (None, "500 days", False)],
)
def test_antigen_contraindication_holds_between_its_ages(begin, end, applies):
    rules = rule_set(series(dose()), contraindications=(against(begin=begin, end=end),))
    found = advised(rules, Observation("C")).groups[0]
    assert (found.status is SeriesStatus.CONTRAINDICATED) is applies
    if applies:
        assert (found.reasons, found.texts, found.earliest) == (("against",), ("do not vaccinate",), None)


def test_uncertain_contraindication_is_shown_and_not_applied():
    rules = rule_set(series(dose()), contraindications=(against(),))
    found = advised(rules, Observation("C", certain=False)).groups[0]
    assert (found.status, found.texts) == (SeriesStatus.NOT_COMPLETE, ("do not vaccinate",))


def test_contraindicated_vaccine_leaves_the_recommendation():
    rows = [VaccineRow("", cvx, recommended=True) for cvx in (1, 2)]
    rules = rule_set(series(dose(preferable=rows)), vaccine_contraindications=(against(VaccineRow("", 1)),))
    assert advised(rules, Observation("C")).groups[0].vaccines == ("2",)
    assert advised(rules).groups[0].vaccines == ("1", "2")


def test_series_with_every_preferable_vaccine_contraindicated_is_contraindicated():
    both = against(VaccineRow("", 1), VaccineRow("", 2))
    rules = rule_set(series(dose(preferable=(1,)), dose(preferable=(2,))), vaccine_contraindications=(both,))
    assert advised(rules, Observation("C")).groups[0].status is SeriesStatus.CONTRAINDICATED
    one = rule_set(
        series(dose(preferable=(1,)), dose(preferable=(2,))), vaccine_contraindications=(against(VaccineRow("", 1)),)
    )
    assert advised(one, Observation("C")).groups[0].status is SeriesStatus.NOT_COMPLETE


def test_contraindicated_vaccine_is_so_between_its_own_ages():
    later = against(VaccineRow("", 1, span("501 days")))
    rules = rule_set(series(dose()), vaccine_contraindications=(later,))
    assert advised(rules, Observation("C")).groups[0].status is SeriesStatus.NOT_COMPLETE
    assert advised(rules, Observation("C"), on=on_day(501)).groups[0].status is SeriesStatus.CONTRAINDICATED


def test_immunity_is_looked_at_before_contraindications():
    rules = rule_set(series(dose()), immunity={"020": "immune"}, contraindications=(against(),))
    assert advised(rules, Observation("020"), Observation("C")).groups[0].status is SeriesStatus.IMMUNE
