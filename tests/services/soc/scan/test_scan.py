"""`esante soc scan` over the events of SigmaHQ's regression tests and over small files."""

import json

import pytest
from click.testing import CliRunner

from esante.cli import main
from esante.services.soc import Detector, load_rules
from tests.support.sigma import rule, written
from tests.support.windows_events import regression_events

MORE_EVENTS_THAN_STATED = {
    "0b9ad457-2554-44c1-82c2-d56a99c42377": 3,
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393": 3,
    "8fbf3271-1ef6-4e94-8210-03c2317947f6": 3,
    "c7dcacd0-cc59-4004-b0a4-1d6cdebe6f3e": 2,
}
"""Files whose rule finds more events than stated, each rightly: the file holds further events of the same kind."""


def run(*arguments):
    return CliRunner().invoke(main, ["soc", "scan", *map(str, arguments)])


def test_regression_tests_give_the_stated_count_or_the_difference_is_named(shared_data):
    detector = Detector(load_rules(shared_data / "sigma" / "rules"))
    differences, tried = {}, 0
    for rule_id, stated, events in regression_events(shared_data):
        tried += 1
        hits = sum(any(hit.rule.key == rule_id for hit in detector.detect(event)) for event in events)
        if hits != stated and not (stated is None and hits):
            differences[rule_id] = hits
    assert tried >= 100
    assert differences.items() <= MORE_EVENTS_THAN_STATED.items()
    assert len(differences) <= 0.04 * tried


def test_hits_are_printed_as_json(tmp_path, shared_data):
    found = run(shared_data / "sigma" / "evtx", "--rules", shared_data / "sigma" / "rules", "--json")
    assert found.exit_code == 0
    assert {one["id"]: one["hits"] for one in json.loads(found.stdout)} == {
        "455b9d50-15a1-4b99-853f-8d37655a4c1b": 1,
        "7124aebe-4cd7-4ccb-8df0-6d6b93c96795": 2,
        "e56d3073-83ff-4021-90fe-c658e0709e72": 1,
        "e76ca062-4de0-4d79-8d90-160a0d335eca": 1,
    }
    assert {frozenset(one) for one in json.loads(found.stdout)} == {frozenset({"rule", "id", "hits"})}


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    written(
        folder,
        {**rule({"sel": {"a": 1}, "condition": "sel"}), "level": "high"},
        {
            "title": "Often",
            "id": "often",
            "correlation": {
                **{"type": "event_count", "rules": ["rule-1"], "timespan": "1m"},
                **{"condition": {"gte": 2}, "generate": True},
            },
        },
    )
    (folder / "bad.yml").write_text("title: Bad\ndetection: {}\n", "utf-8")
    events = tmp_path / "events.jsonl"
    events.write_text('{"a": 1, "time": 1}\n{"a": 1, "time": 2}\nnothing\n{"a": 2}\n', "utf-8")
    return folder, events


def test_table_shows_hits_and_what_was_not_loaded_or_read(files):
    folder, events = files
    found = run(events, "--rules", folder)
    assert found.exit_code == 0
    assert [line.split() for line in found.stdout.splitlines()[:2]] == [
        ["2", "high", "Rule", "1", "(rule-1)"],
        ["1", "Often", "(often)"],
    ]
    assert "3 events, 1 rules and 1 correlations (1 not loaded), 2 of them with hits." in found.stdout
    assert f"not loaded: {folder / 'bad.yml'}:" in found.stderr
    assert f"not read: {events} (line 3): is not valid JSON" in found.stderr


def test_nothing_readable_is_an_error(files, tmp_path):
    folder, _ = files
    (tmp_path / "binary").write_bytes(b"\0\0")
    found = run(tmp_path / "binary", "--rules", folder, "--json")
    assert found.exit_code == 1
    assert "no event could be read" in found.stderr
    assert "Traceback" not in found.stderr
