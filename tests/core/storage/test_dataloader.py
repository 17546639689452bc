"""Look-ups that share a query: right for every key, never stuck, one by one on a distributed database."""

import asyncio
from types import SimpleNamespace

import pytest

from esante.core.storage import DataLoader


def loader(fetch, *, distributed=False):
    return DataLoader(SimpleNamespace(distributed=distributed), fetch)


async def test_concurrent_loads_share_queries_and_get_their_own_results():
    queried = []

    async def fetch(keys):
        queried.append(list(keys))
        await asyncio.sleep(0.01)
        return {key: key * 10 for key in keys if key % 2}

    loads = loader(fetch)
    answers = await asyncio.gather(*(loads.load(i % 20) for i in range(200)))
    assert answers == [i % 20 * 10 if i % 2 else None for i in range(200)]
    assert len(queried) <= 4


async def test_failed_query_fails_its_loads_and_not_the_next():
    fail = [True]

    async def fetch(keys):
        if fail.pop() if fail else False:
            raise OSError("gone")
        return dict.fromkeys(keys, "there")

    loads = loader(fetch)
    results = await asyncio.gather(loads.load(1), loads.load(2), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    assert await loads.load(1) == "there"


@pytest.mark.parametrize("distributed", [False, True])
async def test_every_load_ends_in_any_order_of_turns(distributed):
    async def fetch(keys):
        for _ in range(keys[0] % 3):
            await asyncio.sleep(0)
        return {key: key for key in keys}

    loads = loader(fetch, distributed=distributed)

    async def load_many(first):
        for i in range(300):
            assert await loads.load(first + i) == first + i
            for _ in range(i % 5):
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*(load_many(n * 7) for n in range(9))), 20)


async def test_distributed_database_gets_one_query_for_each_key():
    queried = []

    async def fetch(keys):
        queried.append(len(keys))
        return {}

    await asyncio.gather(*(loader(fetch, distributed=True).load(i) for i in range(30)))
    assert set(queried) == {1}


async def test_cancelled_load_does_not_cancel_others():
    async def fetch(keys):
        await asyncio.sleep(0.01)
        return {key: key for key in keys}

    loads = loader(fetch)
    first, second = loads.load(1), loads.load(1)
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1
