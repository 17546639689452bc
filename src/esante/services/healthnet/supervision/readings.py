"""Heartbeats of agents (`controller.heartbeats`) as readings: of what a site says only what is possible counts."""

import math
from collections.abc import Container
from datetime import UTC, datetime
from typing import Any

import orjson

from esante.services.healthnet.supervision.model import PathReading, Reading

LONGEST = 60_000.0
"""Milliseconds of a latency that is believed."""
_MOST = 1 << 60


def read_heartbeat(site: str, at: datetime, version: str, content: bytes, known: Container[str]) -> Reading:
    """Return what a heartbeat says. Paths to sites that are not known, and values that cannot be, are left out."""
    try:
        said = orjson.loads(content)
    except orjson.JSONDecodeError:
        said = {}
    if type(said) is not dict:
        said = {}
    paths: dict[str, PathReading] = {}
    listed = said.get("paths")
    for one in listed if type(listed) is list else ():
        if type(one) is dict and (other := one.get("site")) != site and type(other) is str and other in known:
            found = _path(other, one)
            paths[other] = _joined(paths[other], found) if other in paths else found
    return Reading(
        site=site,
        at=at,
        version=version[:20],
        release=_whole(said.get("release")),
        certificate_until=_moment(said.get("certificate_not_after")),
        paths=tuple(paths.values()),
    )


def _path(other: str, said: dict[str, Any]) -> PathReading:
    loss = _number(said.get("loss"), 100.0)
    return PathReading(
        other,
        _number(said.get("latency_ms"), LONGEST),
        None if loss is None else loss / 100,
        _number(said.get("handshake_age_s"), 1e9),
        _whole(said.get("rx_bytes")),
        _whole(said.get("tx_bytes")),
    )


def _joined(one: PathReading, other: PathReading) -> PathReading:
    """Return two tunnels of a path as one: during a rotation of keys there are several."""
    ages = [age for age in (one.handshake_age, other.handshake_age) if age is not None]
    return PathReading(
        one.other,
        other.latency if one.latency is None else one.latency,
        other.loss if one.loss is None else one.loss,
        min(ages) if ages else None,
        _sum(one.received, other.received),
        _sum(one.sent, other.sent),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else one + other


def _number(value: Any, most: float) -> float | None:
    if type(value) not in (int, float) or not 0 <= value <= most or not math.isfinite(value):
        return None
    return float(value)


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _MOST else None


def _moment(value: Any) -> datetime | None:
    """Return a moment that is written as ISO 8601 or in seconds since the epoch."""
    try:
        if type(value) in (int, float):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(value) if type(value) is str else None
    except (ValueError, OverflowError, OSError):
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
