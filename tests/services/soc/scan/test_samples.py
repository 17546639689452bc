"""Rules are admitted only with samples that hold."""

import json

import pytest
import yaml
from click.testing import CliRunner

from esante.cli import main
from esante.services.soc import load_admitted_rules
from tests.support.sigma import rule

RULE = rule({"sel": {"a": 1}, "condition": "sel"})
CORRELATION = {
    "title": "Often",
    "id": "often",
    "correlation": {"type": "event_count", "rules": ["rule-1"], "timespan": "1m", "condition": {"gte": 2}},
}


def write(folder, name="one", documents=(RULE,), positive=({"a": 1},), negative=({"a": 2},)):
    (folder / f"{name}.yml").write_text(yaml.safe_dump_all(documents), "utf-8")
    for kind, events in (("positive", positive), ("negative", negative)):
        if events is not None:
            (folder / f"{name}.{kind}.json").write_text(json.dumps(list(events)), "utf-8")


def admitted(folder):
    loaded = load_admitted_rules(folder)
    return [one.key for one in (*loaded.rules, *loaded.correlations)], [fault.reason for fault in loaded.faults]


def test_rule_with_samples_that_hold_is_admitted(tmp_path):
    write(tmp_path)
    assert admitted(tmp_path) == (["rule-1"], [])


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ({"positive": None}, "has no positive sample"),
        ({"negative": None}, "has no negative sample"),
        ({"negative": []}, "has no negative sample"),
        ({"positive": [{"a": 1}, {"a": 3}]}, "positive event 2 is not found"),
        ({"negative": [{"a": 2}, {"a": 1}]}, "negative event 2 is found by rule-1"),
        ({"positive": [1]}, "a positive sample cannot be read"),
    ],
)
def test_rule_whose_samples_do_not_hold_is_not_admitted(tmp_path, samples, reason):
    write(tmp_path, **samples)
    keys, reasons = admitted(tmp_path)
    assert keys == []
    assert reason in reasons[0]


def test_correlation_needs_a_stream_that_completes_it_and_one_that_does_not(tmp_path):
    write(tmp_path)
    stream = [{"a": 1, "time": 1}, {"a": 1, "time": 2}]
    write(tmp_path, "often", [CORRELATION], stream, [{"a": 1, "time": 1}, {"a": 1, "time": 100}])
    assert admitted(tmp_path) == (["rule-1", "often"], [])
    write(tmp_path, "often", [CORRELATION], stream[:1], stream[:1])
    assert "no positive event is found by often" in admitted(tmp_path)[1][0]
    write(tmp_path, "often", [CORRELATION], stream, stream)
    assert "negative event 2 is found by often" in admitted(tmp_path)[1][0]


def test_correlation_of_a_rule_that_is_not_admitted_is_not_admitted(tmp_path):
    write(tmp_path, positive=None)
    stream = [{"a": 1, "time": 1}, {"a": 1, "time": 2}]
    write(tmp_path, "often", [CORRELATION], stream, stream[:1])
    keys, reasons = admitted(tmp_path)
    assert keys == []
    assert any("correlates a rule that is not admitted" in reason for reason in reasons)


def test_command_names_what_is_not_admitted_and_fails(tmp_path):
    write(tmp_path)
    assert CliRunner().invoke(main, ["soc", "rules", "check", str(tmp_path)]).exit_code == 0
    write(tmp_path, negative=[{"a": 1}])
    found = CliRunner().invoke(main, ["soc", "rules", "check", str(tmp_path)])
    assert found.exit_code == 1
    assert f"not admitted: {tmp_path / 'one.yml'}:1: Rule 1: negative event 1 is found by rule-1" in found.stdout
    assert "0 rules and correlations admitted, 1 not." in found.stdout
