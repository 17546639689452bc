"""Connections are lent to one user at a time, and what a user left in disorder is not lent again."""

import asyncio
from functools import partial

import asyncpg
import pytest

from esante.core.storage.pool import Pool

SIZE = 3


@pytest.fixture
async def pool(server):
    found = Pool(partial(asyncpg.connect, server), SIZE)
    yield found
    await found.close()


async def test_no_more_connections_are_lent_than_there_may_be_and_each_to_one_user(pool):
    lent: set[int] = set()
    most = 0

    async def use():
        nonlocal most
        conn = await pool.acquire()
        assert id(conn) not in lent
        lent.add(id(conn))
        most = max(most, len(lent))
        await conn.fetchval("SELECT pg_sleep(0.002)")
        lent.discard(id(conn))
        pool.release(conn, reusable=True)

    await asyncio.gather(*(use() for _ in range(60)))
    assert most == SIZE


async def test_a_connection_that_is_given_back_is_lent_again(pool):
    first = await pool.acquire()
    pool.release(first, reusable=True)
    again = await pool.acquire()
    pool.release(again, reusable=True)
    assert again is first


@pytest.mark.parametrize("how", ["unfit", "in a transaction", "closed"])
async def test_what_was_left_in_disorder_is_ended(pool, how):
    conn = await pool.acquire()
    if how == "in a transaction":
        await conn.execute("BEGIN")
    if how == "closed":
        await conn.close()
    pool.release(conn, reusable=how != "unfit")
    other = await pool.acquire()
    assert other is not conn
    assert conn.is_closed()
    assert await other.fetchval("SELECT 1") == 1
    pool.release(other, reusable=True)


async def test_who_stops_waiting_takes_no_connection_from_others(pool):
    lent = [await pool.acquire() for _ in range(SIZE)]
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    for conn in lent:
        pool.release(conn, reusable=True)
    for conn in [await pool.acquire() for _ in range(SIZE)]:
        pool.release(conn, reusable=True)


async def test_closing_waits_for_what_is_lent_and_nothing_is_lent_after_it(server):
    pool = Pool(partial(asyncpg.connect, server), SIZE)
    conn = await pool.acquire()
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    pool.release(conn, reusable=True)
    await closing
    assert conn.is_closed()
    with pytest.raises(asyncpg.InterfaceError):
        await pool.acquire()
