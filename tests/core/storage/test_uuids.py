"""Keys: ordered by time, parsed as asyncpg returns them, derived from content."""

import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import parse_uuid, uuid7, uuid7_floor, uuid7_time, uuid8

MOMENTS = st.integers(86_400_000_000, 7_258_118_400_000_000).map(
    lambda us: datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us)
)


@given(MOMENTS)
def test_key_of_a_moment_carries_its_millisecond_and_is_not_below_its_floor(at):
    key = uuid7(at)
    assert (key.version, key.variant) == (7, uuid.RFC_4122)
    assert uuid7_time(key) == at.replace(microsecond=at.microsecond // 1_000 * 1_000)
    assert uuid7_floor(at) <= key < uuid7_floor(at + timedelta(milliseconds=1))


def test_keys_of_the_clock_are_ordered_and_different():
    keys = [uuid7() for _ in range(1_000)]
    assert keys == sorted(set(keys))
    assert abs(uuid7_time(keys[-1]) - datetime.now(UTC)) < timedelta(seconds=10)


@given(st.binary(min_size=16, max_size=16))
def test_key_of_content_keeps_all_other_bits(content):
    key = uuid8(content)
    assert (key.version, key.variant) == (8, uuid.RFC_4122)
    fixed = 0xF << 76 | 0x3 << 62
    assert key.int & ~fixed == int.from_bytes(content) & ~fixed


def test_text_is_parsed_with_and_without_hyphens():
    key = UUID("0190a0f0-0000-7000-8000-000000000001")
    assert parse_uuid(str(key)) == parse_uuid(key.hex) == key


@pytest.mark.parametrize(
    "text", ["", "x", "0190a0f0-0000-7000-8000-00000000000", "0190a0f0-0000-7000-8000-00000000000g"]
)
def test_other_text_raises_value_error(text):
    with pytest.raises(ValueError, match="UUID"):
        parse_uuid(text)
