"""Projections as an issue told them, kept at its release, and how they did when the months came."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from esante.core.storage import Database, Row
from esante.services.bulletin.analysis.forecasts import Frozen, Point, truth
from esante.services.bulletin.analysis.objectives import contract, projected
from esante.services.bulletin.publication.model import Paper, shift
from esante.services.bulletin.releases.published import Shelf
from esante.services.bulletin.store import PROJECTION


@dataclass(frozen=True, slots=True)
class Tried:
    """A projected month that has come: what was said in the issue of `period`, and what it became."""

    period: str
    month: str
    indicator: str
    point: Point
    actual: float
    in80: bool
    in95: bool


def frozen_of(paper: Paper) -> list[Frozen]:
    """What an issue projects of every indicator that has an objective."""
    caps = {objective.indicator: objective.cap for objective in contract().objective}
    found = []
    for indicator, cap in caps.items():
        made = projected(paper, indicator, cap)
        found.append(Frozen(paper.period, indicator, made.model, made.points, made.method))
    return found


def tried(frozen: Iterable[Frozen], shelf: Shelf) -> Iterator[Tried]:
    """Every projected month that is released by now, beside its latest figure."""
    for one in frozen:
        for point in one.points:
            month = shift(one.period, point.step)
            came = shelf.find(month)
            cell = came.cells.get((one.indicator, "", "")) if came else None
            if cell is not None and cell.value is not None:
                told = truth(point, cell.value)
                yield Tried(
                    one.period, month, one.indicator, point, cell.value, bool(told["in80"]), bool(told["in95"])
                )


def rows(frozen: Iterable[Frozen]) -> list[Row]:
    """The rows that keep projections; those that are kept already stay."""
    return [
        (PROJECTION, (one.period, one.indicator, one.model, one.method, msgspec.json.encode(one.points).decode()))
        for one in frozen
    ]


async def months(db: Database) -> set[str]:
    """The months whose issues' projections are kept."""
    return {row["period"] for row in await db.fetch("SELECT DISTINCT period FROM bulletin_projection")}


async def every(db: Database) -> list[Frozen]:
    """All that is kept, by month."""
    found = await db.fetch("SELECT * FROM bulletin_projection ORDER BY period, indicator")
    return [
        Frozen(
            row["period"],
            row["indicator"],
            row["model"],
            msgspec.json.decode(row["points"], type=tuple[Point, ...]),
            row["method"],
        )
        for row in found
    ]
