"""The group commit: durable, all or none for each act, a wrong act fails alone; and an unavailable database."""

import asyncio

import asyncpg
import pytest

from esante.core.storage import TABLES, Database, Kind, Overloaded, Table, Unavailable, database
from tests.conftest import create_database

ACT = Table("act", Kind.LOCAL, {"name": "text", "part": "integer"})
del TABLES["act"]  # declared for these tests only


@pytest.fixture
async def own(server):
    """A database of the test's own with the table of acts."""
    database = await Database.open(await create_database(server))
    await database.fetch("CREATE TABLE act (name text, part integer, UNIQUE (name, part))")
    yield database
    await database.close()


def act(name, *parts):
    return [(ACT, (name, part)) for part in parts]


async def test_concurrent_acts_are_all_written(own):
    await asyncio.gather(*(own.write(act(f"a{i}", 1, 2)) for i in range(500)))
    assert await own.fetchval("SELECT count(*) FROM act") == 1000


async def test_wrong_act_in_a_shared_transaction_fails_alone_and_leaves_nothing(own):
    wrong = act("wrong", 1, 2, 2)
    results = await asyncio.gather(
        *(own.write(act(f"a{i}", 1, 2)) for i in range(20)),
        own.write(wrong),
        *(own.write(act(f"b{i}", 1, 2)) for i in range(20)),
        return_exceptions=True,
    )
    assert [type(r) for r in results if r is not None] == [asyncpg.UniqueViolationError]
    assert await own.fetchval("SELECT count(*) FROM act") == 80
    assert await own.fetchval("SELECT count(*) FROM act WHERE name = 'wrong'") == 0


async def test_concurrent_acts_share_transactions(own):
    await asyncio.gather(*(own.write(act(f"a{i}", 1)) for i in range(400)))
    transactions = await own.fetchval("SELECT count(DISTINCT xmin::text) FROM act")
    assert transactions < 100


async def test_without_group_commit_each_act_is_its_own_transaction(server):
    database = await Database.open(await create_database(server), group_commit=False)
    await database.fetch("CREATE TABLE act (name text, part integer)")
    await asyncio.gather(*(database.write(act(f"a{i}", 1)) for i in range(50)))
    assert await database.fetchval("SELECT count(DISTINCT xmin::text) FROM act") == 50
    await database.close()


async def test_full_queue_raises_overloaded(server):
    database = await Database.open(await create_database(server), queue_bound=10)
    await database.fetch("CREATE TABLE act (name text, part integer)")
    results = await asyncio.gather(*(database.write(act(f"a{i}", 1)) for i in range(50)), return_exceptions=True)
    written = await database.fetchval("SELECT count(*) FROM act")
    refused = [r for r in results if isinstance(r, Overloaded)]
    assert len(refused) + written == 50
    assert refused
    await database.close()


async def test_lost_database_is_unavailable_until_it_is_back(own, server):
    await own.write(act("before", 1))
    name = await own.fetchval("SELECT current_database()")
    admin = await asyncpg.connect(server)

    async def disconnect():
        await admin.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)

    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await disconnect()
    results = await asyncio.gather(*(own.write(act(f"gone{i}", 1)) for i in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 5
    with pytest.raises(Unavailable):
        await own.fetch("SELECT 1")
    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await own.write(act("after", 1))
    assert {row["name"] for row in await own.fetch("SELECT name FROM act")} == {"before", "after"}
    await admin.close()


async def test_cancelled_write_does_not_cancel_others(own):
    tasks = [asyncio.create_task(own.write(act(f"a{i}", 1))) for i in range(50)]
    await asyncio.sleep(0)
    tasks[7].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(1 for result in results if result is None) == 49
    assert await own.fetchval("SELECT count(*) FROM act") >= 49


async def test_unreachable_server_raises_unavailable(tmp_path):
    with pytest.raises(Unavailable):
        await Database.open(f"postgresql://esante@/esante?host={tmp_path}")


async def test_each_connection_to_a_cluster_looks_up_types_without_its_shards(own, server, monkeypatch):
    async def is_cluster(conn):
        return True

    monkeypatch.setattr(database, "_is_cluster", is_cluster)
    cluster = await Database.open(await create_database(server), pool_size=2)
    try:
        assert cluster.distributed
        async with cluster.transaction() as one, cluster.transaction() as two:
            for conn in (one, two):
                assert await conn.fetchval("SHOW citus.override_table_visibility") == "off"
    finally:
        await cluster.close()
    assert not own.distributed


async def test_duplicate_that_a_cluster_calls_an_internal_error_is_a_unique_violation(own):
    raising = "DO $$ BEGIN RAISE '%' USING ERRCODE = 'XX000'; END $$"
    duplicate = 'duplicate key value violates unique constraint "act_name_part_key_102008"'
    with pytest.raises(asyncpg.UniqueViolationError, match="act_name"):
        await own.fetch(raising.replace("'%'", f"'%', '{duplicate}'"))
    with pytest.raises(asyncpg.InternalServerError):
        await own.fetch(raising.replace("'%'", "'%', 'something else'"))
    assert await own.fetchval("SELECT 1") == 1
