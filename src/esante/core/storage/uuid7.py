"""Time-ordered keys (RFC 9562, section 5.7): random keys would halve the insert rate."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils
from asyncpg.pgproto import pgproto

NIL = UUID(int=0)
"""The key of "no person": entries of the platform itself are filed under it."""

_key: Callable[[bytes | str], UUID] = pgproto.UUID
"""asyncpg's keys are equal to `uuid.UUID`, made and written in a fraction of the time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7(at: datetime | None = None) -> UUID:
    """A new key; `at` (aware) sets its time instead of the clock, for history that is loaded later."""
    if at is None:
        return _key(uuid_utils.uuid7().bytes)
    nanoseconds = (at - _EPOCH) // timedelta(microseconds=1) * 1_000
    return _key(uuid_utils.uuid7(nanoseconds=nanoseconds).bytes)


def key_of(text: str) -> UUID:
    """The key that 32 hexadecimal digits are, with hyphens or without. ValueError for anything else."""
    return _key(text)


def uuid8(content: bytes) -> UUID:
    """A key made of 16 bytes, for things that are known by what they are (RFC 9562, section 5.8)."""
    return UUID(int=int.from_bytes(content) & ~(0xF << 76) & ~(0x3 << 62) | (0x8 << 76) | (0x2 << 62))


def time_of(key: UUID) -> datetime:
    """The time a key carries: UTC, milliseconds."""
    return _EPOCH + timedelta(milliseconds=key.int >> 80)


def uuid7_floor(at: datetime) -> UUID:
    """The smallest key of a moment: the bound for a range of keys by time."""
    return UUID(int=((at - _EPOCH) // timedelta(milliseconds=1)) << 80)
