"""What an event holds that a rule asks for."""

from esante.services.soc import Evidence, evidence_of
from tests.support.sigma import rule, written


def evidence(folder, detection, event, **more):
    (loaded,) = written(folder, rule(detection, **more)).rules
    return evidence_of(loaded, event)


def test_values_that_met_the_rule_are_named_once(tmp_path):
    detection = {
        "image": {"Image|endswith": [r"\cmd.exe", ".exe"]},
        "line": {"CommandLine|contains": ["whoami", "net user"]},
        "filter": {"User": "admin"},
        "condition": "image and line and not filter",
    }
    event = {"Image": r"C:\cmd.exe", "CommandLine": "whoami /all", "User": "eva"}
    assert evidence(tmp_path, detection, event) == [
        Evidence("Image", r"C:\cmd.exe"),
        Evidence("CommandLine", "whoami /all"),
    ]


def test_keyword_shows_the_value_that_holds_it(tmp_path):
    event = {"a": "nothing", "b": ["x", "a mimikatz b"]}
    assert evidence(tmp_path, {"words": ["mimikatz"], "condition": "words"}, event) == [Evidence("", "a mimikatz b")]


def test_field_of_the_audit_policy_is_named_as_in_the_rule(tmp_path):
    event = {"Channel": "Security", "EventID": 4688, "NewProcessName": r"C:\cmd.exe"}
    source = {"product": "windows", "category": "process_creation"}
    detection = {"sel": {"Image|endswith": "cmd.exe"}, "condition": "sel"}
    assert evidence(tmp_path, detection, event, logsource=source) == [Evidence("Image", r"C:\cmd.exe")]


def test_long_value_is_cut(tmp_path):
    (found,) = evidence(tmp_path, {"sel": {"a|contains": "x"}, "condition": "sel"}, {"a": "x" * 10_000})
    assert len(found.value) == 500
