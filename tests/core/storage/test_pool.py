"""Connections are acquired by one caller at a time, and not reused when they were left in a bad state."""

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


async def test_connections_do_not_exceed_the_size_and_have_one_user_each(pool):
    acquired: set[int] = set()
    most = 0

    async def use():
        nonlocal most
        conn = await pool.acquire()
        assert id(conn) not in acquired
        acquired.add(id(conn))
        most = max(most, len(acquired))
        await conn.fetchval("SELECT pg_sleep(0.002)")
        acquired.discard(id(conn))
        pool.release(conn, reusable=True)

    await asyncio.gather(*(use() for _ in range(60)))
    assert most == SIZE


async def test_released_connection_is_acquired_again(pool):
    first = await pool.acquire()
    pool.release(first, reusable=True)
    again = await pool.acquire()
    pool.release(again, reusable=True)
    assert again is first


@pytest.mark.parametrize("how", ["not reusable", "in a transaction", "closed"])
async def test_connection_in_a_bad_state_is_terminated(pool, how):
    conn = await pool.acquire()
    if how == "in a transaction":
        await conn.execute("BEGIN")
    if how == "closed":
        await conn.close()
    pool.release(conn, reusable=how != "not reusable")
    other = await pool.acquire()
    assert other is not conn
    assert conn.is_closed()
    assert await other.fetchval("SELECT 1") == 1
    pool.release(other, reusable=True)


async def test_cancelled_acquire_releases_slot(pool):
    acquired = [await pool.acquire() for _ in range(SIZE)]
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    for conn in acquired:
        pool.release(conn, reusable=True)
    for conn in [await pool.acquire() for _ in range(SIZE)]:
        pool.release(conn, reusable=True)


async def test_close_waits_for_acquired_connections_and_later_acquire_fails(server):
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
