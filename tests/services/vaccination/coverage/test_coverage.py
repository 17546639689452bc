"""Coverage: given and valid doses apart, small cells protected, the same people the same number."""

from datetime import date, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from esante.core import clock
from esante.core.disclosure import StatisticsKey, rule_on
from esante.core.time_zone import today
from esante.identity.directory import Address, canton_of
from esante.services.vaccination.coverage.coverage_store import ExactCoverage, fetch_groups
from esante.services.vaccination.coverage.service import (
    FIRST_YEAR,
    LAST_YEAR,
    Coverage,
    CoverageQuery,
    Coverages,
    coverage_csv,
    protect,
)
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.record import refusal_of
from tests.support.vaccination import catch_up, copied, given

RULE = rule_on(date(2026, 10, 1))
KEY = StatisticsKey(b"k" * 32)
BORN = date(1988, 4, 5)


@pytest.fixture(scope="module")
def coverages(world, statistics_key):
    """The coverage of the country."""
    return Coverages(world.db, statistics_key)


async def exact(world, antigen):
    """The exact counts of those born in 1988."""
    month = today().replace(day=1)
    found = await fetch_groups(world.db, "birth_year", month, antigen, (BORN.year, BORN.year), None)
    return (found[0].persons, found[0].given, found[0].valid) if found else (0, 0, 0)


async def test_given_and_valid_doses_are_counted_apart(world, cards, histories, forecasts, coverages):
    with_dose, doctor = await person_with_doctor(world, birth_date=BORN)
    await cards.enter(doctor, with_dose.id, [given()])
    too_early, doctor = await person_with_doctor(world, birth_date=BORN)
    await cards.enter(doctor, too_early.id, [copied((BORN + timedelta(days=3)).isoformat())])
    await world.person(birth_date=BORN)
    await catch_up(world, histories, forecasts)
    assert await coverages.refresh()
    assert await coverages.refresh() is False
    persons, doses, valid = await exact(world, "tetanus")
    assert (persons, doses) == (3, 2) and valid <= 1
    await cards.enter(doctor, too_early.id, [given()], reason="catch-up")
    await catch_up(world, histories, forecasts)
    await coverages.refresh(force=True)
    assert (await exact(world, "tetanus"))[2] >= valid


async def test_dose_changes_the_count_of_its_month(world, cards, histories, forecasts, coverages):
    person, doctor = await person_with_doctor(world, birth_date=BORN)
    await catch_up(world, histories, forecasts)
    await coverages.refresh(force=True)
    before = await exact(world, "influenza")
    await cards.enter(doctor, person.id, [given(product="vaxigrip")])
    await catch_up(world, histories, forecasts)
    await coverages.refresh(force=True)
    after = await exact(world, "influenza")
    assert (after[0], after[1]) == (before[0], before[1] + 1)


async def test_months_before_stay_as_they_were(world, histories, forecasts, coverages):
    await catch_up(world, histories, forecasts)
    await coverages.refresh(force=True)
    before = await exact(world, "polio")
    later = clock.now() + timedelta(days=40)
    with clock.use_clock(lambda: later):
        await world.person(birth_date=BORN)
        await catch_up(world, histories, forecasts)
        assert await coverages.refresh()
        assert len(await coverages.months(world.people["operator"])) == 2
    assert await exact(world, "polio") == before


async def test_small_group_is_not_shown(world, coverages):
    query = CoverageQuery(antigen="tetanus", month=today().replace(day=1), first_year=1870, last_year=1990)
    shown = await coverages.show(world.people["operator"], query)
    assert shown and all(one.persons is None or one.persons >= RULE.threshold for one in shown)
    assert Coverage(str(BORN.year), None, None, None) in shown or any(one.group == str(BORN.year) for one in shown)


async def test_only_operators_see_coverage(world, coverages):
    query = CoverageQuery(antigen="tetanus")
    for who in ("doctor", "hospital"):
        assert await refusal_of(coverages.show(world.people[who], query)) == (403, "forbidden")
        assert await refusal_of(coverages.series(world.people[who], query)) == (403, "forbidden")
        assert await refusal_of(coverages.months(world.people[who])) == (403, "forbidden")


async def test_unknown_grouping_is_refused(world, coverages):
    for query in (CoverageQuery(antigen="tetanus", by="name"), CoverageQuery(antigen="x' OR 1=1")):
        assert (await refusal_of(coverages.show(world.people["operator"], query)))[0] == 404


counts = st.integers(0, 40).flatmap(
    lambda persons: st.tuples(st.just(persons), st.integers(0, persons), st.integers(0, persons))
)


@for_all(counts, st.integers(0, 2**80))
def test_protected_counts_are_near_the_exact_ones_and_small_groups_hidden(numbers, key):
    shown = protect(ExactCoverage("g", *numbers, key, key // 2, key // 3), RULE, KEY)
    if numbers[0] < RULE.threshold:
        assert shown == Coverage("g", None, None, None)
    elif shown.persons is not None:
        assert shown.persons >= RULE.threshold
        for value, true in zip((shown.persons, shown.given, shown.valid), numbers, strict=True):
            assert abs(value - true) <= 2 * RULE.noise and value >= 0
        assert shown.given <= shown.persons and 0 <= shown.valid_share <= 100


@for_all(counts, st.integers(0, 2**80))
def test_same_people_give_the_same_number_whenever_asked(numbers, key):
    one = ExactCoverage("g", *numbers, key, key, key)
    assert protect(one, RULE, KEY) == protect(one, RULE, KEY)


def test_file_leaves_protected_cells_empty():
    query = CoverageQuery(antigen="polio", month=date(2026, 10, 1))
    made = coverage_csv(query, [Coverage("2020", 100, 90, 80), Coverage("2021", None, None, None)]).decode("utf-8-sig")
    assert made.splitlines()[1:] == [
        "2026-10,polio,birth_year,2020,100,90,90.0,80,80.0",
        "2026-10,polio,birth_year,2021,,,,,",
    ]


@pytest.mark.parametrize(
    ("city", "country", "canton"),
    [
        ("Pétange", "LU", "Esch-sur-Alzette"),
        ("PETANGE", "LU", "Esch-sur-Alzette"),
        ("Esch-sur-Sûre", "LU", "Wiltz"),
        ("Thionville", "FR", ""),
        ("Luxembourg", "FR", ""),
        ("Nowhere", "LU", ""),
        ("", "LU", ""),
    ],
)
def test_commune_gives_the_canton(city, country, canton):
    assert canton_of(Address(city=city, country=country)) == canton


def test_years_of_a_query_hold_everybody():
    assert FIRST_YEAR <= 1900 < today().year <= LAST_YEAR
