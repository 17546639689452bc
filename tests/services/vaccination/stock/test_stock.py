"""Stock: whatever happens in whatever order, what there is is the sum of what moved, and never less than nothing."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core.storage import NIL, uuid7
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.vaccination.card.advice import advise_on
from esante.services.vaccination.products.catalogue import normal_lot
from esante.services.vaccination.reminders import forecast_store
from esante.services.vaccination.stock.model import EntryKind, LotAt, ReorderLevelSet, StockChanged
from tests.support.record import refusal_of
from tests.support.vaccination import BOOSTRIX, catch_up, given, renew

SOON = timedelta(days=200)


async def site_of(world, name: str = "Cabinet"):
    """A practice, and a doctor there who acts for it."""
    practice = await world.organization("practice", f"{name} {uuid7().hex[-6:]}")
    return practice, requester_of(await world.practitioner("Lux", practice), practice)


def lot_at(site) -> LotAt:
    return LotAt(site.id, BOOSTRIX, f"ST{uuid7().hex[-6:]}".upper())


async def level(stocks, who, place) -> int:
    page = await stocks.levels(who, place.organization_id, place.lot, limit=100)
    return sum(one.quantity for one in page.items if normal_lot(one.place.lot) == normal_lot(place.lot))


async def sums(world, place) -> dict[str, int]:
    rows = await world.db.fetch(
        "SELECT kind, sum(quantity) FROM vaccination_stock_entry"
        " WHERE organization_id = $1 AND lot_key = $2 GROUP BY kind",
        place.organization_id,
        normal_lot(place.lot),
    )
    return {row[0]: int(row[1]) for row in rows}


async def test_delivery_waste_and_count_are_entries(world, stocks):
    site, doctor = await site_of(world)
    place = lot_at(site)
    await stocks.receive(doctor, place, 10, today() + SOON, uuid7())
    await stocks.waste(doctor, place, 3, uuid7(), "broken")
    await stocks.count(doctor, replace(place, lot=place.lot.lower()), 5, uuid7())
    assert await level(stocks, doctor, place) == 5
    assert await sums(world, place) == {"delivery": 10, "waste": -3, "count": -2}
    page = await stocks.entries(doctor, site.id)
    assert [one.kind for one in page.items] == [EntryKind.COUNT, EntryKind.WASTE, EntryKind.DELIVERY]


async def test_form_sent_twice_counts_once(world, stocks):
    site, doctor = await site_of(world)
    place, key = lot_at(site), uuid7()
    acts = [stocks.receive(doctor, place, 10, today() + SOON, key) for _ in range(4)]
    await asyncio.gather(*acts)
    assert await level(stocks, doctor, place) == 10


async def test_dose_given_takes_one_and_its_withdrawal_gives_it_back(world, cards, histories, stocks):
    site, doctor = await site_of(world)
    place = lot_at(site)
    await stocks.receive(doctor, place, 2, today() + SOON, uuid7())
    person = await world.person()
    await world.into_circle(person, await world.directory.practitioner(doctor.id))
    (key,) = await cards.enter(doctor, person.id, [given(lot=place.lot.lower())])
    await renew(world, histories)
    assert await level(stocks, doctor, place) == 1
    await histories.renew(person.id)
    assert await level(stocks, doctor, place) == 1
    await cards.withdraw(doctor, person.id, key, "1", "wrong patient")
    await renew(world, histories)
    assert await level(stocks, doctor, place) == 2
    assert await sums(world, place) == {"delivery": 2, "use": -1, "use_undone": 1}


async def test_dose_of_another_site_or_lot_takes_nothing(world, cards, histories, stocks):
    site, doctor = await site_of(world)
    other, colleague = await site_of(world)
    place = lot_at(site)
    await stocks.receive(doctor, place, 2, today() + SOON, uuid7())
    person = await world.person()
    await world.into_circle(person, await world.directory.practitioner(colleague.id))
    await cards.enter(colleague, person.id, [given(lot=place.lot)])
    await renew(world, histories)
    assert await level(stocks, doctor, place) == 2
    assert (await stocks.levels(colleague, other.id)).items == []


@pytest.mark.parametrize("seed", range(6))
async def test_stock_is_what_moved_whatever_the_order(world, stocks, seed):
    chance = random.Random(seed)
    sites = [await site_of(world, f"S{seed}") for _ in range(3)]
    lot = lot_at(sites[0][0])
    places = [replace(lot, organization_id=site.id) for site, _ in sites]
    doctors = [doctor for _, doctor in sites]
    for place, doctor in zip(places, doctors, strict=True):
        await stocks.receive(doctor, place, 5, today() + SOON, uuid7())

    async def act() -> tuple[str, int] | None:
        at, quantity = chance.randrange(3), chance.randint(1, 4)
        what = chance.choice(("receive", "waste", "transfer", "transfer"))
        try:
            if what == "receive":
                await stocks.receive(doctors[at], places[at], quantity, today() + SOON, uuid7())
            elif what == "waste":
                await stocks.waste(doctors[at], places[at], quantity, uuid7(), "broken")
            else:
                to = places[(at + chance.randint(1, 2)) % 3].organization_id
                await stocks.transfer(doctors[at], places[at], to, quantity, uuid7())
        except Problem as problem:
            assert problem.status == 409
            return None
        return what, quantity

    done = [one for one in await asyncio.gather(*(act() for _ in range(25))) if one]
    levels = [await level(stocks, doctor, place) for doctor, place in zip(doctors, places, strict=True)]
    moved = [await sums(world, place) for place in places]
    assert levels == [sum(one.values()) for one in moved] and min(levels) >= 0
    received = sum(quantity for what, quantity in done if what == "receive")
    wasted = sum(quantity for what, quantity in done if what == "waste")
    assert sum(levels) == 15 + received - wasted
    assert sum(one.get("transfer_in", 0) + one.get("transfer_out", 0) for one in moved) == 0


async def test_last_dose_goes_once(world, stocks):
    site, doctor = await site_of(world)
    place = lot_at(site)
    await stocks.receive(doctor, place, 1, today() + SOON, uuid7())
    acts = [stocks.waste(doctor, place, 1, uuid7(), "broken") for _ in range(5)]
    done = await asyncio.gather(*acts, return_exceptions=True)
    assert sorted(getattr(one, "status", 200) for one in done) == [200, 409, 409, 409, 409]
    assert await level(stocks, doctor, place) == 0


@pytest.mark.parametrize("quantity", [0, -1, -(2**40), 100_001, 2**70])
async def test_impossible_quantity_is_refused(world, stocks, quantity):
    site, doctor = await site_of(world)
    place, key = lot_at(site), uuid7()
    assert (await refusal_of(stocks.receive(doctor, place, quantity, today() + SOON, key)))[0] == 400
    await stocks.receive(doctor, place, 5, today() + SOON, key)
    assert (await refusal_of(stocks.waste(doctor, place, quantity, uuid7(), "broken")))[0] == 400
    assert (await refusal_of(stocks.transfer(doctor, place, uuid7(), quantity, uuid7())))[0] == 400
    assert await level(stocks, doctor, place) == 5


async def test_impossible_lot_is_refused(world, stocks):
    site, doctor = await site_of(world)
    place = lot_at(site)
    for day in (None, today() - timedelta(days=1), today() + timedelta(days=40 * 365)):
        assert (await refusal_of(stocks.receive(doctor, place, 5, day, uuid7())))[0] == 400
    for wrong in (replace(place, lot=""), replace(place, lot="-" * 5), replace(place, product="x")):
        assert (await refusal_of(stocks.receive(doctor, wrong, 5, today() + SOON, uuid7())))[0] == 400
    assert (await refusal_of(stocks.waste(doctor, place, 1, uuid7(), "broken"))) == (409, "conflict")
    assert (await refusal_of(stocks.transfer(doctor, place, site.id, 1, uuid7())))[0] == 400
    assert (await refusal_of(stocks.transfer(doctor, place, uuid7(), 1, uuid7())))[0] == 400


async def test_other_sites_see_and_change_nothing(world, stocks):
    site, doctor = await site_of(world)
    _, stranger = await site_of(world)
    place = lot_at(site)
    await stocks.receive(doctor, place, 5, today() + SOON, uuid7())
    alone = requester_of(await world.directory.practitioner(doctor.id))
    for who in (stranger, alone, world.people["hospital"], requester_of(await world.person())):
        for act in (
            stocks.receive(who, place, 1, today() + SOON, uuid7()),
            stocks.waste(who, place, 1, uuid7(), "broken"),
            stocks.count(who, place, 1, uuid7()),
            stocks.levels(who, site.id),
            stocks.levels(who, None),
            stocks.products(who, site.id),
            stocks.entries(who, site.id),
            stocks.breaks(who, site.id),
            stocks.set_reorder(who, site.id, BOOSTRIX, 5),
            stocks.report_break(who, place, today(), None, "fridge"),
        ):
            assert await refusal_of(act) == (404, "not-found")
    assert await level(stocks, world.people["operator"], place) == 5


async def test_level_to_order_from_is_journalled_with_what_it_was(world, stocks):
    site, doctor = await site_of(world)
    for number in (4, 4, 9):
        await stocks.set_reorder(doctor, site.id, BOOSTRIX, number)
    entries = await world.journal.entries_of(NIL, [ReorderLevelSet], limit=100)
    own = [entry for entry in entries if entry.event.organization_id == site.id]
    assert [(one.event.product, one.event.before, one.event.level) for one in own] == [
        (BOOSTRIX, 4, 9),
        (BOOSTRIX, 0, 4),
    ]
    assert {entry.actor.id for entry in own} == {doctor.id}


async def test_low_stock_counts_neither_expired_nor_suspect_doses(world, stocks):
    site, doctor = await site_of(world)
    place = lot_at(site)
    await stocks.set_reorder(doctor, site.id, BOOSTRIX, 4)
    (before,) = await stocks.products(doctor, site.id)
    assert (before.usable, before.is_low) == (0, True)
    await stocks.receive(doctor, place, 5, today() + SOON, uuid7())
    (enough,) = await stocks.products(doctor, site.id)
    assert (enough.usable, enough.is_low) == (5, False)
    break_id = await stocks.report_break(doctor, place, today(), None, "fridge was open")
    (suspect,) = await stocks.products(doctor, site.id)
    assert (suspect.usable, suspect.is_low) == (0, True)
    assert await refusal_of(stocks.clear_break(doctor, break_id)) == (403, "forbidden")
    await stocks.clear_break(world.people["operator"], break_id)
    assert (await stocks.products(doctor, site.id))[0].usable == 5
    assert await refusal_of(stocks.clear_break(world.people["operator"], break_id)) == (404, "not-found")


async def test_break_of_the_cold_chain_makes_the_dose_invalid_until_cleared(
    world, cards, histories, forecasts, stocks
):
    site, doctor = await site_of(world)
    place = lot_at(site)
    await stocks.receive(doctor, place, 5, today() + SOON, uuid7())
    person = await world.person()
    await world.into_circle(person, await world.directory.practitioner(doctor.id))
    await cards.enter(doctor, person.id, [given(lot=place.lot)])

    async def valid() -> int:
        await catch_up(world, histories, forecasts)
        found = await forecast_store.fetch_own(world.db, person.id)
        card = (await cards.load(doctor, person.id)).card
        shown = advise_on(person, card, today(), await cards.suspect_doses(card)).not_counted
        assert bool(shown) is (await cards.suspect_doses(card) == {card.given[0].id})
        return next(one.valid for one in found if one.antigen == "tetanus")

    assert await valid() == 1
    break_id = await stocks.report_break(doctor, place, today() - timedelta(days=1), today(), "fridge was off")
    assert await valid() == 0
    await stocks.clear_break(world.people["operator"], break_id)
    assert await valid() == 1


async def test_movement_is_journalled(world, stocks):
    site, doctor = await site_of(world)
    place = lot_at(site)
    await stocks.receive(doctor, place, 5, today() + SOON, uuid7())
    entry = (await world.journal.entries_of(NIL, [StockChanged], limit=1))[0]
    assert (entry.actor.id, entry.event.organization_id, entry.event.quantity) == (doctor.id, site.id, 5)
