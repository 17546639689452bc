"""The checks before a dose: what is refused, and each warning at its boundary."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.web import Problem
from esante.services.vaccination.card import rules
from esante.services.vaccination.card.checks import check_terms, contraindication_kinds
from esante.services.vaccination.card.model import Card, Contraindication, DoseEntry, DoseStatus, MatchedDose
from esante.services.vaccination.products.catalogue import catalogue
from tests.services.vaccination.card.test_matching import dose

TODAY, BORN = date(2026, 11, 29), date(1990, 6, 15)
DAY = timedelta(days=1)


def situation(card=None, **fields) -> rules.Situation:
    base = {
        "birth_date": BORN,
        "death_date": None,
        "card": card or Card(person_id=UUID(int=1)),
        "today": TODAY,
        "catalogue": catalogue(),
        "terms": check_terms(TODAY),
        "contraindications": contraindication_kinds(),
    }
    return rules.Situation(**base | fields)


def entry(**fields) -> DoseEntry:
    fields = {"product": "boostrix_polio", "occurred": TODAY.isoformat(), "lot": "L1"} | fields
    return DoseEntry(key=UUID(int=5), **fields)


def warned(one: DoseEntry, at: rules.Situation) -> list[str]:
    rules.require_possible(one, at)
    return [warning.rule for warning in rules.find_warnings(one, at)]


def card_with(*doses) -> Card:
    return Card(person_id=UUID(int=1), doses=tuple(MatchedDose(one) for one in doses))


def refused_place(one: DoseEntry, at: rules.Situation | None = None) -> str:
    with pytest.raises(Problem) as raised:
        rules.require_possible(one, at or situation())
    assert raised.value.status == 400 and raised.value.title
    return raised.value.place


def test_usual_dose_has_no_warning():
    assert warned(entry(expires_on=TODAY), situation()) == []


@pytest.mark.parametrize(
    "occurred",
    [(TODAY + DAY).isoformat(), (BORN - DAY).isoformat(), "", "2020", "2020-13-01", "2020-02-30", "yesterday", "0000"],
)
def test_day_that_cannot_be_is_refused(occurred):
    assert refused_place(entry(occurred=occurred)) == "occurred"


def test_dose_on_the_day_of_birth_and_of_death_is_possible_and_the_day_after_death_is_not():
    dead = situation(death_date=TODAY - DAY)
    rules.require_possible(entry(occurred=BORN.isoformat()), dead)
    rules.require_possible(entry(occurred=(TODAY - DAY).isoformat()), dead)
    assert refused_place(entry(), dead) == "occurred"


@pytest.mark.parametrize(
    ("occurred", "possible"), [("1990", True), ("1990-06", True), ("1990-05", False), ("2027", False)]
)
def test_month_or_year_of_a_copied_dose_may_hold_the_day_of_birth(occurred, possible):
    copied = entry(occurred=occurred, given_here=False)
    if possible:
        rules.require_possible(copied, situation())
    else:
        assert refused_place(copied) == "occurred"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"product": "no_such"}, "product"),
        ({"product": ""}, "product"),
        ({"product": "", "antigens": ("plague",)}, "antigens"),
        ({"site": "XX"}, "site"),
        ({"route": "XX"}, "route"),
        ({"dose_number": 0}, "dose_number"),
        ({"dose_number": 51}, "dose_number"),
        ({"lot": "L" * 81}, "lot"),
        ({"lot": "L\x00"}, "lot"),
        ({"note": "n" * 301}, "note"),
        ({"status": DoseStatus.NOT_GIVEN}, "reason"),
    ],
)
def test_entry_that_nobody_understands_is_refused_with_its_place(fields, place):
    assert refused_place(entry(**fields)) == place


@pytest.mark.parametrize(
    ("expires", "found"), [(TODAY - DAY, ["expired"]), (TODAY, []), (TODAY + 2193 * DAY, ["lot-in-future"])]
)
def test_expiry_is_the_last_day_of_use(expires, found):
    assert warned(entry(expires_on=expires), situation()) == found


def test_lot_made_in_the_future_warns():
    assert warned(entry(produced_on=TODAY + DAY), situation()) == ["lot-in-future"]


def test_missing_lot_warns():
    assert warned(entry(lot=""), situation()) == ["lot-missing"]


@pytest.mark.parametrize(
    ("lot", "day", "found"),
    [
        ("RECALL01", date(2026, 6, 1), ["recalled"]),
        ("recall-01", date(2026, 6, 1), ["recalled"]),
        ("RECALL01", date(2026, 5, 31), []),
        ("RECALL02", date(2026, 6, 1), []),
    ],
)
def test_recalled_lot_warns_from_its_day(lot, day, found):
    assert warned(entry(lot=lot, occurred=day.isoformat()), situation()) == found


def test_used_pack_warns():
    assert warned(entry(), situation(pack_used=True)) == ["pack-used"]


@pytest.mark.parametrize(
    ("age", "found"),
    [(timedelta(days=41), ["wrong-age"]), (timedelta(days=42), []), (timedelta(days=24 * 7), ["wrong-age"])],
)
def test_age_outside_the_product_information_warns(age, found):
    assert warned(entry(product="rotarix"), situation(birth_date=TODAY - age)) == found


def test_age_in_years_begins_on_the_birthday():
    product = catalogue().products["gardasil_9"]
    assert product.min_age.on(date(2012, 2, 29)) == date(2021, 2, 28)
    assert product.min_age.on(date(2017, 11, 29)) == TODAY


@given(st.integers(-60, 60))
def test_live_vaccines_are_on_one_day_or_four_weeks_apart(days):
    day = TODAY - 100 * DAY
    before = dose(
        product="priorix", name="Priorix", antigens=("measles", "mumps", "rubella"), occurred=day.isoformat()
    )
    live = entry(product="stamaril", occurred=(day + timedelta(days=days)).isoformat())
    expected = ["live-interval"] if 0 < abs(days) < 28 else []
    assert warned(live, situation(card_with(before))) == expected


@pytest.mark.parametrize(
    ("earlier", "now"), [("priorix", "boostrix_polio"), ("rotarix", "priorix"), ("comirnaty", "priorix")]
)
def test_interval_holds_between_injected_live_vaccines_only(earlier, now):
    before = dose(
        product=earlier, antigens=catalogue().products[earlier].antigens, occurred=(TODAY - 3 * DAY).isoformat()
    )
    assert warned(entry(product=now), situation(card_with(before))) == []


def test_dose_that_would_not_count_by_the_calendar_warns_with_the_source():
    at = situation(not_counting={"polio": ("too soon", "the calendar"), "tetanus": ("too soon", "the calendar")})
    assert warned(entry(), at) == ["too-early"]
    (warning,) = rules.find_warnings(entry(), at)
    assert warning.legal_source == "the calendar"
    assert warning.details == {"antigens": "polio tetanus", "reason": "too soon"}


@pytest.mark.parametrize(
    ("kind", "product", "found"),
    [
        ("pregnancy", "priorix", ["contraindication"]),
        ("pregnancy", "boostrix_polio", []),
        ("encephalopathy", "boostrix_polio", ["contraindication"]),
        ("unknown", "priorix", []),
    ],
)
def test_contraindication_excludes_what_its_data_say(kind, product, found):
    one = Contraindication(
        id=UUID(int=3), version="1", kind=kind, note="", since=TODAY - DAY, until=None, author=dose().author
    )
    card = replace(Card(person_id=UUID(int=1)), contraindications=(one,))
    assert warned(entry(product=product), situation(card)) == found
    ended = replace(card, contraindications=(replace(one, until=TODAY),))
    assert warned(entry(product=product), situation(ended)) == []


def test_second_dose_on_one_day_warns_and_so_does_a_repeated_number():
    before = dose(product="boostrix_polio", antigens=("diphtheria", "tetanus", "pertussis", "polio"), dose_number="2")
    on_day = replace(before, occurred=TODAY.isoformat())
    assert warned(entry(), situation(card_with(on_day))) == ["same-day"]
    assert warned(entry(dose_number=2), situation(card_with(before))) == ["number-repeated"]
    assert warned(entry(dose_number=3), situation(card_with(before))) == []
    copied = entry(given_here=False, occurred=TODAY.isoformat())
    assert warned(copied, situation(card_with(on_day))) == ["same-day"]


@pytest.mark.parametrize(
    ("profession", "product", "day", "allowed"),
    [
        ("doctor", "boostrix_polio", TODAY, True),
        ("nurse", "boostrix_polio", TODAY, True),
        ("midwife", "boostrix_polio", TODAY, True),
        ("pharmacist", "boostrix_polio", TODAY, False),
        ("pharmacist", "comirnaty", TODAY, True),
        ("pharmacist", "comirnaty", date(2021, 12, 17), False),
        ("nurse", "comirnaty", date(2021, 12, 17), False),
        ("physiotherapist", "boostrix_polio", TODAY, False),
    ],
)
def test_professions_give_what_the_law_of_the_day_says(profession, product, day, allowed):
    one = entry(product=product, occurred=day.isoformat())
    if allowed:
        rules.require_vaccinator(one, profession, catalogue())
    else:
        with pytest.raises(Problem) as raised:
            rules.require_vaccinator(one, profession, catalogue())
        assert raised.value.status == 403
        rules.require_vaccinator(replace(one, given_here=False), profession, catalogue())
