"""Look-ups that share a query: right for every key, never stuck, alone when a node is another's."""

import asyncio
from types import SimpleNamespace

import pytest

from esante.core.storage import DataLoader


def lookup(fetch, *, distributed=False):
    return DataLoader(SimpleNamespace(distributed=distributed), fetch)


async def test_those_that_wait_together_share_a_query_and_each_gets_its_own_answer():
    asked = []

    async def fetch(keys):
        asked.append(list(keys))
        await asyncio.sleep(0.01)
        return {key: key * 10 for key in keys if key % 2}

    found = lookup(fetch)
    answers = await asyncio.gather(*(found.load(i % 20) for i in range(200)))
    assert answers == [i % 20 * 10 if i % 2 else None for i in range(200)]
    assert len(asked) <= 4


async def test_a_failed_query_fails_its_askers_and_the_next_one_works():
    fail = [True]

    async def fetch(keys):
        if fail.pop() if fail else False:
            raise OSError("gone")
        return dict.fromkeys(keys, "there")

    found = lookup(fetch)
    results = await asyncio.gather(found.load(1), found.load(2), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    assert await found.load(1) == "there"


@pytest.mark.parametrize("distributed", [False, True])
async def test_nobody_is_left_waiting_however_the_turns_of_the_loop_fall(distributed):
    async def fetch(keys):
        for _ in range(keys[0] % 3):
            await asyncio.sleep(0)
        return {key: key for key in keys}

    found = lookup(fetch, distributed=distributed)

    async def ask(first):
        for i in range(300):
            assert await found.load(first + i) == first + i
            for _ in range(i % 5):
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*(ask(n * 7) for n in range(9))), 20)


async def test_on_a_distributed_database_each_key_is_asked_for_by_itself():
    asked = []

    async def fetch(keys):
        asked.append(len(keys))
        return {}

    await asyncio.gather(*(lookup(fetch, distributed=True).load(i) for i in range(30)))
    assert set(asked) == {1}


async def test_who_leaves_takes_nobody_with_him():
    async def fetch(keys):
        await asyncio.sleep(0.01)
        return {key: key for key in keys}

    found = lookup(fetch)
    first, second = found.load(1), found.load(1)
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1
