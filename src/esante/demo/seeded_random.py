"""Chance that is the same everywhere: streams of random numbers by name, and keys drawn from them."""

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def stream(*name: object) -> random.Random:
    """Random numbers that depend on `name` alone: the same in every process and on every machine."""
    return random.Random("/".join(map(str, name)))  # noqa: S311 - synthetic people, no secrets


def key(chance: random.Random, at: datetime) -> UUID:
    """A key in the form of UUIDv7 (RFC 9562, section 5.7) of the moment `at`, its rest drawn from `chance`."""
    milliseconds = (at - _EPOCH) // _MILLISECOND
    drawn = chance.getrandbits(74)
    return UUID(int=milliseconds << 80 | 7 << 76 | (drawn >> 62) << 64 | 2 << 62 | drawn & (1 << 62) - 1)


def urn(chance: random.Random) -> str:
    """A random `urn:uuid:` (UUIDv4): the address of a resource inside a document."""
    hexa = f"{chance.getrandbits(128):032x}"
    return f"urn:uuid:{hexa[:8]}-{hexa[8:12]}-4{hexa[13:16]}-a{hexa[17:20]}-{hexa[20:]}"


def one(chance: random.Random, weights: dict[str, int] | dict[str, float]) -> str:
    """One of the names, by their weights."""
    return chance.choices(list(weights), list(weights.values()))[0]


def moment(chance: random.Random, day: date, hours: tuple[int, int] = (7, 19)) -> datetime:
    """A moment of a day within working hours, to the second."""
    second = chance.randrange(hours[0] * 3600, hours[1] * 3600)
    return datetime.combine(day, time(), UTC) + timedelta(seconds=second)


def day_between(chance: random.Random, first: date, last: date) -> date:
    """A day from `first` to `last`, both included; `first` when the period is empty."""
    return first + timedelta(days=chance.randint(0, max(0, (last - first).days)))


def years_before(day: date, years: float) -> date:
    """The day so many years (of 365.25 days) before another."""
    return day - timedelta(days=round(years * 365.25))


def age_on(birth: date, day: date) -> int:
    """Completed years of age on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def apart(chance: random.Random, first: date, last: date, days: int) -> Iterable[date]:
    """Days about `days` apart, from some time after `first` until `last`."""
    day = first + timedelta(days=chance.randrange(max(1, days)))
    while day <= last:
        yield day
        day += timedelta(days=max(1, round(days * chance.uniform(0.75, 1.25))))
