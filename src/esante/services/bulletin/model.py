"""Indicators, cells, vintages, releases and journal events of the bulletin. No I/O."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from esante.core.journal import Event, event

LANGUAGES = ("fr", "de", "en", "lb")
LATE_EVENTS = "late-events"
"""The reason of a revision that a build makes by itself: events arrived after the figures were public."""

SeriesKey = tuple[str, str, str]
"""What a series of cells over the months is named by: indicator, breakdown ("" for totals), category."""


class BulletinRefused(RuntimeError):
    """A build or release that may not be carried out; the message says why and what to do."""


class IndicatorKind(StrEnum):
    """What the value of a month is."""

    FLOW = "flow"
    """The number of events of the month."""
    STOCK = "stock"
    """The number at the end of the month."""
    SHARE = "share"
    """One published value in per cent of another."""
    DURATION = "duration"
    """A median."""


class Aggregation(StrEnum):
    """How the rows that an indicator's SQL selects become a value (the key `measure` of indicators.toml)."""

    ROWS = "rows"
    """The number of rows: the categories of a breakdown add up to the total."""
    UNITS = "units"
    """The number of different values of `unit`."""
    SUM = "sum"
    """The sum of `amount`."""
    MEDIAN = "median"
    """The lower median of `amount`, an integer."""
    SHARE = "share"
    """The share of one indicator in another (`of`); no rows."""
    NONE = "none"
    """No source yet: the indicator is declared and its cells are missing."""


class Protection(StrEnum):
    """The method of statistical disclosure control for an indicator."""

    NONE = "none"
    PERTURB = "perturb"
    """Cell-key perturbation: noise that is the same for the same people in every table, month and vintage."""
    SUPPRESS = "suppress"
    """Primary suppression of small and dominated cells, and secondary suppression so that they cannot be computed."""


class CellFlag(StrEnum):
    """The observation status of a cell beside its value."""

    PLAIN = ""
    SUPPRESSED = "suppressed"
    PERTURBED = "perturbed"
    MISSING = "missing"


class VintageStatus(StrEnum):
    """Whether the figures of a month may still change."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    REVISED = "revised"


class ReleaseState(StrEnum):
    """The state of a vintage before its release; states follow in this order and never go back."""

    BUILT = "built"
    PREVIEWED = "previewed"
    APPROVED = "approved"
    RELEASED = "released"


class Indicator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A declared statistical indicator (a row `[[indicator]]` of data/indicators.toml).

    `sql` is one statement over `events` (the events of the month) or `subjects` (the state of every record at its
    end): it selects `unit`, a column named after each of `breakdowns`, for sums and medians `amount`, and with
    `establishments` also `organization`. `since` empty: there is no source yet.
    """

    id: str
    position: int = 1_000
    """The position among all indicators, ascending."""
    unit: str
    kind: IndicatorKind
    measure: Aggregation
    protection: Protection
    titles: Mapping[str, str]
    definitions: Mapping[str, str]
    source_events: tuple[str, ...] = ()
    breakdowns: tuple[str, ...] = ()
    since: str = ""
    method: int = 1
    sql: str = ""
    of: tuple[str, ...] = ()
    """Of a share: the ids of numerator and denominator."""
    establishments: bool = False
    """Whether cells that one establishment dominates must be suppressed."""


class Breakdown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dimension by which indicators are broken down (`titles` in four languages)."""

    id: str
    titles: Mapping[str, str]


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """A published value: `breakdown` names the dimension ("" for the total), `value_of` the category."""

    indicator: str
    period: str
    breakdown: str = ""
    value_of: str = ""
    value: int | float | None = None
    flag: CellFlag = CellFlag.PLAIN

    @property
    def series_key(self) -> SeriesKey:
        """Indicator, breakdown and category: the identity of the cell within its month."""
        return self.indicator, self.breakdown, self.value_of


class ProtectedCell(NamedTuple):
    """A cell with what is never published: its exact value, and the least width of an intruder's interval (0: any)."""

    cell: Cell
    exact: float | None
    required_width: float = 0.0


class Vintage(msgspec.Struct, frozen=True, kw_only=True):
    """The protected cells of a month as computed at `as_of` (UTC); never changed, only followed by another vintage."""

    period: str
    number: int
    as_of: datetime
    status: VintageStatus
    method: int
    reason: str
    cells: tuple[Cell, ...]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a vintage before its release, and who built and released it."""

    period: str
    number: int
    state: ReleaseState
    embargo_until: datetime | None = None
    built_by: str = ""
    released_by: str = ""
    released_at: datetime | None = None


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A published cell and its value in a later vintage of the month."""

    before: Cell
    after: Cell
    number: int
    """The number of the later vintage."""
    reason: str = ""


class DataAnomaly(msgspec.Struct, frozen=True, kw_only=True):
    """Something unusual in the data of a month; a `serious` anomaly must be acknowledged before the release."""

    period: str
    code: str
    subject: str
    """The event type, the event type and day (`record.read 2026-10-07`), or the indicator that it is about."""
    found: float
    expected: float | None = None
    serious: bool = True
    acknowledged_by: str = ""
    note: str = ""


class BulletinIssue(msgspec.Struct, frozen=True, kw_only=True):
    """All that an issue of the bulletin shows: protected cells only."""

    vintage: Vintage
    history: tuple[Vintage, ...]
    """The months before, oldest first, each in the latest vintage at that time."""
    revisions: tuple[Revision, ...]
    anomalies: tuple[DataAnomaly, ...]
    released_at: datetime | None


@event("platform.observed")
class PlatformObserved(Event, frozen=True, kw_only=True):
    """Metrics of one process over the last hour: `p95_ms` is the 95th percentile of the response time in ms."""

    requests: int
    errors: int
    p95_ms: int
    seconds_up: int


@event("bulletin.changed")
class BulletinChanged(Event, frozen=True, kw_only=True):
    """A vintage was built, previewed, approved or released; `digest` is the SHA-256 (hex) of its cells."""

    period: str
    number: int
    state: str
    digest: str = ""
    reason: str = ""
    embargo_until: datetime | None = None


@event("bulletin.acknowledged")
class AnomalyAcknowledged(Event, frozen=True, kw_only=True):
    """A person has examined an anomaly and takes responsibility for it; `note` says what was found out."""

    period: str
    number: int
    code: str
    subject: str
    note: str
