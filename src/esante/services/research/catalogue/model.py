"""Types of the catalogue, and its journal event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_
from esante.services.research.datasets.model import Dataset, DatasetTable


class Level(StrEnum):
    """How well a criterion of the label is met."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


LEVEL_NAMES: Mapping[str, str] = {
    Level.HIGH: P_("quality", "High"),
    Level.MEDIUM: P_("quality", "Medium"),
    Level.LOW: P_("quality", "Low"),
}
CRITERION_NAMES: Mapping[str, str] = {
    "completeness": N_("Completeness: how much of the columns is filled"),
    "coverage": N_("Coverage: of how many people there is something"),
    "coding": N_("Coding: how many codes name their system"),
    "timeliness": N_("Timeliness: how old the newest data are"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFigures:
    """Exact counts of a table, which are never shown: see `rules.published`.

    `filled`: rows in which each column has a value. `months`: rows by month ("2026-11"), of tables that have one.
    """

    persons: int = 0
    rows: int = 0
    filled: Mapping[str, int] = field(default_factory=dict)
    months: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The figures of all tables, by "dataset.table".

    `place`: after which person the next step begins; None once it has ended. `persons`: those whose data may be used.
    """

    measurement_id: UUID
    started_at: datetime
    ended_at: datetime | None
    place: UUID | None
    persons_done: int
    persons_total: int
    persons: int
    figures: Mapping[str, TableFigures]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTable:
    """What is shown of a table: rounded counts (None: fewer than the rule allows), shares in per cent.

    `years`: rows by year, the oldest first.
    """

    table: DatasetTable
    rows: int | None
    persons: int | None
    filled: Mapping[str, int | None]
    years: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion of the label: `value` as a share or months, None where it does not apply or too little is known."""

    name: str
    value: float | None
    level: Level | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A dataset in the catalogue; `measured_at` None: its figures are not known yet, nor is its `level`.

    `first_day` and `last_day`: the years with data.
    """

    dataset: Dataset
    measured_at: datetime | None = None
    rows: int | None = None
    persons: int | None = None
    coverage: int | None = None
    first_day: date | None = None
    last_day: date | None = None
    tables: Sequence[PublishedTable] = ()
    criteria: Sequence[Criterion] = ()
    level: Level | None = None


@event("research.catalogue_measured")
class CatalogueMeasured(Event, frozen=True, kw_only=True):
    """The datasets were counted for the catalogue, over so many persons whose data may be used."""

    measurement_id: UUID
    persons: int
