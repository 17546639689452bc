"""What is unusual holds the payment until two operators decide the same."""

from datetime import date

import pytest

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.services.incentives.payments.model import OrderState
from tests.support.incentives import EXEMPLA, SCHEMES, days_of

CODE = "90100100"
TEN = SCHEMES.replace("threshold = 3", "threshold = 10")


async def state_of(world, quarter="2026-Q1"):
    (order,) = [
        one for one in (await world.payments.orders(world.anna, quarter, "", None)).items if one.scheme == "notes"
    ]
    return order.state


async def signals_of(world):
    return (await world.decisions.signals(world.anna, "2026-Q1", None)).items


async def steady(world):
    await world.label(EXEMPLA, date(2025, 12, 1))


async def burst(world):
    await world.notes(CODE, days_of(date(2026, 1, 5), 3))
    await world.notes(CODE, [date(2026, 3, 30)] * 8)


async def minimal(world):
    await world.notes(CODE, days_of(date(2026, 1, 5), 4))
    await world.notes(CODE, days_of(date(2026, 2, 5), 8), amount="0.50")


async def one_patient(world):
    await world.notes(CODE, days_of(date(2026, 1, 5), 26), patient=uuid7())


async def cancelled(world):
    notes = await world.notes(CODE, days_of(date(2026, 1, 5), 20))
    await world.cancel(CODE, notes[:7], date(2026, 2, 2))


@pytest.mark.parametrize(
    ("make", "kind", "part"),
    [(burst, "burst", 8), (minimal, "minimal", 8), (one_patient, "one-patient", 26), (cancelled, "cancelled", 7)],
)
async def test_unusual_evidence_is_shown_and_holds_the_payment(make_world, make, kind, part):
    world = await make_world(TEN)
    await steady(world)
    await make(world)
    await world.decide("2026-Q1")
    (signal,) = await signals_of(world)
    assert (signal["kind"], signal["part"], signal["provider_code"]) == (kind, part, CODE)
    assert await state_of(world) is OrderState.HELD


async def test_usual_evidence_holds_nothing(make_world):
    world = await make_world(TEN)
    await steady(world)
    await world.notes(CODE, days_of(date(2026, 1, 5), 40))
    await world.decide("2026-Q1")
    assert await signals_of(world) == [] and await state_of(world) is OrderState.READY


@pytest.mark.parametrize(("decision", "state"), [("pay", OrderState.READY), ("refuse", OrderState.REFUSED)])
async def test_two_operators_decide_what_becomes_of_a_held_payment(make_world, decision, state):
    world = await make_world(TEN)
    await steady(world)
    await burst(world)
    await world.decide("2026-Q1")
    (signal,) = await signals_of(world)
    await world.decisions.decide_signal(world.anna, signal["signal_id"], decision)
    assert await state_of(world) is OrderState.HELD
    with pytest.raises(Problem) as caught:
        await world.decisions.decide_signal(world.anna, signal["signal_id"], decision)
    assert caught.value.status == 409
    await world.decisions.decide_signal(world.ben, signal["signal_id"], decision)
    assert await state_of(world) is state
    with pytest.raises(Problem) as caught:
        await world.decisions.decide_signal(world.ben, signal["signal_id"], decision)
    assert caught.value.status == 409


async def test_second_operator_who_disagrees_proposes_anew(make_world):
    world = await make_world(TEN)
    await steady(world)
    await burst(world)
    await world.decide("2026-Q1")
    (signal,) = await signals_of(world)
    await world.decisions.decide_signal(world.anna, signal["signal_id"], "pay")
    await world.decisions.decide_signal(world.ben, signal["signal_id"], "refuse")
    assert await state_of(world) is OrderState.HELD
    await world.decisions.decide_signal(world.anna, signal["signal_id"], "refuse")
    assert await state_of(world) is OrderState.REFUSED


async def test_refused_payment_is_not_owed_back_when_its_notes_are_cancelled(make_world):
    world = await make_world(TEN)
    await steady(world)
    await world.notes(CODE, days_of(date(2026, 1, 5), 3))
    notes = await world.notes(CODE, [date(2026, 3, 30)] * 8)
    await world.decide("2026-Q1")
    (signal,) = await signals_of(world)
    for one in (world.anna, world.ben):
        await world.decisions.decide_signal(one, signal["signal_id"], "refuse")
    await world.cancel(CODE, notes, date(2026, 4, 2))
    assert await world.decide("2026-Q2") == 0


async def test_signal_of_a_quarter_that_is_not_confirmed_is_not_decided(make_world):
    world = await make_world(TEN)
    await steady(world)
    await burst(world)
    await world.decisions.ask(world.anna, "2026-Q1")
    await world.decisions.run()
    (signal,) = await signals_of(world)
    with pytest.raises(Problem) as caught:
        await world.decisions.decide_signal(world.anna, signal["signal_id"], "refuse")
    assert caught.value.status == 409


@pytest.mark.parametrize("decision", ["", "perhaps"])
async def test_unknown_decision_is_refused(make_world, decision):
    world = await make_world(TEN)
    with pytest.raises(Problem) as caught:
        await world.decisions.decide_signal(world.anna, uuid7(), decision)
    assert caught.value.status == 400
