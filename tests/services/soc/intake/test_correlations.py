"""Correlations over the hits of all intake processes: one place at a time, nothing lost and nothing twice."""

from datetime import timedelta

import orjson
import pytest

from esante.core import clock
from esante.services.soc.findings import correlations
from esante.services.soc.findings.correlations import Correlations
from esante.services.soc.findings.rule_folder import RuleFolder
from esante.services.soc.findings.stream_rules import StreamRules
from esante.services.soc.intake.model import Delivery
from esante.services.soc.intake.pipeline import Pipeline
from esante.services.soc.rules.rule_set import load_rules
from tests.support.soc_intake import LOGIN_RULES, line, until, write_rules

COUNTED = "5a2c0c5e-0000-4000-8000-000000000003"
ENDED = """\
title: Few sign-ins failed
id: 5a2c0c5e-0000-4000-8000-000000000004
correlation:
  type: event_count
  rules: [failed]
  group-by: [hostname]
  timespan: 5m
  condition: {lt: 3}
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Let each process take hits at once."""
    monkeypatch.setattr(correlations, "PATIENCE", timedelta(0))


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "logins.yml").write_text(LOGIN_RULES)
    return StreamRules(load_rules(tmp_path))


class _Process:
    """A pipeline and correlations, as one intake process has them."""

    def __init__(self, world, rules):
        self._world = world
        self.pipeline = Pipeline(world.db, world.events, world.alerts, rules)
        self.correlations = Correlations(world.db, world.alerts, rules)

    async def receive(self, feed, *messages):
        delivery = Delivery(feed.tenant_id, feed.source.source_id, 100_000, messages, clock.now())
        batch = await self.pipeline._prepare([(delivery, messages)])
        await self.pipeline._write(batch)


def _failed(number, host="gate", minute=0):
    stamp = f"{clock.now() - timedelta(minutes=30 - minute):%Y-%m-%dT%H:%M:%SZ}"
    return line(f"Failed password for x{number}", host, stamp)


async def test_hits_of_two_processes_are_correlated_in_one(world, rules):
    feed = await world.feed()
    first, second = _Process(world, rules), _Process(world, rules)
    for number in range(5):
        await (first if number % 2 else second).receive(feed, _failed(number))
    await first.correlations.process_round()
    await second.correlations.process_round()
    (alert,) = await world.raised(feed)
    assert (alert.rule, alert.origin, alert.subject, alert.values["count"]) == (COUNTED, "correlation", "gate", 5)
    stored = {str(one.event_id) for one in await world.stored(feed)}
    assert {one.event for one in alert.evidence if one.event} == stored


async def test_events_of_different_members_are_never_correlated(world, rules):
    one, other, process = await world.feed(), await world.feed(), _Process(world, rules)
    for number in range(4):
        await process.receive(one, _failed(number))
        await process.receive(other, _failed(number))
    await process.correlations.process_round()
    assert not await world.raised(one)
    assert not await world.raised(other)


async def test_windows_are_made_again_by_another_process_and_alert_once(world, rules, monkeypatch):
    feed, first = await world.feed(), _Process(world, rules)
    for number in range(3):
        await first.receive(feed, _failed(number))
    await first.correlations.process_round()
    second = _Process(world, rules)
    for number in range(3, 5):
        await second.receive(feed, _failed(number))
    with monkeypatch.context() as patched:
        patched.setattr(correlations, "PATIENCE", timedelta(minutes=1))
        await second.correlations.process_round()
        assert not await world.raised(feed), "the process that has the windows is given some time"
    await second.correlations.process_round()
    assert len(await world.raised(feed)) == 1
    await first.correlations.process_round()
    for number in range(5):
        await first.receive(feed, _failed(f"again {number}"))
    await first.correlations.process_round()
    assert len(await world.raised(feed)) == 2


async def test_round_that_fails_raises_nothing_and_is_done_again_as_a_whole(world, rules, monkeypatch):
    feed, process = await world.feed(), _Process(world, rules)
    for number in range(5):
        await process.receive(feed, _failed(number))
    raise_in = type(world.alerts).raise_in

    async def failing(self, conn, found):
        await raise_in(self, conn, found)
        raise KeyError

    with monkeypatch.context() as patched:
        patched.setattr(type(world.alerts), "raise_in", failing)
        with pytest.raises(KeyError):
            await process.correlations.process_round()
    assert not await world.raised(feed)
    await process.correlations.process_round()
    assert len(await world.raised(feed)) == 1


async def test_same_events_sent_again_after_a_crash_raise_no_second_alert(world, rules):
    feed, process = await world.feed(), _Process(world, rules)
    messages = [_failed(number) for number in range(5)]
    for _ in range(2):
        await process.receive(feed, *messages)
        await process.correlations.process_round()
    assert len(await world.raised(feed)) == 1


async def test_window_that_waits_for_its_end_alerts_when_its_time_has_passed(world, tmp_path):
    (tmp_path / "logins.yml").write_text(LOGIN_RULES + "---\n" + ENDED)
    feed, process = await world.feed(), _Process(world, StreamRules(load_rules(tmp_path)))
    await process.receive(feed, _failed(1))
    await process.correlations.process_round()
    (alert,) = await world.raised(feed)
    assert alert.title == "Few sign-ins failed"


async def test_changed_rule_is_used_within_seconds_and_windows_go_on(world, running):
    feed = await world.feed()
    rules = running.folder / "rules"

    async def send(*messages):
        delivery = Delivery(feed.tenant_id, feed.source.source_id, 100_000, messages, clock.now())
        running.intake.pipeline.deliver(delivery)
        await delivery.done

    await send(*(_failed(number) for number in range(3)))
    (rules / "shadow.yml").write_text((rules / "shadow.yml").read_text().replace("title: Shadow", "title: The shadow"))
    await until(lambda: any(one.title.startswith("The") for one in running.intake.pipeline.rules.rules.rules))
    await send(*(_failed(number) for number in range(3, 5)))
    await until(lambda: world.raised(feed))


async def test_rule_whose_sample_does_not_hold_is_not_used_and_the_others_are(tmp_path, caplog):
    folder = write_rules(tmp_path / "rules")
    (folder / "shadow.negative.json").write_bytes((folder / "shadow.positive.json").read_bytes())
    reader = RuleFolder(folder)
    assert await reader.read()
    assert [one.title for one in reader.rules.rules.rules] == ["A sign-in failed"]
    assert "negative event 1 is found" in caplog.text
    assert not await reader.read()


async def test_alert_of_a_rule_says_what_it_rests_on(world, running):
    feed = await world.feed()
    event = {
        "EventID": 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "CommandLine": "vssadmin delete",
        "Image": "a",
    }
    delivery = Delivery(feed.tenant_id, feed.source.source_id, 100_000, [orjson.dumps(event)], clock.now())
    running.intake.pipeline.deliver(delivery)
    await delivery.done
    (alert,) = await world.raised(feed)
    assert [(one.field, one.value) for one in alert.evidence] == [("CommandLine", "vssadmin delete")]
