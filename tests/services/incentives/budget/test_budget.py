"""Budgets with their forecast, and public figures without those of few."""

from datetime import date
from decimal import Decimal

from esante.core.time_zone import today
from esante.services.incentives.budget.rules import budget_of
from esante.services.incentives.schemes.quarter import Quarter
from tests.support.incentives import EXEMPLA, RIVAL, SCHEMES, days_of, schemes_of

LIMITED = SCHEMES.replace('amount = "0.335"', 'amount = "0.335"\nbudget = "1000.00"\nvalid_until = 2026-12-31')
NOTES = next(one for one in schemes_of(LIMITED) if one.key == "notes")


def test_forecast_is_the_mean_of_decided_quarters_for_those_left():
    given = {Quarter(2026, 1): Decimal("100.00"), Quarter(2026, 2): Decimal("200.00")}
    found = budget_of(NOTES, given, Decimal("50.00"), date(2026, 8, 1))
    assert (found.decided, found.committed, found.expected) == (300, 250, 300)
    assert found.in_all == 600 and not found.is_short and found.until == Quarter(2026, 4)


def test_forecast_does_not_exceed_the_budget_and_says_that_it_is_short():
    found = budget_of(NOTES, {Quarter(2026, 1): Decimal("600.00")}, Decimal(0), date(2026, 4, 1))
    assert (found.expected, found.in_all, found.is_short) == (400, 1000, True)


def test_scheme_without_a_decided_quarter_expects_nothing():
    found = budget_of(NOTES, {}, Decimal(0), date(2026, 1, 1))
    assert (found.decided, found.expected, found.is_short) == (0, 0, False)


async def test_budget_shows_what_was_decided(make_world):
    world = await make_world(LIMITED)
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.notes("90100100", days_of(date(2026, 1, 5), 10))
    await world.decide("2026-Q1")
    found = {one.scheme.key: one for one in await world.budgets.show(world.anna)}
    assert found["notes"].decided == Decimal("3.35") and found["connect"].decided == 0


async def test_public_figures_show_no_small_cells(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    for number in range(30):
        await world.notes(f"902{number:02}000", [today()])
    await world.notes("90100100", [today()], vendor=RIVAL)
    await world.notes("90100200", days_of(date(2026, 1, 5), 10))
    await world.decide("2026-Q1")
    uses = {one.software: one.practices for one in await world.budgets.software()}
    assert abs(uses["Exempla"] - 30) <= 5 and uses["Rival"] is None
    assert [one.amount for one in await world.budgets.given() if one.scheme.key == "notes"] == [None]
