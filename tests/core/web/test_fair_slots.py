"""Slots are shared between clients in turn, and what waits for one is bounded."""

import asyncio

import pytest

from esante.core.web import FairSlots, QueueFull


def slots(number: int = 1, per_client: int = 1, *, waiting: int = 100, waiting_per_client: int = 100) -> FairSlots:
    return FairSlots(number, per_client, waiting=waiting, waiting_per_client=waiting_per_client)


async def begin(of: FairSlots, clients: str) -> list[asyncio.Task[None]]:
    """Return tasks that acquire a slot for each client, in this order, all of them begun."""
    tasks = [asyncio.ensure_future(of.acquire(client)) for client in clients]
    await asyncio.sleep(0)
    return tasks


async def order_of(of: FairSlots, first: str, clients: str) -> str:
    """Return the order in which waiting clients get the slot that `first` has and each gives on."""
    served = ""

    async def work(client: str) -> None:
        nonlocal served
        async with of.slot(client):
            served += client

    await of.acquire(first)
    tasks = [asyncio.ensure_future(work(client)) for client in clients]
    await asyncio.sleep(0)
    of.release(first)
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)
    return served


async def test_waiting_clients_are_served_in_turn_and_not_in_order_of_arrival():
    assert await order_of(slots(), "a", "aaaabbc") == "abcabaa"


async def test_work_of_no_named_client_is_served_too():
    of = slots()
    await of.acquire(None)
    waiting = asyncio.ensure_future(of.acquire(None))
    await asyncio.sleep(0)
    of.release(None)
    await asyncio.wait_for(waiting, 10)


async def test_client_leaves_slots_to_others():
    of = slots(3, 2)
    first = await begin(of, "aaa")
    (other,) = await begin(of, "b")
    assert [task.done() for task in (*first, other)] == [True, True, False, True]
    of.release("b")
    await asyncio.sleep(0)
    assert not first[2].done()
    of.release("a")
    await asyncio.wait_for(first[2], 10)


@pytest.mark.parametrize(("clients", "of_client"), [("aaa", True), ("abbc", False)])
async def test_more_than_may_wait_is_refused(clients, of_client):
    of = slots(waiting=3, waiting_per_client=2)
    await of.acquire("x")
    await begin(of, clients[:-1] if of_client else clients[:3])
    with pytest.raises(QueueFull) as full:
        await of.acquire(clients[-1])
    assert full.value.of_client is of_client


async def test_cancelled_acquire_leaves_no_place_and_no_slot():
    of = slots(waiting=1)
    await of.acquire("a")
    for give_first in (False, True):
        (waiting,) = await begin(of, "b")
        if give_first:
            of.release("a")  # the slot comes at the moment of the cancellation
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await asyncio.wait_for(of.acquire("c"), 10)
