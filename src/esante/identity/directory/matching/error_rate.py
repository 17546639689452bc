"""The measured error rate of the weights (`data/match_error_rate.toml`, by `python -m bench match`)."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache

from esante.core.dated_data import packaged_text


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What would be true if all pairs from `bits` points on were taken for one person."""

    bits: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """A measurement over a generated population: its size, what was certain, and the curve by points."""

    measured: date
    weights_from: date
    entries: int
    duplicates: int
    certain: int
    certain_of_two_persons: int
    curve: tuple[CurvePoint, ...]


@cache
def error_rate() -> ErrorRate:
    """Return the published measurement."""
    values = tomllib.loads(packaged_text("esante.identity.directory", "match_error_rate.toml"))
    points = tuple(CurvePoint(**point) for point in values.pop("curve"))
    return ErrorRate(**values, curve=points)
