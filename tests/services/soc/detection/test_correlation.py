"""Correlation rules over streams, against a plain count; bounds of their state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.soc import Detector
from esante.services.soc.detection import correlation as state
from tests.support.sigma import rule, written

BASE = [
    {**rule({"sel": {"action": action}, "condition": "sel"}, number=number), "name": action}
    for number, action in enumerate(["fail", "login", "leave"], 1)
]


def detector(folder, **correlation):
    given = {"rules": ["fail"], "timespan": "1m", **correlation}
    loaded = written(folder, *BASE, {"title": "Correlated", "id": "correlated", "correlation": given})
    assert loaded.faults == []
    return Detector(loaded)


def alerts(detector, *events):
    """The positions of the events that completed the correlation; -1 for the end."""
    found = []
    for number, event in enumerate(events):
        found += [number for hit in detector.detect(event, reference=number) if hit.rule.key == "correlated"]
    return found + [-1 for hit in detector.finish() if hit.rule.key == "correlated"]


def event(action, time, **more):
    return {"action": action, "time": time, **more}


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("AB")), max_size=40), st.integers(2, 4))
def test_events_are_counted_for_each_group_within_the_timespan(tmp_path, steps, threshold):
    one = detector(tmp_path, type="event_count", **{"group-by": ["user"]}, condition={"gte": threshold})
    time, events, kept, expected = 1_000, [], {"A": [], "B": []}, []
    for number, (step, user) in enumerate(steps):
        time += step
        events.append(event("fail", time, user=user))
        kept[user] = [then for then in kept[user] if then >= time - 60] + [time]
        if len(kept[user]) >= threshold:
            expected.append(number)
            kept[user] = []
    assert alerts(one, *events) == expected


def test_alert_carries_its_group_and_the_hits_that_it_rests_on(tmp_path):
    one = detector(tmp_path, type="event_count", **{"group-by": ["user"]}, condition={"gt": 1})
    one.detect(event("fail", 10, user="A"), reference="first")
    (hit,) = one.detect(event("fail", 20, user="A"), reference="second")
    assert (hit.group, [entry.reference for entry in hit.entries]) == ({"user": "A"}, ["first", "second"])


def test_different_values_are_counted_once_each(tmp_path):
    one = detector(tmp_path, type="value_count", condition={"field": "host", "gte": 3})
    hosts = ["a", "b", "b", "a", "c"]
    assert alerts(one, *(event("fail", number, host=host) for number, host in enumerate(hosts))) == [4]


@pytest.mark.parametrize(
    ("kind", "condition", "expected"),
    [
        ("value_sum", {"gt": 99}, [2]),
        ("value_avg", {"gte": 40}, [2]),
        ("value_median", {"gte": 30}, [3]),
        ("value_percentile", {"percentile": 90, "gte": 90}, [2]),
    ],
)
def test_numbers_of_a_field_are_aggregated(tmp_path, kind, condition, expected):
    one = detector(tmp_path, type=kind, condition={"field": "size", **condition})
    sizes = [10, 20, 90, 200]
    found = alerts(one, *(event("fail", number, size=size) for number, size in enumerate(sizes)))
    assert found[:1] == expected


def test_rules_in_any_order_complete_a_temporal_correlation(tmp_path):
    one = detector(tmp_path, type="temporal", rules=["fail", "login"], **{"group-by": ["user"]})
    events = [("login", 1, "A"), ("fail", 2, "B"), ("fail", 3, "A"), ("login", 100, "B")]
    assert alerts(one, *(event(action, time, user=user) for action, time, user in events)) == [2]


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["fail", "login", "leave"], [2]),
        (["login", "fail", "leave"], []),
        (["fail", "leave", "login", "fail", "leave"], [4]),
    ],
)
def test_order_decides_an_ordered_correlation(tmp_path, actions, expected):
    one = detector(tmp_path, type="temporal_ordered", rules=["fail", "login", "leave"])
    assert alerts(one, *(event(action, number) for number, action in enumerate(actions))) == expected


def test_late_event_takes_its_place_by_its_time(tmp_path):
    one = detector(tmp_path, type="temporal_ordered", rules=["fail", "login", "leave"])
    assert alerts(one, event("login", 20), event("fail", 10), event("leave", 30)) == [2]


def test_expression_over_rules_decides_a_temporal_correlation(tmp_path):
    given = {"type": "temporal", "rules": ["fail", "login", "leave"], "condition": "fail and (login or leave)"}
    assert alerts(detector(tmp_path, **given), event("login", 1), event("leave", 2), event("fail", 3)) == [2]


def test_alias_joins_fields_of_different_names(tmp_path):
    one = detector(
        tmp_path,
        type="temporal",
        rules=["fail", "login"],
        aliases={"address": {"fail": "source", "login": "client"}},
        **{"group-by": ["address"]},
    )
    assert alerts(one, event("fail", 1, source="x"), event("login", 2, client="y"), event("login", 3, client="x")) == [
        2
    ]


def test_upper_bound_is_decided_when_the_timespan_has_passed(tmp_path):
    given = {"type": "event_count", "group-by": ["user"], "condition": {"lt": 2}}
    events = [
        event("fail", 0, user="A"),
        event("fail", 10, user="A"),
        event("fail", 20, user="B"),
        event("fail", 90, user="C"),
    ]
    assert alerts(detector(tmp_path, **given), *events) == [3, -1]


def test_correlation_of_a_correlation_is_found(tmp_path):
    documents = [
        *BASE,
        {
            "title": "Many",
            "name": "many",
            "correlation": {
                "type": "event_count",
                "rules": ["fail"],
                "group-by": ["user"],
                "timespan": "1m",
                "condition": {"gte": 2},
            },
        },
        {
            "title": "Then",
            "id": "correlated",
            "correlation": {
                "type": "temporal_ordered",
                "rules": ["many", "login"],
                "group-by": ["user"],
                "timespan": "5m",
            },
        },
    ]
    one = Detector(written(tmp_path, *documents))
    events = [event(action, number, user="A") for number, action in enumerate(["fail", "fail", "login"])]
    assert alerts(one, *events) == [2]


@pytest.mark.parametrize(("generate", "expected"), [(False, ["correlated"]), (True, ["rule-1", "correlated"])])
def test_rules_of_a_correlation_alert_by_themselves_only_when_it_says_so(tmp_path, generate, expected):
    one = detector(tmp_path, type="event_count", condition={"gte": 1}, generate=generate)
    assert [hit.rule.key for hit in one.detect(event("fail", 1))] == expected


def test_oldest_group_gives_way_when_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "MAX_GROUPS", 3)
    one = detector(tmp_path, type="event_count", **{"group-by": ["user"]}, condition={"gte": 2})
    events = [event("fail", number, user=user) for number, user in enumerate("ABCDAD")]
    assert alerts(one, *events) == [5]
    assert one.dropped == {"correlated": 2}


def test_hits_of_a_group_are_bounded(tmp_path):
    given = {"type": "value_sum", "timespan": "1d", "condition": {"field": "size", "gte": 1_001}}
    one = detector(tmp_path, **given)
    assert alerts(one, *(event("fail", number, size=1) for number in range(1_500))) == []


def test_hits_kept_by_all_groups_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "MAX_ENTRIES", 10)
    one = detector(tmp_path, type="event_count", timespan="1d", **{"group-by": ["user"]}, condition={"gte": 100})
    for number in range(100):
        one.detect(event("fail", number, user=number % 2))
    assert one.dropped["correlated"] > 0
