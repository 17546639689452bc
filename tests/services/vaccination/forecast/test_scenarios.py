"""Plans: what if every dose is given when it is due."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.services.vaccination.forecast import Dose, Observation, Patient, SeriesStatus, advise
from esante.services.vaccination.forecast.scenarios import plan

START = date(2026, 11, 29)


def visits(found):
    return [(str(one.on), [dose.vaccine for dose, _ in one.doses]) for one in found.visits]


def test_newborn_is_planned_the_calendar(lu):
    found = plan(Patient(date(2026, 11, 1), "female"), [], lu, start=date(2026, 11, 1), end=date(2028, 10, 31))
    assert visits(found) == [
        ("2026-11-01", ["306"]),
        ("2027-01-01", ["146", "119", "216"]),
        ("2027-02-01", ["119", "163"]),
        ("2027-03-01", ["146", "216"]),
        ("2027-04-01", ["163"]),
        ("2027-10-01", ["146", "216"]),
        ("2027-11-01", ["163", "94"]),
        ("2027-12-01", ["203"]),
        ("2028-02-01", ["94"]),
    ]


def test_child_of_seven_with_foreign_doses_catches_up_as_early_as_may_be(lu):
    foreign = [Dose("a", date(2020, 1, 5), "20"), Dose("b", date(2020, 3, 5), "20"), Dose("c", date(2021, 1, 5), "5")]
    found = plan(Patient(date(2019, 11, 1), "female"), foreign, lu, start=START, end=date(2028, 1, 1), early=True)
    assert visits(found) == [
        ("2026-11-29", ["115", "10", "8", "203", "94"]),
        ("2026-12-27", ["8", "94"]),
        ("2027-01-24", ["10"]),
        ("2027-03-21", ["8"]),
        ("2027-07-24", ["10"]),
    ]
    assert found.unplanned == ()
    assert found.outcome.group("MMR").status is SeriesStatus.COMPLETE


def test_pregnancy_adds_its_vaccines(lu):
    woman = Patient(date(1996, 11, 1), "female")
    pregnant = [Observation("170", date(2026, 5, 1), date(2027, 2, 5))]
    groups = {"RSV", "Influenza"}
    assert plan(woman, [], lu, start=date(2026, 6, 1), end=date(2027, 2, 1), groups=groups).visits == ()
    found = plan(woman, [], lu, start=date(2026, 6, 1), end=date(2027, 2, 1), observations=pregnant, groups=groups)
    assert [(str(one.on), [group.series for _, group in one.doses]) for one in found.visits] == [
        ("2026-10-01", [("Influenza at increased risk",)]),
        ("2026-12-11", [("RSV in pregnancy",)]),
    ]


@pytest.mark.parametrize(
    ("code", "group", "days"),
    [
        ("162", "Yellow Fever", [0]),
        ("144", "Rabies", [0, 7]),
        ("165", "Japanese Encephalitis", [0, 28]),
        ("249", "TBE", [0, 30, 181]),
    ],
)
def test_journey_asks_for_its_vaccines(lu, code, group, days):
    traveller = Patient(date(1985, 3, 1), "male")
    found = plan(
        traveller,
        [],
        lu,
        start=START,
        end=START + timedelta(days=300),
        observations=[Observation(code)],
        groups={group},
    )
    assert [(one.on - START).days for one in found.visits] == days


def test_group_without_a_vaccine_that_would_count_is_named(lu):
    from dataclasses import replace

    hepb = lu.antigens["HepB"]
    (standard, newborn) = hepb.series
    none = replace(standard, doses=tuple(replace(dose, preferable=(), allowable=()) for dose in standard.doses))
    rules = replace(lu, antigens={"HepB": replace(hepb, series=(none, newborn))})
    found = plan(Patient(date(2026, 11, 1)), [], rules, start=START, end=date(2028, 1, 1))
    assert (found.visits, found.unplanned) == ((), ("HepB",))


def test_plan_that_ends_before_it_begins_is_refused(lu):
    with pytest.raises(ValueError, match="ends before it begins"):
        plan(Patient(date(2020, 1, 1)), [], lu, start=START, end=date(2026, 1, 1))


@settings(max_examples=15)
@given(st.dates(date(1940, 1, 1), START), st.booleans())
def test_every_dose_of_a_plan_counts_and_none_is_on_a_day_twice(lu, born, early):
    person = Patient(born, "female")
    found = plan(person, [], lu, start=START, end=START + timedelta(days=700), early=early)
    days = [one.on for one in found.visits]
    assert days == sorted(set(days))
    given_doses = [dose for one in found.visits for dose, _ in one.doses]
    evaluated = advise(person, given_doses, START + timedelta(days=700), lu)
    valid = {each.dose for one in evaluated.by_antigen for each in one.evaluations if str(each.status) == "Valid"}
    assert {dose.id for dose in given_doses} <= valid
