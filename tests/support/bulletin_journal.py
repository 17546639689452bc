"""A journal with invented use, and the bulletin over it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from esante.core.disclosure import StatisticsKey
from esante.core.journal import Actor, Event, Journal
from esante.core.storage import NIL, Objects
from esante.demo.history.journal_history import ORIGIN, JournalHistory
from esante.services.bulletin import Bulletin, IndicatorSpecification, shift_month
from esante.services.record import DepositedEvent

NOW = datetime.now(UTC)
HistoricEvent = tuple[Event, UUID | None, Actor, datetime]
"""An event of the past: its content, the person it is about, who acted, and when."""


def month_back(count: int) -> str:
    """Return the month so many months before this one."""
    return shift_month(f"{NOW:%Y-%m}", -count)


LAST = month_back(1)


def open_bulletin(journal: Journal, folder: Path) -> Bulletin:
    """Open a bulletin with a key and a scratch folder of its own."""
    objects = Objects.open("", folder)
    return Bulletin.open(journal.db, objects, journal, StatisticsKey.open(folder / "bulletin.key"), folder / "scratch")


async def load_entries(journal: Journal, events: Sequence[HistoricEvent]) -> None:
    """Load events of the past into the journal, sealed."""
    rows = [
        row
        for event, person, actor, at in sorted(events, key=lambda one: one[3].astimezone(UTC))
        for row in journal.rows(event, person_id=person or NIL, actor=actor, origin=ORIGIN, at=at)
    ]
    await journal.sealer.load_history(rows)


async def load_past(journal: Journal, months: int, seed: int = 7, size: float = 0.2) -> None:
    """Load the invented use of some months into a journal."""
    await journal.ensure_months(NOW - timedelta(days=31 * (months + 2)), NOW + timedelta(days=40))
    for events in JournalHistory(seed, NOW, months, size).months():
        await load_entries(journal, events)


async def load_late_deposits(journal: Journal, count: int) -> None:
    """Load deposits of the last month that are sealed now."""
    year, month = map(int, LAST.split("-"))
    at = NOW.replace(year=year, month=month, day=15, hour=12)
    event = DepositedEvent(type="51852-2", media_type="text/plain", categories=("letter",), delay=1)
    actor = Actor(kind="practitioner", role="doctor")
    await load_entries(journal, [(event, None, actor, at + timedelta(minutes=n)) for n in range(count)])


async def acknowledge_all(bulletin: Bulletin, month: str = LAST, by: str = "anna") -> None:
    """Preview the issue of a month and acknowledge every anomaly that would be released with it."""
    await bulletin.preview(month, by)
    for anomaly in await bulletin.fetch_anomalies(month):
        await bulletin.acknowledge(anomaly.period, anomaly.code, anomaly.subject, by, "looked into")


def with_files(specification: IndicatorSpecification, **files: bytes) -> IndicatorSpecification:
    """Return a specification with other files: `indicators_toml`, `lake_toml`, `protection_toml`."""
    known: dict[str, Any] = {
        name: getattr(specification, name) for name in ("indicators_toml", "lake_toml", "protection_toml")
    }
    return IndicatorSpecification(**known | files).validate()
