"""Counting of months from the lake: a month's files, the record states at its end, and its exact counts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from esante.core.storage import Database, Objects, sha256
from esante.services.bulletin import store
from esante.services.bulletin.compilation.anomalies import find_anomalies
from esante.services.bulletin.compilation.exact_counts import ExactCount
from esante.services.bulletin.compilation.indicator_spec import IndicatorSpecification
from esante.services.bulletin.compilation.lake_store import LakeEngine, open_engine
from esante.services.bulletin.model import DataAnomaly
from esante.services.bulletin.periods import months_between
from esante.services.bulletin.store import LakePart


@dataclass(frozen=True, slots=True)
class MonthSource:
    """What a month is counted from; `digest` is a SHA-256 over its files and those of all months before."""

    period: str
    digest: bytes
    parts: tuple[LakePart, ...]


@dataclass(frozen=True, slots=True)
class MonthCounts:
    """The exact counts of a month by indicator, and the anomalies in its events."""

    counts: Mapping[str, Sequence[ExactCount]]
    anomalies: Sequence[DataAnomaly]


class MonthCounter:
    """Counts the months of one specification from the files of the lake; `scratch` caches files."""

    def __init__(self, db: Database, objects: Objects, specification: IndicatorSpecification, scratch: Path) -> None:
        self._db, self._objects, self._specification, self._scratch = db, objects, specification, scratch

    async def fetch_sources(self, upto: int, last: str) -> dict[str, MonthSource]:
        """Return the source of each month up to `last` in the lake of leaf `upto`, without gaps, oldest first."""
        by_period: dict[str, list[LakePart]] = {}
        for part in await store.fetch_parts(self._db, self._specification.lake_id, upto):
            by_period.setdefault(part.period, []).append(part)
        if not by_period:
            return {}
        sources, digest = {}, self._specification.lake_id.encode()
        for period in months_between(min(by_period), last):
            parts = tuple(by_period.get(period, ()))
            digest = sha256(digest + period.encode() + b"".join(part.digest for part in parts))
            sources[period] = MonthSource(period, digest, parts)
        return sources

    async def count(self, sources: Mapping[str, MonthSource], period: str, as_of: datetime) -> MonthCounts:
        """Return the exact counts of a month. Raises: LookupError when the lake is empty up to the month."""
        source = sources[period]
        subjects = await self._record_states(list(sources.values()), period)
        files = await self._local_files(source)
        # A month that has not ended is judged by its complete days.
        local_time = as_of.astimezone(self._specification.zone)
        last_day = local_time.day - 1 if f"{local_time:%Y-%m}" == period else None
        return await asyncio.to_thread(self._count, period, files, subjects, last_day)

    def _count(self, period: str, files: Sequence[Path], subjects: Path, last_day: int | None) -> MonthCounts:
        with open_engine(self._scratch) as engine:
            engine.open_month(files, subjects)
            anomalies = find_anomalies(engine, period, self._specification.lake.events, last_day=last_day)
            empty = any(anomaly.code == "empty" for anomaly in anomalies)
            return MonthCounts({} if empty else self._count_indicators(engine, period), anomalies)

    def _count_indicators(self, engine: LakeEngine, period: str) -> dict[str, list[ExactCount]]:
        return {
            indicator.id: engine.count(indicator)
            for indicator in self._specification.indicators.values()
            if indicator.sql and indicator.since <= period
        }

    async def _local_files(self, source: MonthSource) -> list[Path]:
        return [await self._local_file(part.digest) for part in source.parts]

    async def _local_file(self, digest: bytes) -> Path:
        return await self._objects.local_path(digest, self._scratch / "cache")

    async def _record_states(self, sources: Sequence[MonthSource], period: str) -> Path:
        """Return the file of record states at the end of a month, made from the last month that has one."""
        missing: list[MonthSource] = []
        digest: bytes | None = None
        for source in reversed([source for source in sources if source.period <= period]):
            digest = await store.fetch_record_states(self._db, source.digest)
            if digest is not None:
                break
            missing.append(source)
        states = await self._local_file(digest) if digest else None
        for source in reversed(missing):
            data = await asyncio.to_thread(self._make_record_states, states, await self._local_files(source))
            digest = await self._objects.put(data)
            await store.insert_record_states(self._db, source.digest, digest)
            states = await self._local_file(digest)
        if states is None:
            raise LookupError(f"the lake holds no events up to {period}")
        return states

    def _make_record_states(self, before: Path | None, files: Sequence[Path]) -> bytes:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._scratch) as folder, open_engine(self._scratch) as engine:
            after = Path(folder) / "subjects.parquet"
            engine.open_events(files)
            engine.write_record_states(before, after)
            return after.read_bytes()
