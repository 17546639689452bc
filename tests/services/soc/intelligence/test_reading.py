"""What is read of MISP, STIX and events, and in which form."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.soc.intelligence.lifetimes import bounds
from esante.services.soc.intelligence.misp import read_misp
from esante.services.soc.intelligence.model import NotRead, Tlp
from esante.services.soc.intelligence.observables import (
    guess_observable,
    observables_of,
)
from esante.services.soc.intelligence.stix import read_stix
from tests.support.soc_indicators import SHA, STAMP, attribute, bundle, indicator


def test_misp_attributes_become_indicators_with_tlp_confidence_and_end():
    event = {
        "info": "Phishing",
        "Tag": [{"name": "tlp:amber+strict"}, {"name": 'misp:confidence-level="usually-confident"'}],
        "Attribute": [
            attribute("198.51.100.7"),
            attribute("evil.example.org|198.51.100.8", "domain|ip"),
            attribute(f"invoice.exe|{SHA}", "filename|sha256"),
            attribute("hxxp://no", "comment"),
            attribute("203.0.113.9", to_ids=False),
            attribute("not an address"),
            "broken",
        ],
        "Object": [{"Attribute": [attribute("Bad@Evil.Example.org", "email-src")]}],
    }
    for one in event["Attribute"][:-1] + event["Object"][0]["Attribute"]:
        del one["Event"]
    reading = read_misp(json.dumps({"response": [{"Event": event}]}).encode())
    values = {(one.kind, one.value) for one in reading.indicators}
    assert values == {
        ("ip", "198.51.100.7"),
        ("domain", "evil.example.org"),
        ("ip", "198.51.100.8"),
        ("hash", SHA),
        ("email", "bad@evil.example.org"),
    }
    assert sum(reading.skipped.values()) == 4 and len(reading.skipped) == 4
    first = reading.indicators[0]
    assert (first.tlp, first.confidence, first.title) == (Tlp.AMBER_STRICT, 75, "Phishing")
    assert first.valid_until - datetime.fromtimestamp(STAMP, UTC) == timedelta(days=bounds()["lifetime_days"]["ip"])
    assert reading.marker == str(STAMP)


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("[ipv4-addr:value = '198.51.100.1']", {"198.51.100.1"}),
        ("[ipv4-addr:value = '198.51.100.0/24']", {"198.51.100.0/24"}),
        (
            "[domain-name:value = 'A.Example.org' OR url:value = 'http://a.example.org/x#f']",
            {"a.example.org", "http://a.example.org/x"},
        ),
        (f"[file:hashes.'SHA-256' = '{SHA}'] OR [file:hashes.MD5 = '{'b' * 32}']", {SHA, "b" * 32}),
        ("[ipv4-addr:value = '198.51.100.1' AND domain-name:value = 'a.example.org']", set()),
        ("[ipv4-addr:value = '198.51.100.1'] FOLLOWEDBY [domain-name:value = 'a.example.org']", set()),
        ("[ipv4-addr:value = '198.51.100.1'] REPEATS 5 TIMES", set()),
        ("[domain-name:value LIKE '%.example.org']", set()),
        ("[domain-name:value = 'and.example.org']", {"and.example.org"}),
        ("[process:name = 'x.exe']", set()),
        ("[ipv4-addr:value = ", set()),
    ],
)
def test_stix_pattern_of_single_values_is_taken_and_any_other_is_counted(pattern, values):
    reading = read_stix(bundle(indicator(pattern)))
    assert {one.value for one in reading.indicators} == values
    assert bool(reading.skipped) == (not values)


def test_stix_indicator_keeps_validity_tlp_and_revocation():
    marking = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
    given = indicator(
        "[url:value = 'https://x.example.org/']",
        valid_until="2026-12-24T00:00:00Z",
        confidence=90,
        object_marking_refs=[marking],
        revoked=True,
    )
    (one,) = read_stix(bundle(given)).indicators
    assert (one.tlp, one.confidence, one.revoked) == (Tlp.AMBER_STRICT, 90, True)
    assert one.valid_until == datetime(2026, 12, 24, tzinfo=UTC)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["response", "Event", "Attribute", "Object", "objects", "type", "info", "Tag"]), x
            )
        ),
    ).map(lambda v: json.dumps(v).encode())
)
def test_hostile_file_is_refused_or_counted(content):
    for read in (read_misp, read_stix):
        try:
            reading = read(content)
        except NotRead:
            continue
        assert reading.indicators == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hxxps://Evil[.]Example.org:443/A?b#c", ("url", "https://evil.example.org/A?b")),
        ("::ffff:198.51.100.1", ("ip", "198.51.100.1")),
        ("2001:DB8::0001", ("ip", "2001:db8::1")),
        ("Bücher.example", ("domain", "xn--bcher-kva.example")),
        ("EVIL.example.", ("domain", "evil.example")),
        ("D41D8CD98F00B204E9800998ECF8427E", ("hash", "d41d8cd98f00b204e9800998ecf8427e")),
        ("a b", None),
        ("x" * 5000, None),
    ],
)
def test_observable_has_one_form(text, expected):
    found = guess_observable(text)
    assert (tuple(found) if found else None) == expected


def test_event_gives_its_observables_and_not_those_of_its_original():
    event = {
        "src_endpoint": {"ip": "10.0.0.1"},
        "file": {"hashes": [{"value": SHA.upper()}]},
        "http_request": {"url": {"url_string": "http://a.example.org/x"}},
        "email": {"to": ["x@b.example.org"]},
        "unmapped": {"Hashes": f"MD5={'c' * 32},IMPHASH={'d' * 32}"},
        "raw_data": "203.0.113.1",
        "deep": None,
    }
    values = {one.value for one in observables_of(event)}
    assert values == {"10.0.0.1", SHA, "http://a.example.org/x", "a.example.org", "x@b.example.org", "c" * 32}
