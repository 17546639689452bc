"""Files of events that an operator loads: through the command, and hostile ones."""

import asyncio
import io
import zipfile

import orjson
import pytest

from esante.services.soc.findings.stream_rules import StreamRules
from esante.services.soc.intake.file_loader import load_files
from esante.services.soc.intake.pipeline import Pipeline
from esante.services.soc.rules.rule_set import RuleSet, load_rules
from tests.support.processes import run_esante
from tests.support.soc_intake import SHADOW_EVENT, write_rules


@pytest.fixture
async def load(world, tmp_path):
    """Load files for a new member; return what was loaded and the member."""
    working = []

    async def load(*paths, rules=None):
        feed = await world.feed()
        given = StreamRules(load_rules(rules) if rules else RuleSet([], [], []))
        pipeline = Pipeline(world.db, world.events, world.alerts, given, archived=True)
        working.append(asyncio.create_task(pipeline.run()))
        loaded = await load_files(pipeline, feed.source, list(paths))
        await pipeline.drain()
        return loaded, feed

    yield load
    for one in working:
        one.cancel()


def _zip(path, **files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    path.write_bytes(packed.getvalue())
    return path


async def test_more_events_than_may_wait_are_all_stored_in_order_beyond_the_quota(world, load, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(b'{"number": %d}\n' % number for number in range(5_000)))
    loaded, feed = await load(path)
    assert (loaded.events, loaded.unreadable, loaded.faults) == (5_000, 0, [])
    numbers = [orjson.loads(one.event["raw_data"])["number"] for one in await world.stored(feed)]
    assert sorted(numbers) == list(range(5_000))
    (source,) = await world.sources.all(world.anna, feed.tenant_id)
    assert source.events == 5_000


async def test_what_cannot_be_read_of_a_file_is_a_fault_of_its_source_and_the_rest_is_stored(world, load, tmp_path):
    bomb = _zip(tmp_path / "bomb.zip", **{"zeros.log": b"\0" * (90 << 20), "good.json": b'{"a": 1}'})
    broken = tmp_path / "broken.evtx"
    broken.write_bytes(b"ElfFile\0" + b"\xff" * 50_000)
    lines = tmp_path / "lines.json"
    lines.write_bytes(b'{"a": 1}\n{"a"\n{"a": 3}\n')
    loaded, feed = await load(bomb, broken, lines)
    stored = await world.stored(feed)
    assert sorted(one.event["raw_data"] for one in stored if not one.fault) == ['{"a":1}', '{"a":1}', '{"a":3}']
    faults = "\n".join(one.fault for one in stored if one.fault)
    assert "zeros.log: unpacks to more than 300 times its size" in faults
    assert "line 2: is not valid JSON" in faults
    assert loaded.unreadable == len([one for one in stored if one.fault]) == len(loaded.faults)


async def test_old_events_of_a_file_are_found_by_rules_with_their_own_time(world, load, tmp_path):
    path = tmp_path / "old.json"
    path.write_bytes(orjson.dumps({**SHADOW_EVENT, "UtcTime": "2015-01-01 00:00:00.000"}))
    _, feed = await load(path, rules=write_rules(tmp_path / "rules"))
    (alert,) = await world.raised(feed)
    (event,) = await world.stored(feed)
    assert alert.first_at.year == event.occurred_at.year == 2015
    assert not event.clock_is_off


async def test_commands_admit_key_load_and_list(tmp_path, world, dsn):
    from tests.support.directory_entries import an_organization

    organization = await world.directory.register_organization(an_organization(name="Clinic of commands"))
    identifier = organization.identifiers[0]
    environ = {"ESANTE_DATABASE_URL": dsn}

    def run(*words):
        return run_esante("soc", *words, "--data", tmp_path / "data", **environ).stdout

    def all_commands():
        member = run("member", "admit", f"{identifier.system}|{identifier.value}").split()[0]
        source = run("source", "add", member, "archive", "--kind", "files", "--expected-every", "60").strip()
        assert len(run("source", "key", member, source).strip()) == 43
        (tmp_path / "events.json").write_text('{"a": 1}\n{"b\n')
        printed = run("load", tmp_path / "events.json", "--member", member, "--source", source)
        assert "2 events stored, 1 of them unreadable." in printed
        listed = run("source", "list", member)
        assert "archive" in listed
        assert "1 could not be read; the last one: events.json line 2" in listed or "line 2" in listed

    await asyncio.to_thread(all_commands)
