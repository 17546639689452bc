"""What the calendar says of a card: standing by disease, doses that count, a dose that would not."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from esante.identity.directory import Person
from esante.services.vaccination.card.advice import Standing, advise_on, judge_entry
from esante.services.vaccination.card.checks import contraindication_kinds
from esante.services.vaccination.card.model import Card, Contraindication, MatchedDose
from esante.services.vaccination.products.catalogue import catalogue
from tests.services.vaccination.card.test_matching import dose
from tests.services.vaccination.card.test_rules import entry

HEXAVALENT = ("diphtheria", "tetanus", "pertussis", "polio", "hib", "hepatitis_b")


def person(born: date) -> Person:
    return Person(id=UUID(int=1), identifiers=(), family="W", given=("A",), birth_date=born, sex="female")


def card(*doses, **fields) -> Card:
    return Card(person_id=UUID(int=1), doses=tuple(MatchedDose(one) for one in doses), **fields)


def hexavalent(number: int, day: date, **fields):
    fields = {"product": "infanrix_hexa", "cvx": ("132",), "antigens": HEXAVALENT} | fields
    return dose(number, occurred=day.isoformat(), **fields)


BORN = date(2026, 1, 1)


def standing(advice) -> dict[str, Standing]:
    return {key: row.standing for row in advice.rows for key in row.antigens}


def test_infant_without_doses_is_overdue_and_pressing_rows_come_first():
    advice = advise_on(person(BORN), card(), date(2026, 6, 1))
    assert standing(advice)["tetanus"] is Standing.OVERDUE
    assert advice.rows[0].standing is Standing.OVERDUE and advice.pressing >= 2
    assert "influenza" not in standing(advice)


def test_dose_in_time_makes_the_next_one_later():
    advice = advise_on(person(BORN), card(hexavalent(1, date(2026, 3, 1))), date(2026, 3, 2))
    row = next(one for one in advice.rows if "polio" in one.antigens)
    assert (row.standing, row.doses, row.last) == (Standing.LATER, 1, date(2026, 3, 1))
    assert row.next_on is not None and row.next_on > date(2026, 3, 2) and row.source


def test_dose_of_which_only_diseases_are_known_counts_like_one_of_a_product():
    known = advise_on(person(BORN), card(hexavalent(1, date(2026, 3, 1))), date(2026, 6, 1))
    unnamed = hexavalent(1, date(2026, 3, 1), product="", cvx=())
    assert advise_on(person(BORN), card(unnamed), date(2026, 6, 1)) == known


def test_diseases_that_stand_alike_share_a_row():
    advice = advise_on(person(BORN), card(hexavalent(1, date(2026, 3, 1))), date(2026, 3, 2))
    (row,) = [row for row in advice.rows if "polio" in row.antigens]
    assert set(HEXAVALENT) <= {key for row in advice.rows for key in row.antigens}
    assert {"diphtheria", "tetanus", "pertussis", "polio"} <= set(row.antigens)


def test_product_of_two_vaccines_counts_for_both():
    booster = dose(1, product="boostrix_polio", cvx=("115", "10"), antigens=HEXAVALENT[:4], occurred="2026-11-01")
    advice = advise_on(person(date(1990, 1, 1)), card(booster), date(2026, 11, 2))
    assert {key: row.doses for row in advice.rows if row.doses for key in row.antigens} == dict.fromkeys(
        HEXAVALENT[:4], 1
    )


def test_dose_given_too_soon_is_shown_as_not_counting_with_the_reason():
    doses = hexavalent(1, date(2026, 3, 1)), hexavalent(2, date(2026, 3, 8))
    advice = advise_on(person(BORN), card(*doses), date(2026, 4, 1))
    assert set(advice.not_counted) == {UUID(int=2).hex}
    assert "Polio" in advice.not_counted[UUID(int=2).hex]


def test_dose_without_a_whole_date_is_counted_in_the_card_and_not_judged():
    advice = advise_on(person(BORN), card(dose(1, occurred="2026", antigens=("polio",))), date(2026, 6, 1))
    assert next(row.doses for row in advice.rows if "polio" in row.antigens) == 1
    assert standing(advice)["polio"] is Standing.OVERDUE


def test_pregnancy_contraindicates_live_vaccines():
    pregnant = Contraindication(
        id=UUID(int=3),
        version="1",
        kind="pregnancy",
        note="",
        since=date(2026, 5, 1),
        until=None,
        author=dose().author,
    )
    advice = advise_on(person(date(1995, 1, 1)), card(contraindications=(pregnant,)), date(2026, 6, 1))
    assert standing(advice)["measles"] is Standing.NOT_NOW


def test_second_dose_after_a_week_would_not_count_and_after_two_months_would():
    before = card(hexavalent(1, date(2026, 3, 1)))
    early = entry(product="infanrix_hexa", occurred="2026-03-08")
    found = judge_entry(person(BORN), before, early)
    assert "hepatitis_b" in found and found["hepatitis_b"][0] == "too soon after the dose before"
    assert judge_entry(person(BORN), before, entry(product="infanrix_hexa", occurred="2026-05-10")) == {}


def test_flu_vaccine_of_a_healthy_adult_is_not_called_too_early():
    young = person(date(1986, 1, 1))
    assert judge_entry(young, card(), entry(product="vaxigrip", occurred="2026-11-01")) == {}


def test_measles_vaccine_before_the_age_of_the_calendar_would_not_count():
    found = judge_entry(person(BORN), card(), entry(product="priorix", occurred="2026-10-05"))
    assert "measles" in found and found["measles"][1]


def test_day_before_birth_is_judged_by_nobody():
    assert judge_entry(person(BORN), card(), entry(occurred=(BORN - timedelta(days=1)).isoformat())) == {}


def test_flu_dose_before_the_age_of_the_calendar_counts_as_any_other_for_an_adult():
    flu = dose(1, product="vaxigrip", cvx=("140",), antigens=("influenza",), occurred="2024-10-25")
    assert advise_on(person(date(1961, 4, 12)), card(flu), date(2026, 11, 29)).not_counted == {}


def test_measles_dose_of_an_infant_is_shown_as_not_counting():
    early = dose(1, product="priorix", cvx=("03",), antigens=("measles", "mumps", "rubella"), occurred="2026-10-05")
    assert UUID(int=1).hex in advise_on(person(BORN), card(early), date(2026, 11, 29)).not_counted


@pytest.mark.parametrize("kind", [one for one in contraindication_kinds().values() if one.live])
def test_no_disease_that_only_live_vaccines_prevent_is_due_against_a_contraindication(kind):
    on, products = date(2026, 6, 1), catalogue().products.values()
    only_live = {key for one in products for key in one.antigens if one.live}
    only_live -= {key for one in products for key in one.antigens if not one.live}
    assert {"measles", "varicella", "yellow_fever", "rotavirus"} <= only_live
    one = Contraindication(
        id=UUID(int=3), version="1", kind=kind.key, note="", since=on, until=None, author=dose(1).author
    )
    for born in (
        date(2012, 5, 1),
        date(1995, 5, 1),
        *((date(2026, 3, 1), date(2024, 1, 1)) if kind.key != "pregnancy" else ()),
    ):
        found = standing(advise_on(person(born), card(contraindications=(one,)), on))
        pressing = {key for key, is_at in found.items() if is_at in (Standing.DUE, Standing.OVERDUE, Standing.LATER)}
        assert not pressing & only_live, (born, pressing & only_live)
