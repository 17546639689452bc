"""Searches over database and files: the same answers as a plain twin, whatever lies where."""

import ipaddress
from dataclasses import replace
from datetime import timedelta

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esante.services.soc.hunting import query_store
from esante.services.soc.hunting import search as search_module
from esante.services.soc.hunting.event_columns import batch_of
from esante.services.soc.hunting.model import HUNT_FIELDS, Condition, Hunt, Operator
from esante.services.soc.hunting.parquet_file import engine
from esante.services.soc.hunting.rules import checked_hunt, networks_as_prefixes
from tests.support.soc_hunting import DAY, keep, matches, some_events, stored

WEEK = {"since": DAY, "until": DAY + timedelta(days=7)}


async def result_of(search, tenant_id, hunt):
    """Return the last result of a search."""
    return [result async for result in search.run(tenant_id, checked_hunt(hunt))][-1]


def hunt(*conditions, **given):
    return Hunt(conditions=tuple(Condition(*one) for one in conditions), **WEEK | given)


HUNTS = [
    hunt(text="whoami"),
    hunt(text="WHOAMI", since=DAY + timedelta(hours=30)),
    hunt(("host", Operator.EQUALS, "ws-3")),
    hunt(("user_name", Operator.DIFFERS, "user1"), ("dst_port", Operator.AT_LEAST, "444")),
    hunt(("cmd_line", Operator.CONTAINS, "a%b_c'\"; --")),
    hunt(("cmd_line", Operator.BEGINS, "powershell")),
    hunt(("process", Operator.ENDS, "cmd.exe"), ("status_id", Operator.EQUALS, "2")),
    hunt(("src_ip", Operator.IN_NETWORK, "10.1.2.0/23")),
    hunt(("dst_ip", Operator.IN_NETWORK, "203.0.113.16/28")),
    hunt(("observables", Operator.EQUALS, f"{3:064x}")),
    hunt(("dst_port", Operator.AT_MOST, "80")),
    hunt(any_observable=("203.0.113.7", f"{1:064x}", "absent.example")),
    hunt(text="no such text"),
]


@pytest.fixture
async def two_members(world, archive, events):
    """Two members with events of three days: one in files, one in both places of different members, one in the database."""
    (one, _), (other, _) = await world.member("Hôpital A"), await world.member("Hôpital B")
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    kept = {
        tenant.tenant_id: [event for day in days for event in some_events(tenant.tenant_id, day, 120)]
        for tenant in (one, other)
    }
    for found in kept.values():
        await keep(world.db, found)
    await archive.move(DAY.date())
    await archive._write(one.tenant_id, days[1].date())
    return kept


def every(kept):
    """Return the events of all members."""
    return [one for events in kept.values() for one in events]


async def test_every_hunt_finds_what_the_plain_twin_finds(two_members, search):
    for wanted in HUNTS:
        first = next(iter(two_members))
        for tenant_id, kept in ((first, two_members[first]), (None, every(two_members))):
            result = await result_of(search, tenant_id, wanted)
            expected = {str(one.event_id) for one in kept if matches(one, checked_hunt(wanted))}
            assert {one.event_id for one in result.found()} == expected, wanted
            assert result.matches == len(expected) == sum(result.hours.values())
            assert result.rows_done == result.rows_total


async def test_newest_matches_are_kept_and_all_are_counted(two_members, search, monkeypatch):
    monkeypatch.setattr(search_module, "MAX_FOUND", 25)
    monkeypatch.setattr(search_module, "GROUP_ROWS", 1)
    events = every(two_members)
    result = await result_of(search, None, hunt(text="connection"))
    newest = sorted(events, key=lambda one: (one.occurred_at, str(one.event_id)), reverse=True)[:25]
    assert [one.event_id for one in result.found()] == [str(one.event_id) for one in newest]
    assert result.matches == len(events)


async def test_engine_of_a_member_cannot_open_files_of_another(two_members, objects, search, tmp_path):
    own = tmp_path / "own.parquet"
    duckdb.sql(f"COPY (SELECT 1 AS a) TO '{own}' (FORMAT parquet)")
    foreign = tmp_path / "foreign.parquet"
    duckdb.sql(f"COPY (SELECT 2 AS a) TO '{foreign}' (FORMAT parquet)")
    with engine([str(own)]) as conn:
        assert conn.execute(f"SELECT a FROM '{own}'").fetchall() == [(1,)]
        for statement in (
            f"SELECT a FROM '{foreign}'",
            f"SELECT * FROM read_text('{foreign}')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                conn.execute(statement)


async def test_event_with_a_clock_that_is_off_is_found_at_its_receipt(world, search):
    tenant, _ = await world.member("Hôpital C")
    off = stored(tenant.tenant_id, DAY, occurred_at=DAY - timedelta(days=9000), clock_is_off=True)
    await keep(world.db, [off])
    found = (await result_of(search, tenant.tenant_id, hunt(text="connection"))).found()
    assert [one.at for one in found] == [DAY]


async def test_day_that_is_moved_during_a_search_is_found_once(world, search, archive, events, monkeypatch):
    tenant, _ = await world.member("Hôpital D")
    kept = some_events(tenant.tenant_id, DAY + timedelta(days=4), 40)
    await keep(world.db, kept)
    day, read = (DAY + timedelta(days=4)).date(), events.read

    async def read_after_move(*arguments):
        monkeypatch.setattr(events, "read", read)
        await archive.move(day)
        async for batch in read(*arguments):
            yield batch

    monkeypatch.setattr(events, "read", read_after_move)
    result = await result_of(search, tenant.tenant_id, hunt(text="connection"))
    assert sorted(one.event_id for one in result.found()) == sorted(str(one.event_id) for one in kept)
    assert result.matches == len(kept) == result.rows_done


@pytest.fixture
def engine_of_events():
    """An engine that opens no file."""
    with engine([]) as conn:
        yield conn


TEXT_FIELDS = [name for name, known in HUNT_FIELDS.items() if Operator.CONTAINS in known.operators]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(TEXT_FIELDS),
    operator=st.sampled_from([Operator.EQUALS, Operator.CONTAINS, Operator.BEGINS, Operator.ENDS]),
    value=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20),
)
async def test_value_is_never_part_of_a_statement(two_members, engine_of_events, field, operator, value):
    wanted = Hunt(conditions=(Condition(field, operator, value.strip() or "x"),), **WEEK)
    wanted = checked_hunt(wanted)
    events = next(iter(two_members.values()))[:60]
    condition, values = query_store.where(wanted)
    assert value.strip() not in condition or len(value) < 12
    statement = f"SELECT event_id FROM {query_store.TABLE_SOURCE} WHERE {condition}"
    engine_of_events.register("hot", pa.Table.from_batches([batch_of(events)]))
    found = {row[0] for row in engine_of_events.execute(statement, values).fetchall()}
    assert found == {str(one.event_id) for one in events if matches(one, wanted)}


@given(bits=st.integers(0, 2**32 - 1), prefix=st.integers(0, 32), others=st.lists(st.integers(0, 2**32 - 1)))
def test_prefixes_of_a_network_cover_its_addresses_and_no_others(bits, prefix, others):
    network = ipaddress.IPv4Network((bits, prefix), strict=False)
    prefixes, addresses = networks_as_prefixes(str(network))
    assert len(prefixes) + len(addresses) <= 256
    for number in [*others, bits, int(network[0]), int(network[-1]), (int(network[-1]) + 1) % 2**32]:
        text = str(ipaddress.IPv4Address(number))
        is_in = text in addresses or any(text.startswith(one) for one in prefixes) or prefix == 0
        assert is_in == (ipaddress.IPv4Address(number) in network)


async def test_large_result_stays_within_memory(two_members, search):
    result = await result_of(
        search, None, replace(HUNTS[0], text="", conditions=(Condition("class_uid", Operator.AT_LEAST, "0"),))
    )
    assert result.matches == 720
