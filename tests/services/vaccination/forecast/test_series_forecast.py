"""The forecast of one series (chapter 7), each rule by a case made for it."""

from datetime import date, timedelta

import pytest

from esante.services.vaccination.forecast import Observation, Patient, SeriesStatus, advise
from esante.services.vaccination.forecast.rules.model import IntervalFrom, Season, at_season
from tests.services.vaccination.forecast.made_rules import (
    BIRTH,
    CHILD,
    age,
    dose,
    given,
    interval,
    live_conflict,
    on_day,
    rule_set,
    series,
    vaccine,
)


def advised(rules, *doses, on=200, patient=CHILD):
    return advise(patient, doses, on_day(on), rules).group("G")


def days(found):
    """Earliest, recommended, past due and latest as days after birth."""
    dates = (found.earliest, found.recommended, found.past_due, found.latest)
    return tuple(None if one is None else (one - BIRTH).days for one in dates)


def test_ages_give_the_dates_of_a_first_dose():
    rules = rule_set(series(dose(ages=[age("42 days", "60 days", "90 days", "700 days")])))
    found = advised(rules)
    assert days(found) == (42, 60, 89, 699)
    assert found.rule_of == dict.fromkeys(("earliest", "recommended", "past_due", "latest"), "age") | {
        "status": "dose"
    }


def test_recommended_age_is_taken_before_recommended_intervals():
    second = dose(
        ages=[age(recommended="100 days", late="130 days")], intervals=[interval("28 days", "300 days", "400 days")]
    )
    assert days(advised(rule_set(series(dose(), second)), given(50))) == (78, 100, 129, None)


def test_latest_of_the_recommended_intervals_counts_without_a_recommended_age():
    rows = [
        interval("28 days", "40 days", "60 days"),
        interval("50 days", "90 days", "120 days", start=IntervalFrom.TARGET_DOSE, target=1, rule="from-1"),
    ]
    found = advised(rule_set(series(dose(), dose(intervals=rows))), given(50))
    assert days(found) == (100, 140, 169, None)
    assert (found.rule_of["earliest"], found.rule_of["recommended"]) == ("from-1", "from-1")


def test_no_date_is_before_the_earliest():
    second = dose(ages=[age(recommended="60 days", late="70 days")], intervals=[interval("28 days")])
    assert days(advised(rule_set(series(dose(), second)), given(100))) == (128, 128, 128, None)


def test_past_due_stays_blank_without_a_latest_recommendation():
    assert days(advised(rule_set(series(dose(ages=[age("42 days")]))))) == (42, 42, None, None)


def test_no_dose_is_due_before_the_last_one_whatever_it_counts_for():
    rules = rule_set(series(dose(), dose(preferable=(2,), inadvertent=frozenset({1}))))
    found = advised(rules, given(50), given(80))
    assert days(found)[0] == 80
    assert found.rule_of["earliest"] == "logic/FORECASTDTCAN-1"


def test_conflict_with_a_past_dose_delays_by_its_full_end():
    rules = rule_set(series(dose(preferable=(3,))), conflicts=live_conflict(4, 3))
    assert days(advised(rules, given(150, 4)))[0] == 178


@pytest.mark.parametrize(
    ("on", "status"), [(699, SeriesStatus.NOT_COMPLETE), (700, SeriesStatus.AGED_OUT), (900, SeriesStatus.AGED_OUT)]
)
def test_person_at_the_maximum_age_is_aged_out(on, status):
    found = advised(rule_set(series(dose(ages=[age("42 days", maximum="700 days")]))), on=on)
    assert found.status is status
    if status is SeriesStatus.AGED_OUT:
        assert (days(found), found.reasons) == ((None,) * 4, ("age",))


def test_series_that_cannot_be_finished_before_the_maximum_age_is_aged_out():
    second = dose(ages=[age(maximum="700 days")], intervals=[interval("28 days")])
    rules = rule_set(series(dose(), second))
    assert advised(rules, given(671), on=690).status is SeriesStatus.NOT_COMPLETE
    assert advised(rules, given(672), on=690).status is SeriesStatus.AGED_OUT


def test_dose_number_is_one_more_than_the_doses_that_count():
    rules = rule_set(series(dose(), dose(intervals=[interval("28 days")]), dose()))
    assert advised(rules).dose_number == 1
    assert advised(rules, given(50), given(60)).dose_number == 2
    assert advised(rules, given(50), given(90), given(95)).status is SeriesStatus.COMPLETE


def test_vaccine_is_recommended_by_name_at_its_ages():
    target = dose(
        preferable=[vaccine(1, end="150 days", recommended=True), vaccine(2, "150 days", recommended=True), vaccine(3)]
    )
    rules = rule_set(series(target))
    assert advised(rules, on=149).vaccines == ("1",)
    assert (advised(rules, on=150).vaccines, advised(rules, on=150).suitable) == (("2",), ("2", "3"))


def season(start, end, *, yearly=False):
    return Season("season", date.fromisoformat(start).toordinal(), date.fromisoformat(end).toordinal(), yearly=yearly)


def test_season_bounds_the_forecast_with_both_ends():
    rules = rule_set(series(dose(season=season("2022-10-01", "2023-03-31"))))
    ask = lambda day: advise(CHILD, [], date.fromisoformat(day), rules).group("G")  # noqa: E731
    assert (ask("2022-10-01").status, ask("2023-03-31").status) == (SeriesStatus.NOT_COMPLETE,) * 2
    assert ask("2023-04-01").status is SeriesStatus.NOT_RECOMMENDED
    assert ask("2023-04-01").reasons == ("season",)
    assert ask("2022-10-01").earliest == date(2022, 10, 1)


@pytest.mark.parametrize(
    ("on", "yearly", "start"),
    [
        ("2022-12-01", False, "2022-10-01"),
        ("2021-12-01", False, "2021-10-01"),
        ("2021-05-01", False, "2021-10-01"),
        ("2015-03-31", False, "2014-10-01"),
        ("2024-12-01", False, "2022-10-01"),
        ("2024-12-01", True, "2024-10-01"),
        ("2024-04-01", True, "2024-10-01"),
        ("2020-03-31", True, "2019-10-01"),
    ],
)
def test_season_is_moved_to_that_of_the_day(on, yearly, start):
    one = series(dose(season=season("2022-10-01", "2023-03-31", yearly=yearly)))
    moved = at_season(one, date.fromisoformat(on).toordinal()).doses[0].season
    assert date.fromordinal(moved.start) == date.fromisoformat(start)
    assert date.fromordinal(moved.end) == date.fromisoformat(start).replace(year=int(start[:4]) + 1, month=3, day=31)


def test_end_of_february_stays_the_end_of_february():
    one = series(dose(season=season("2022-09-01", "2023-02-28", yearly=True)))
    assert date.fromordinal(at_season(one, date(2023, 12, 1).toordinal()).doses[0].season.end) == date(2024, 2, 29)


def test_season_without_an_end_is_ignored_before_it_begins():
    rules = rule_set(series(dose(season=season("2022-10-01", "2999-12-31"))))
    assert advise(CHILD, [], date(2022, 9, 30), rules).group("G").earliest == BIRTH
    assert advise(CHILD, [], date(2022, 10, 1), rules).group("G").earliest == date(2022, 10, 1)


def test_dose_number_counts_the_doses_of_the_season():
    seasonal = dose(season=season("2022-10-01", "2023-03-31"), recurring=True)
    rules = rule_set(series(seasonal))
    doses = [given(date(2021, 11, 1)), given(date(2022, 11, 1))]
    assert advise(CHILD, doses[:1], date(2022, 12, 1), rules).group("G").dose_number == 1
    assert advise(CHILD, doses, date(2022, 12, 1), rules).group("G").dose_number == 2


def test_interval_is_measured_from_the_latest_observation():
    onset = interval("91 days", "91 days", "182 days", start=IntervalFrom.OBSERVATION, observation="170")
    rules = rule_set(series(dose(intervals=[onset])))
    patient = Patient(BIRTH, "female", (Observation("170", on_day(10), on_day(50)), Observation("170", on_day(100))))
    assert days(advised(rules, patient=patient)) == (191, 191, 281, None)
    assert days(advised(rules, given(150), patient=patient))[0] == 191


def test_completed_series_has_no_dates():
    found = advised(rule_set(series(dose())), given(50))
    assert (found.status, days(found), found.dose_number, found.reasons) == (
        SeriesStatus.COMPLETE,
        (None,) * 4,
        None,
        ("logic/7.4-complete",),
    )


def test_day_before_birth_is_refused():
    with pytest.raises(ValueError, match="before the person's birth"):
        advise(CHILD, [], BIRTH - timedelta(days=1), rule_set(series(dose())))
