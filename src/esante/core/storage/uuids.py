"""UUIDs as keys, ordered by time (RFC 9562, section 5.7): random keys would halve the insert rate."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils
from asyncpg.pgproto import pgproto

from esante.core.clock import moment_of_another_clock

NIL = UUID(int=0)
"""The key of "no person": entries of the platform itself are filed under it."""

_uuid: Callable[[bytes | str], UUID] = pgproto.UUID
"""asyncpg's UUIDs are equal to `uuid.UUID`, and created and written in a fraction of the time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7(at: datetime | None = None) -> UUID:
    """Return a new key; `at` (aware) sets its time instead of the clock, for history that is loaded later."""
    at = at or moment_of_another_clock()
    if at is None:
        return _uuid(uuid_utils.uuid7().bytes)
    nanoseconds = (at - _EPOCH) // timedelta(microseconds=1) * 1_000
    return _uuid(uuid_utils.uuid7(nanoseconds=nanoseconds).bytes)


def parse_uuid(text: str) -> UUID:
    """Parse 32 hexadecimal digits, with hyphens or without. Raises: ValueError for any other text."""
    return _uuid(text)


def uuid8(content: bytes) -> UUID:
    """Return a key that is derived from 16 bytes, for content-addressed things (RFC 9562, section 5.8)."""
    return UUID(int=int.from_bytes(content) & ~(0xF << 76) & ~(0x3 << 62) | (0x8 << 76) | (0x2 << 62))


def uuid7_time(key: UUID) -> datetime:
    """Return the time that a UUIDv7 carries: UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=key.int >> 80)


def uuid7_floor(at: datetime) -> UUID:
    """Return the smallest UUIDv7 of a moment: the bound for a range of keys by time."""
    return UUID(int=((at - _EPOCH) // timedelta(milliseconds=1)) << 80)
