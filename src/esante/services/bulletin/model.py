"""The types of the bulletin: what is counted, the cells it gives, their vintages and their release. No I/O."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from esante.core.journal import Event, event

LANGUAGES = ("fr", "de", "en", "lb")
LATE_EVENTS = "late-events"
"""The reason of a revision that nobody asked for: events came after the figures were public."""


class IndicatorKind(StrEnum):
    """What the figure of a month is."""

    FLOW = "flow"
    """What happened in the month."""
    STOCK = "stock"
    """What there was at the end of the month."""
    SHARE = "share"
    """One figure as per cent of another, both as published."""
    DURATION = "duration"
    """A median."""


class Measure(StrEnum):
    """How a figure is made from the rows that the indicator's SQL selects."""

    ROWS = "rows"
    """Each row counts one: parts of a breakdown add up to the total."""
    UNITS = "units"
    """Each different `unit` counts one, however many rows it has."""
    SUM = "sum"
    """The sum of `amount`."""
    MEDIAN = "median"
    """The median of `amount`, a whole number (of an even count the lower one)."""
    SHARE = "share"
    """Made from two other indicators (`of`), not from rows."""
    NONE = "none"
    """There is no source yet: the indicator is declared, and its cells are missing."""


class Protection(StrEnum):
    """How small numbers are kept from telling of somebody."""

    NONE = "none"
    PERTURB = "perturb"
    """Counts of people: a small noise that is the same for the same people in every table, month and vintage."""
    SUPPRESS = "suppress"
    """Exact numbers; a small one is hidden, and others with it so that it cannot be worked out."""


class Flag(StrEnum):
    """What is to be known of a cell beside its value."""

    PLAIN = ""
    SUPPRESSED = "suppressed"
    PERTURBED = "perturbed"
    MISSING = "missing"


class VintageStatus(StrEnum):
    """How settled the figures of a month are."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    REVISED = "revised"


class ReleaseState(StrEnum):
    """The way of a vintage to the public; it goes down this list and never back."""

    BUILT = "built"
    PREVIEWED = "previewed"
    APPROVED = "approved"
    RELEASED = "released"


class Indicator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A declared figure (a row of data/indicators.toml).

    `sql` is one line over `events` (the events of the month) or `subjects` (the state of every record at its
    end): it selects `unit`, a column named after each of `breakdowns`, for sums and medians `amount`, and with
    `establishments` also `organization`. `since` empty: there is no source yet.
    """

    id: str
    position: int = 1_000
    """The place among all indicators."""
    unit: str
    kind: IndicatorKind
    measure: Measure
    protection: Protection
    titles: Mapping[str, str]
    definitions: Mapping[str, str]
    source_events: tuple[str, ...] = ()
    breakdowns: tuple[str, ...] = ()
    since: str = ""
    method: int = 1
    sql: str = ""
    of: tuple[str, ...] = ()
    """Of a share: the part and the whole."""
    establishments: bool = False
    """No cell may show what one establishment does."""


class Breakdown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What figures are broken down by (`titles` in four languages)."""

    id: str
    titles: Mapping[str, str]


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """One figure: `breakdown` names what it is broken down by ("" for the total), `value_of` the part."""

    indicator: str
    period: str
    breakdown: str = ""
    value_of: str = ""
    value: int | float | None = None
    flag: Flag = Flag.PLAIN

    @property
    def place(self) -> tuple[str, str, str]:
        """Which figure of its month this is."""
        return self.indicator, self.breakdown, self.value_of


class Guarded(NamedTuple):
    """A cell with what must not leave the room: its exact value, and how wide an attacker's interval must be."""

    cell: Cell
    exact: float | None
    need: float = 0.0


class Vintage(msgspec.Struct, frozen=True, kw_only=True):
    """The protected figures of a month as they were at a moment; never changed, only followed by another."""

    period: str
    number: int
    as_of: datetime
    status: VintageStatus
    method: int
    reason: str
    cells: tuple[Cell, ...]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """How far a vintage is on its way to the public, and by whom."""

    period: str
    number: int
    state: ReleaseState
    embargo_until: datetime | None = None
    built_by: str = ""
    released_by: str = ""
    released_at: datetime | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A published cell that a later vintage of its month changed."""

    before: Cell
    after: Cell
    number: int
    """Of the later vintage."""
    reason: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something unusual in the data of a month; `serious` ones must be acknowledged before the release."""

    period: str
    code: str
    subject: str
    """What it is about: an event type, a day (`2026-10-07`), or an indicator."""
    found: float
    expected: float | None = None
    serious: bool = True
    acknowledged_by: str = ""
    note: str = ""


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """All that an issue of the bulletin shows: protected figures only, pure data."""

    vintage: Vintage
    history: tuple[Vintage, ...]
    """The months before, oldest first, each in the vintage that was the latest at `as_of`."""
    changes: tuple[Change, ...]
    quality: tuple[Finding, ...]
    released_at: datetime | None


@event("platform.observed")
class PlatformObserved(Event, frozen=True, kw_only=True):
    """What a process of the platform saw of itself in the last hour: `p95_ms` of its answers, 5xx among them."""

    requests: int
    errors: int
    p95_ms: int
    seconds_up: int


@event("bulletin.changed")
class BulletinChanged(Event, frozen=True, kw_only=True):
    """A vintage was built, previewed, approved or released; `digest` names its published figures."""

    period: str
    number: int
    state: str
    digest: str = ""
    reason: str = ""
    embargo_until: datetime | None = None


@event("bulletin.acknowledged")
class FindingAcknowledged(Event, frozen=True, kw_only=True):
    """Somebody looked at a finding about the data and answers for it."""

    period: str
    number: int
    code: str
    subject: str
    note: str
