"""Reproducible random numbers: named streams, and keys, times and days drawn from them."""

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def random_stream(*name: object) -> random.Random:
    """Return a generator that depends on `name` alone: the same in every process and on every machine."""
    return random.Random("/".join(map(str, name)))  # noqa: S311 - synthetic people, no secrets


def draw_uuid7(rng: random.Random, at: datetime) -> UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7) of the moment `at`, its random bits drawn from `rng`."""
    milliseconds = (at - _EPOCH) // _MILLISECOND
    bits = rng.getrandbits(74)
    return UUID(int=milliseconds << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1)


def draw_urn(rng: random.Random) -> str:
    """Return a `urn:uuid:` in the form of UUIDv4: the address of a resource inside a document."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def draw_weighted(rng: random.Random, weights: dict[str, int] | dict[str, float]) -> str:
    """Return one of the names, by their weights."""
    return rng.choices(list(weights), list(weights.values()))[0]


def draw_moment(rng: random.Random, day: date, hours: tuple[int, int] = (7, 19)) -> datetime:
    """Return a moment of a day between two `hours` (UTC), to the second."""
    second = rng.randrange(hours[0] * 3600, hours[1] * 3600)
    return datetime.combine(day, time(), UTC) + timedelta(seconds=second)


def draw_day(rng: random.Random, first: date, last: date) -> date:
    """Return a day from `first` to `last`, both included; `first` when the period is empty."""
    return first + timedelta(days=rng.randint(0, max(0, (last - first).days)))


def years_before(day: date, years: float) -> date:
    """Return the day that many years (of 365.25 days) before another."""
    return day - timedelta(days=round(years * 365.25))


def age_on(birth: date, day: date) -> int:
    """Return the completed years of age on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def spaced_days(rng: random.Random, first: date, last: date, days: int) -> Iterable[date]:
    """Yield days about `days` apart, the first within `days` of `first`, until `last`."""
    day = first + timedelta(days=rng.randrange(max(1, days)))
    while day <= last:
        yield day
        day += timedelta(days=max(1, round(days * rng.uniform(0.75, 1.25))))
