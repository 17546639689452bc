"""Rules of a folder: what loads, and what is refused with file, line, reason and remedy."""

import pytest
import yaml

from esante.services.soc import Detector, load_rules
from tests.support.sigma import rule, written

GOOD = """title: Good
id: good
logsource: {product: test}
detection:
    sel:
        a: 1
    condition: sel
"""


def faults(folder, text, name="rule.yml"):
    (folder / name).write_text(text, "utf-8")
    return [(fault.line, fault.reason) for fault in load_rules(folder).faults]


@pytest.mark.parametrize(
    ("before", "after", "line", "reason"),
    [
        ("title: Good", "title: ''", 1, "has no title"),
        ("logsource: {product: test}", "", 1, "has no log source"),
        ("{product: test}", "{product: ''}", 3, "the log source is empty"),
        ("        a: 1", "        a|contains|upper: 1", 5, "unknown modifier 'upper'"),
        ("        a: 1", "        a|re: '(?=x)y'", 5, "the regular expression has no linear-time form"),
        ("        a: 1", "        a|re: '(x{1000}){1000}'", 5, "the regular expression has no linear-time form"),
        ("        a: 1", "        a|cidr: 10.0.0.300/8", 5, "is no network"),
        ("        a: 1", "        a|gt: many", 5, "is no number"),
        ("        a: 1", "        a|exists: maybe", 5, "exists takes true or false"),
        ("        a: 1", "        a|expand: '%admins%'", 5, "no values for the placeholder %admins%"),
        ("        a: 1", "        a|base64: 'x*'", 5, "a wildcard cannot be encoded"),
        ("        a: 1", "        a|re|contains: x", 5, "the modifiers re|contains do not fit"),
        ("        a: 1", "        a: []", 5, "no value for 'a'"),
        ("        a: 1", "        a: {b: 1}", 5, "a value is a mapping or a list"),
        ("condition: sel", "condition: sel and other", 7, "the condition names 'other'"),
        ("condition: sel", "condition: sel and", 7, "the condition ends too early"),
        ("condition: sel", "condition: (sel", 7, "the condition ends too early"),
        ("condition: sel", "condition: sel sel", 7, "the condition goes on at 'sel'"),
        ("condition: sel", "condition: 2 of sel*", 7, "`2 of` is not part of Sigma"),
        ("condition: sel", "condition: 1 of other*", 7, "nothing has a name like 'other*'"),
        ("condition: sel", "condition: sel | count() > 5", 7, "aggregations after `|` belong to Sigma 1"),
        ("condition: sel", "other: {b: 1}", 5, "has no condition"),
        ("condition: sel", "condition: " + "not " * 60 + "sel", 7, "the condition is nested deeper"),
        ("        a: 1", "        a: 1\n        a: 2", 7, "has the key 'a' twice"),
        ("        a: 1", "        a: [1", 7, "is not valid YAML"),
        ("        a: 1", "        a: !!python/object/apply:os.system [x]", 6, "has the tag"),
        ("        a: 1", "        a: !!python/name:os.system x", 6, "is not valid YAML"),
        ("        a: 1", "        ? [x]\n        : 1", 6, "has a key that is no text"),
        ("        a: 1", "        a: *nowhere", 6, "refers to an unknown anchor"),
        ("        a: 1", "        a: " + "[" * 60 + "]" * 60, 6, "is nested deeper than 30 levels"),
        ("        a: 1", "        a: '\x07'", 1, "control characters are not allowed"),
        ("title: Good", "action: global\ntitle: Good", 1, "`action` belongs to Sigma 1"),
        ("detection:", "other:", 1, "has none or several of detection, filter, correlation"),
    ],
)
def test_fault_is_named_with_its_line(tmp_path, before, after, line, reason):
    text = GOOD.replace(before, after)
    assert text != GOOD
    ((found_line, found_reason),) = faults(tmp_path, text)
    assert reason in found_reason
    assert found_line == line


def test_fault_of_one_rule_leaves_the_others(tmp_path):
    (tmp_path / "bad.yml").write_text("title: [", "utf-8")
    (tmp_path / "good.yaml").write_text(GOOD, "utf-8")
    loaded = load_rules(tmp_path)
    assert [rule.key for rule in loaded.rules] == ["good"]
    (fault,) = loaded.faults
    assert (fault.path.name, bool(fault.remedy)) == ("bad.yml", True)


def test_aliases_that_multiply_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    ((_, reason),) = faults(tmp_path, "\n".join(lines))
    assert "holds more than 50,000 nodes" in reason


def test_nesting_through_aliases_is_refused(tmp_path):
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60))]
    ((_, reason),) = faults(tmp_path, "\n".join(lines))
    assert "is nested deeper than 30 levels" in reason


def test_plain_alias_is_read(tmp_path):
    assert faults(tmp_path, GOOD.replace("a: 1", "a: &one 1\n        b: *one")) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"title: \xff", "is not UTF-8"),
        (b"x" * 1_000_001, "is larger than 1,000,000 bytes"),
        (b"- just\n- a list\n", "is no mapping"),
        (b"[" * 500_000, "nest"),
        (b"? " * 300_000, ""),
    ],
)
def test_hostile_file_is_refused(tmp_path, content, reason):
    (tmp_path / "rule.yml").write_bytes(content)
    (fault,) = load_rules(tmp_path).faults
    assert reason in fault.reason


def test_same_id_twice_is_refused(tmp_path):
    loaded = written(tmp_path, *[rule({"sel": {"a": 1}, "condition": "sel"})] * 2)
    assert len(loaded.rules) == 1
    assert "has the id of rules.yml" in loaded.faults[0].reason


def test_placeholders_take_their_values_from_the_folder(tmp_path):
    (tmp_path / "placeholders.yml").write_text(yaml.safe_dump({"admins": ["root", "adm*"]}), "utf-8")
    loaded = written(tmp_path, rule({"sel": {"user|expand": "%admins%"}, "condition": "sel"}))
    detector = Detector(loaded)
    assert [bool(detector.detect({"user": user})) for user in ("root", "admin", "guest")] == [True, True, False]


def test_placeholders_that_multiply_are_refused(tmp_path):
    values = {name: list(range(300)) for name in "xyz"}
    (tmp_path / "placeholders.yml").write_text(yaml.safe_dump(values), "utf-8")
    (fault,) = written(tmp_path, rule({"sel": {"a|expand": "%x%%y%%z%"}, "condition": "sel"})).faults
    assert "more than 20,000 values" in fault.reason


def filtered(rules, source="test"):
    return {
        "title": "Filter",
        "logsource": {"product": source},
        "filter": {"rules": rules, "known": {"host": "build"}, "condition": "not known"},
    }


@pytest.mark.parametrize(
    ("document", "applies"),
    [(filtered(["rule-1"]), True), (filtered("any"), True), (filtered("any", "other"), False)],
)
def test_filter_adds_its_condition_to_the_rules_that_it_names(tmp_path, document, applies):
    loaded = written(tmp_path, rule({"sel": {"a": 1}, "condition": "sel"}), document)
    detector = Detector(loaded)
    assert loaded.faults == []
    assert bool(detector.detect({"a": 1, "host": "build"})) is not applies
    assert detector.detect({"a": 1, "host": "other"})


def test_filter_of_an_unknown_rule_is_named(tmp_path):
    loaded = written(tmp_path, rule({"sel": {"a": 1}, "condition": "sel"}), filtered(["absent"]))
    assert "filters an unknown rule 'absent'" in loaded.faults[0].reason


@pytest.mark.parametrize(
    ("correlation", "reason"),
    [
        ({"type": "event_sum"}, "unknown type 'event_sum'"),
        ({"rules": []}, "names no rules"),
        ({"rules": ["absent"]}, "correlates an unknown rule 'absent'"),
        ({"timespan": "5 minutes"}, "is no timespan"),
        ({"condition": {"gte": "x"}}, "is no number"),
        ({"condition": {"above": 5}}, "unknown key 'above'"),
        ({"condition": {}}, "has no bound"),
        ({"condition": {"gte": 20_000}}, "counts beyond 10,000"),
        ({"type": "value_count"}, "names no field"),
        ({"type": "temporal", "condition": "not rule-1"}, "`not` in a temporal correlation"),
        ({"rules": ["circle"]}, "depends on a correlation that is not loaded"),
    ],
)
def test_fault_of_a_correlation_is_named(tmp_path, correlation, reason):
    given = {"type": "event_count", "rules": ["rule-1"], "timespan": "1m", "condition": {"gte": 2}, **correlation}
    loaded = written(
        tmp_path,
        rule({"sel": {"a": 1}, "condition": "sel"}),
        {"title": "Correlation", "name": "circle", "correlation": given},
    )
    assert len(loaded.rules) == 1 and loaded.correlations == []
    (fault,) = loaded.faults
    assert reason in fault.reason
