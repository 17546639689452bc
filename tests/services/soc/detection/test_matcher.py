"""The indexed matcher against a plain interpreter, over generated rules and events; and each modifier."""

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.services.soc import Detector
from tests.support.sigma import holds, rule, written

FIELDS = ["a", "b", "c.d"]
LETTERS = st.text("aAbß\\*?-/ σς1", max_size=6)
SCALARS = LETTERS | st.integers(-3, 12) | st.booleans() | st.none()
MODIFIERS = st.sampled_from(
    [
        "",
        *[
            "|contains",
            "|startswith",
            "|endswith",
            "|contains|all",
            "|cased",
            "|contains|cased",
            "|neq",
            "|windash",
            "|contains|windash",
            "|all",
        ],
    ]
)


def keyed(modifier, values):
    return st.tuples(st.sampled_from(FIELDS), modifier, values).map(lambda one: (one[0] + one[1], one[2]))


ITEMS = st.one_of(
    keyed(MODIFIERS, st.lists(LETTERS | st.integers(-3, 12) | st.booleans(), min_size=1, max_size=3)),
    keyed(st.just(""), st.none() | st.lists(SCALARS, min_size=1, max_size=3)),
    keyed(st.just("|exists"), st.booleans()),
    keyed(st.sampled_from(["|gt", "|gte", "|lt", "|lte"]), st.integers(-2, 10)),
    keyed(st.just("|fieldref"), st.sampled_from(FIELDS)),
    keyed(st.sampled_from(["|re", "|re|i", "|re|s"]), st.sampled_from(["a+b", "^A", "1$", "a.b", "[ab]{2,}", r"\s"])),
    keyed(st.just("|cidr"), st.sampled_from(["10.0.0.0/8", "2001:db8::/32"])),
)
MAPS = st.lists(ITEMS, min_size=1, max_size=3).map(dict)
SEARCHES = st.one_of(MAPS, st.lists(MAPS | LETTERS.filter(bool), min_size=1, max_size=3), LETTERS.filter(bool))
CONDITIONS = st.sampled_from(
    [
        *("sel_1", "not sel_1", "sel_1 and sel_2", "sel_1 or not sel_2", "1 of sel_*", "all of them", "1 of them"),
        *("sel_1 and not (sel_2 or _sel)", "not 1 of sel_* and _sel", "not (sel_1 and sel_2)"),
    ]
)
DETECTIONS = st.fixed_dictionaries({"sel_1": SEARCHES, "sel_2": SEARCHES, "_sel": SEARCHES, "condition": CONDITIONS})
ADDRESSES = st.sampled_from(["10.2.3.4", "11.0.0.1", "2001:db8::1", "::1"])
EVENTS = st.dictionaries(st.sampled_from(FIELDS), SCALARS | ADDRESSES | st.lists(SCALARS, max_size=3), max_size=3)


@settings(max_examples=150)
@given(st.lists(DETECTIONS, min_size=1, max_size=6), st.lists(EVENTS, min_size=1, max_size=6))
def test_rules_found_are_those_of_the_plain_interpreter(tmp_path, detections, events):
    documents = [rule(one, number=number) for number, one in enumerate(detections)]
    loaded = written(tmp_path, *documents)
    assert loaded.faults == []
    detector = Detector(loaded)
    for event in [*events, *events]:
        expected = {one["id"] for one in documents if holds(one, event)}
        assert {hit.rule.key for hit in detector.detect(event)} == expected


def finds(folder, detection, *events):
    loaded = written(folder, rule({"sel": detection, "condition": "sel"}))
    assert loaded.faults == []
    detector = Detector(loaded)
    return [bool(detector.detect(event)) for event in events]


@pytest.mark.parametrize(
    ("detection", "found", "not_found"),
    [
        ({"a": r"C:\\*\x?.exe"}, r"c:\temp\X1.EXE", r"c:\temp\x.exe"),
        ({"a": r"\\\\server\share"}, r"\\server\share", r"\server\share"),
        ({"a": r"what\?"}, "what?", "whats"),
        ({"a|contains": ""}, "anything", None),
        ({"a|re": "(?i)power.{1,3}shell"}, "Power--Shell", "power----shell"),
        ({"a|re|m": "^b$"}, "a\nb\nc", "abc"),
        ({"a|contains|windash": " -enc -w"}, "x.exe /enc —w", "x.exe +enc -w"),
        (
            {"a|wide|base64offset|contains": "ping"},
            base64.b64encode("xxping".encode("utf-16-le")).decode(),
            "cGluZw==",
        ),
        ({"a|base64": "ping"}, "cGluZw==", "cGluZy=="),
        ({"a|utf16|base64|contains": "é"}, "//7pAA==", "/v8A6Q=="),
        ({"a|cidr": ["192.0.2.0/24", "2001:db8::/32"]}, "2001:db8:1::9", "192.0.3.1"),
        ({"a|gte": 10}, "10.5", "9"),
        ({"a|gt": 10}, 11, "infinity"),
        ({"a|hour": 23}, "2026-03-01T23:10:00Z", "2026-03-01T22:10:00Z"),
        ({"a|year|lt": 2020}, "2019-12-31 23:59:59", "2020-01-01"),
        ({"a": 4688}, 4688, 46880),
        ({"a": True}, "TRUE", "1"),
    ],
)
def test_modifier_decides(tmp_path, detection, found, not_found):
    assert finds(tmp_path, detection, {"a": found}, {"a": not_found}) == [True, False]


def test_missing_field_is_null_and_empty_text_is_not(tmp_path):
    assert finds(tmp_path, {"a": None}, {}, {"a": None}, {"a": ""}) == [True, True, False]


def test_field_without_a_value_exists(tmp_path):
    events = [{"a": None}, {"a": []}, {"a": ""}, {"b": 1}]
    assert finds(tmp_path, {"a|exists": True}, *events) == [True, True, True, False]


def test_negated_selection_of_a_missing_field_holds(tmp_path):
    loaded = written(
        tmp_path, rule({"sel": {"b": 1}, "filter": {"a|startswith": "x"}, "condition": "sel and not filter"})
    )
    assert Detector(loaded).detect({"b": 1})


def test_nested_names_reach_through_lists(tmp_path):
    event = {"events": [{"name": "first", "tags": ["x"]}, {"name": "second", "tags": ["y", "z"]}]}
    assert finds(tmp_path, {"events.name": "second", "events.tags": "x"}, event) == [True]


def test_keywords_with_all_need_each_of_them_somewhere(tmp_path):
    assert finds(tmp_path, {"|all": ["one", "two"]}, {"a": "One", "b": ["and two"]}, {"a": "one"}) == [True, False]


@given(st.binary(max_size=5), st.text("abcXYZ 0é", min_size=3, max_size=12), st.binary(max_size=5))
def test_value_at_any_offset_is_found_by_base64offset(tmp_path, before, value, after):
    text = base64.b64encode(before + value.encode() + after).decode()
    assert finds(tmp_path, {"a|base64offset|contains": value}, {"a": text}) == [True]


def test_expression_with_nested_repeats_takes_linear_time(tmp_path):
    # With backtracking this would not end within the life of the test.
    assert finds(tmp_path, {"a|re": "^(a+)+$"}, {"a": "a" * 50_000 + "b"}) == [False]
    assert finds(tmp_path, {"a": "*a" * 40}, {"a": "a" * 50_000 + "b"}) == [False]


WINDOWS = {"Event": {"System": {"Channel": "Security", "EventID": 4688}, "EventData": {}}}


@pytest.mark.parametrize(
    ("log_source", "channel", "event_id", "expected"),
    [
        ({"product": "windows", "category": "process_creation"}, "Microsoft-Windows-Sysmon/Operational", 1, True),
        ({"product": "windows", "category": "process_creation"}, "Microsoft-Windows-Sysmon/Operational", 5, False),
        ({"product": "windows", "category": "process_creation"}, "Security", 4688, True),
        ({"product": "windows", "service": "security"}, "Security", 1, True),
        ({"product": "windows", "service": "security"}, "System", 1, False),
        ({"product": "linux", "category": "process_creation"}, "Security", 4688, False),
        ({"product": "linux", "category": "process_creation"}, "Linux-Sysmon/Operational", 1, True),
        ({"category": "process_creation"}, "Security", 4688, True),
        ({"product": "windows"}, "Any channel", 7, True),
    ],
)
def test_log_source_admits_events_of_its_channels(tmp_path, log_source, channel, event_id, expected):
    loaded = written(tmp_path, rule({"sel": {"x": 1}, "condition": "sel"}, logsource=log_source))
    event = {"Event": {"System": {"Channel": channel, "EventID": event_id}, "EventData": {"x": 1}}}
    assert bool(Detector(loaded).detect(event)) is expected


@pytest.mark.parametrize(
    "event",
    [
        {
            "Event": {
                "System": {"Channel": "Security", "EventID": 4688},
                "EventData": {"NewProcessName": r"C:\cmd.exe"},
            }
        },
        {
            "Event": {
                "System": {"Channel": "Security", "EventID": {"#text": 4688}},
                "EventData": {"NewProcessName": r"C:\cmd.exe"},
            }
        },
        {"Channel": "Security", "EventID": 4688, "NewProcessName": r"C:\cmd.exe"},
        {"winlog": {"channel": "Security", "event_id": "4688", "event_data": {"NewProcessName": r"C:\cmd.exe"}}},
    ],
)
def test_event_of_the_audit_policy_is_found_by_the_names_of_sysmon(tmp_path, event):
    log_source = {"product": "windows", "category": "process_creation"}
    loaded = written(
        tmp_path, rule({"sel": {"Image|endswith": r"\cmd.exe"}, "condition": "sel"}, logsource=log_source)
    )
    assert Detector(loaded).detect(event)


def test_more_values_than_are_kept_give_the_same_result(tmp_path):
    detector = Detector(written(tmp_path, rule({"sel": {"a|endswith": "7"}, "condition": "sel"})))
    found = [bool(detector.detect({"a": str(number)})) for number in range(20_000)]
    assert found == [bool(re.search("7$", str(number))) for number in range(20_000)]
