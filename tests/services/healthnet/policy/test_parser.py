"""Policies that are refused: each fault with its line and what mends it."""

from pathlib import Path

import pytest

from esante.services.healthnet.policy.faults import PolicyError
from esante.services.healthnet.policy.parser import load_policy, parse_policy
from tests.support.healthnet import WORDS

GOOD = """\
language: 1
title: Test
groups:
  practices: {kind: practice}
  doctors: {kind: practice, profession: doctor}
  laboratories: {kind: laboratory}
  core: {kind: platform, sites: [P-1]}
services:
  results: {title: Results, offered-by: laboratories, ports: tcp/443}
  on: {title: Names, offered-by: core, ports: [udp/53, tcp/53]}
rules:
  fetch:
    allow: practices
    by: results
  names: {allow: [practices, laboratories], by: on}
quarantine:
  still-reaches: results
invariants:
  apart: {never: practices, reach: practices}
  fetched: {always: doctors, reach: laboratories, by: results, in-quarantine: true}
"""


def test_good_policy_is_read_with_lines_and_plain_words():
    policy = parse_policy("p.yaml", GOOD, WORDS)
    assert [*policy.services] == ["results", "on"]
    assert policy.rules[0].line == 12
    assert [str(port) for port in policy.services["on"].ports] == ["udp/53", "tcp/53"]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason", "remedy"),
    [
        ("language: 1", "language: 2", 1, "language '2'", "language: 1"),
        ("title: Test", "titel: Test", 2, "unknown field 'titel'", "did you mean 'title'?"),
        ("{kind: practice}", "{kind: practise}", 4, "kind of site 'practise' is unknown", "did you mean 'practice'?"),
        ("profession: doctor", "profession: baker", 5, "profession 'baker' is unknown", "define it"),
        (
            "{kind: laboratory}",
            "{kind: laboratory, profession: doctor}",
            6,
            "profession of other kinds",
            "kind: practice",
        ),
        ("{kind: laboratory}", "{kind: laboratory, groups: core}", 6, "needs selectors or `groups`", "write one of"),
        (
            "{kind: laboratory}",
            "{groups: more}\n  more: {groups: laboratories}",
            6,
            "laboratories > more > laboratories",
            "circle",
        ),
        ("{kind: laboratory}", "{kind: laboratory, except: laboratories}", 6, "made of each other", "circle"),
        (
            "{kind: laboratory}",
            "{kind: laboratory, sites: [P-1]}",
            7,
            "site P-1 is a platform, another group: laboratory",
            "one kind",
        ),
        ("{kind: platform, sites", "{sites", 7, "without their kind", "kind:"),
        ("[P-1]", "['P 1']", 7, "'P 1' is no key", "letters"),
        ("[P-1]", "[]", 7, "an empty list", "name at least one"),
        ("tcp/443", "tls/443", 9, "'tls/443' is no port", "write tcp/443"),
        ("tcp/443", "tcp/0", 9, "out of range", "1 to 65535"),
        ("tcp/443", "tcp/9-8", 9, "out of range", "lower one first"),
        ("offered-by: laboratories,", "", 9, "no offered-by", "add `offered-by:`"),
        ("offered-by: core", "offered-by: cores", 10, "group 'cores' is unknown", "did you mean 'core'?"),
        ("ports: tcp/443}", "ports: tcp/443, traffic: rapid}", 9, "'rapid' is unknown", "emergency"),
        ("  fetch:\n", "  Fetch it:\n", 12, "'Fetch it' is no key", "small letters"),
        (
            "    allow: practices",
            "    allow: practices\n    forbid: doctors",
            12,
            "one of `allow` and `forbid`",
            "write",
        ),
        ("    by: results", "    by: result", 14, "service 'result' is unknown", "did you mean 'results'?"),
        ("    by: results", "    by: results\n    overrides: names", 15, "allows, and overrides", "only `forbid`"),
        (
            "  still-reaches: results",
            "  still-reaches: [results, results]",
            17,
            "names service 'results' twice",
            "remove",
        ),
        (", by: results, in-q", ", in-q", 20, "by which services", "by:"),
        ("in-quarantine: true", "in-quarantine: perhaps", 20, "neither true nor false", "write true"),
    ],
)
def test_fault_of_language_names_line_and_remedy(old, new, line, reason, remedy):
    assert old in GOOD
    found = refused(GOOD.replace(old, new, 1))
    assert any(fault.line == line and reason in fault.reason and remedy in fault.remedy for fault in found), found


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("  doctors: {kind: practice, profession: doctor}", "  doctors: {kind: practice, except: practices}", 5, "no site can be in group doctors"),
        ("ports: tcp/443}", "ports: tcp/443}\n  more: {title: M, offered-by: laboratories, ports: tcp/440-450}", 10, "share port tcp/443"),
        ("    by: results", "    by: results\n    reach: core", 12, "rule fetch is about nothing"),
        ("  names:", "  no: {forbid: doctors, by: results}\n  names:", 15, "forbids what rule fetch (line 12) allows: a practice of profession doctor to a laboratory by results"),
        ("  names:", "  no: {forbid: doctors, by: results, overrides: [fetch, names]}\n  names:", 15, "overrides names, with which it shares no flow"),
        ("  still-reaches: results", "  still-offers: on", 20, "fetched does not hold: a practice of profession doctor in quarantine does not reach a laboratory by results"),
        ("{kind: platform, sites: [P-1]}", "{kind: practice, sites: [P-1]}", 19, "a practice reaches site P-1 by on (rule names, line 15: a rule allows it)"),
    ],
)  # fmt: skip
def test_policy_that_contradicts_itself_is_refused_with_the_flow(old, new, line, reason):
    assert old in GOOD
    found = refused(GOOD.replace(old, new, 1))
    assert any(fault.line == line and reason in fault.reason and fault.remedy for fault in found), found


def test_quarantine_of_a_service_that_no_rule_allows_is_refused():
    text = GOOD.replace("  names: {allow: [practices, laboratories], by: on}\n", "").replace(
        "still-reaches: results", "still-reaches: [results, on]"
    )
    assert "quarantine keeps on, which no rule allows" in str(refused(text)[0])


def test_all_faults_are_reported_at_once_in_the_order_of_lines():
    found = refused(GOOD.replace("tcp/443", "x").replace("[P-1]", "[]").replace("language: 1", "language: 0"))
    assert [fault.line for fault in found] == [1, 7, 9]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the policy is no mapping"),
        ("- a\n", "the policy is no mapping"),
        ("a: [\n", "is no YAML"),
        ("a: 1\na: 2\n", "has the key 'a' twice"),
        ("a: &x 1\nb: *x\n", "uses an anchor or an alias"),
        ("a: !!python/object/apply:os.system [id]\n", "uses a tag"),
        ("? [a, b]\n: 1\n", "has a key that is no text"),
        ("a: " + "[" * 500 + "]" * 500, "nested deeper"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("a: \x00\n", "is no YAML"),
        ("x" * 1_100_000, "is larger than"),
    ],
)
def test_hostile_yaml_is_refused_with_its_line(text, reason):
    found = refused(text)
    assert reason in found[0].reason
    assert found[0].line >= 1


def test_file_that_is_not_utf8_or_absent_is_refused(tmp_path: Path):
    (tmp_path / "p.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(PolicyError, match=r"p\.yaml:2: is not UTF-8"):
        load_policy(tmp_path / "p.yaml", WORDS)
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "absent.yaml", WORDS)


def refused(text):
    with pytest.raises(PolicyError) as caught:
        parse_policy("p.yaml", text, WORDS)
    assert all(fault.remedy for fault in caught.value.faults)
    return caught.value.faults


def test_invariant_between_two_named_sites_of_one_group_is_proved():
    text = GOOD.replace("{kind: platform, sites: [P-1]}", "{kind: platform, sites: [P-1, P-2]}").replace(
        "allow: [practices, laboratories], by: on", "allow: core, by: on"
    )
    found = refused(text + "  alone: {never: core, reach: core}\n")
    assert "site P-1 reaches site P-2 by on" in found[0].reason


def test_rule_for_a_single_named_site_reaches_itself_never():
    text = GOOD.replace("allow: [practices, laboratories], by: on", "allow: core, by: on")
    assert parse_policy("p.yaml", text + "  alone: {never: core, reach: core}\n", WORDS).invariants
