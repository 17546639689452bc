"""Types of the flow of fee notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

BOUNDS = (1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 5_000, 10_000)
"""The classes of the time of a simulation: milliseconds at most; the last one has no end."""


class FlowKind(StrEnum):
    """What is counted."""

    NOTE = "note"
    """A fee note was kept; the detail is its way (ra, pid)."""
    SIMULATION = "simulation"
    """A fee note was simulated; the detail is the class of its time (`BOUNDS`)."""
    REFUSAL = "refusal"
    """A rule refused or reduced something; the detail is its key."""


class Counted(NamedTuple):
    """What a count is of."""

    minute: datetime
    kind: FlowKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReport:
    """The flow until now: notes by minute of the last hour and by day, by way; simulations and refusals of a day.

    `p50_ms`, `p99_ms`: the time of a simulation that the half and 99 % of them did not exceed; None without any.
    """

    minutes: Mapping[str, Sequence[tuple[datetime, int]]]
    days: Mapping[str, Sequence[tuple[date, int]]]
    simulations: int
    p50_ms: int | None
    p99_ms: int | None
    refusals: Sequence[tuple[str, int]]
