"""Heartbeats of a site that lies, or is broken."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.healthnet.supervision.readings import read_heartbeat

AT = datetime(2027, 3, 10, tzinfo=UTC)
KNOWN = {"S1", "S2", "S3"}


def read(content):
    return read_heartbeat("S1", AT, "1", orjson.dumps(content), KNOWN)


def test_heartbeat_is_read():
    reading = read(
        {
            "release": 3,
            "certificate_not_after": "2027-03-17T00:00:00+00:00",
            "paths": [
                {"site": "S2", "latency_ms": 12.5, "loss": 1, "handshake_age_s": 5, "rx_bytes": 7, "tx_bytes": 9}
            ],
        }
    )
    assert reading.paths == (("S2", 12.5, 0.01, 5.0, 7, 9),)
    assert (reading.release, reading.certificate_until) == (3, datetime(2027, 3, 17, tzinfo=UTC))


def test_tunnels_of_two_keys_are_one_path():
    one = {"site": "S2", "latency_ms": None, "handshake_age_s": 90, "rx_bytes": 7, "tx_bytes": 1}
    other = {"site": "S2", "latency_ms": 8.0, "handshake_age_s": 3, "rx_bytes": 1, "tx_bytes": 2}
    assert read({"paths": [one, other]}).paths == (("S2", 8.0, None, 3.0, 8, 3),)


@pytest.mark.parametrize(
    "said",
    [
        {"site": "S1"},
        {"site": "S9", "latency_ms": 3},
        {"site": 7},
        {"site": ["S2"]},
        {"latency_ms": 3},
        "S2",
        None,
    ],
)
def test_path_to_itself_or_to_nobody_is_left_out(said):
    assert read({"paths": [said]}).paths == ()


@pytest.mark.parametrize("value", [-1, 1e9, "7", True, [], 1.5e308])
def test_measure_that_cannot_be_is_not_known(value):
    said = {"site": "S2", "latency_ms": value, "loss": value, "rx_bytes": value if value != 1e9 else -5}
    assert read({"paths": [said]}).paths == (("S2", None, None, None, None, None),)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(-(2**63), 2**63),
        lambda deep: (
            st.lists(deep)
            | st.dictionaries(
                st.sampled_from(
                    ["site", "paths", "loss", "latency_ms", "rx_bytes", "release", "certificate_not_after", "S2"]
                ),
                deep,
            )
        ),
    )
)
def test_anything_is_read(content):
    reading = read(content)
    for one in reading.paths:
        assert one.other in KNOWN - {"S1"}
        assert one.loss is None or 0 <= one.loss <= 1


def test_content_that_is_no_json_is_an_empty_heartbeat():
    assert read_heartbeat("S1", AT, "1", b"\xff{", KNOWN).paths == ()
