"""Counts months from the lake: which files a month has, the state of records at its end, and its figures."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from esante.core.storage import Database, Objects, sha256
from esante.services.bulletin import store
from esante.services.bulletin.compilation.anomalies import findings
from esante.services.bulletin.compilation.indicator_spec import Recipe
from esante.services.bulletin.compilation.indicators import Count, Engine, engine
from esante.services.bulletin.model import Finding
from esante.services.bulletin.store import Part


@dataclass(frozen=True, slots=True)
class Source:
    """What a month is counted from; `digest` names its files and those of all months before."""

    period: str
    digest: bytes
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """The exact counts of a month by indicator, and what its events show."""

    counts: Mapping[str, Sequence[Count]]
    findings: Sequence[Finding]


def periods(first: str, last: str) -> list[str]:
    """The months from `first` to `last`, both included."""
    found, (year, month) = [], map(int, first.split("-"))
    while (period := f"{year:04}-{month:02}") <= last:
        found.append(period)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


def shifted(period: str, months: int) -> str:
    """The month that many months after a month (before it, when negative)."""
    year, month = map(int, period.split("-"))
    place = year * 12 + month - 1 + months
    return f"{place // 12:04}-{place % 12 + 1:02}"


class Months:
    """The months of one recipe, as the lake held them when it held the journal up to a leaf."""

    def __init__(self, db: Database, objects: Objects, recipe: Recipe, scratch: Path) -> None:
        self._db, self._objects, self._recipe, self._scratch = db, objects, recipe, scratch

    async def sources(self, upto: int, last: str) -> dict[str, Source]:
        """What each month up to `last` is counted from, without gaps, oldest first."""
        by_period: dict[str, list[Part]] = {}
        for part in await store.parts(self._db, self._recipe.reader, upto):
            by_period.setdefault(part.period, []).append(part)
        if not by_period:
            return {}
        found, digest = {}, self._recipe.reader.encode()
        for period in periods(min(by_period), last):
            parts = tuple(by_period.get(period, ()))
            digest = sha256(digest + period.encode() + b"".join(part.digest for part in parts))
            found[period] = Source(period, digest, parts)
        return found

    async def count(self, sources: Mapping[str, Source], period: str, as_of: datetime) -> Counted:
        """Count a month."""
        source = sources[period]
        subjects = await self._subjects(list(sources.values()), period)
        files = await self._files(source)
        # A month that still runs is judged by its whole days.
        civil = as_of.astimezone(self._recipe.zone)
        last_day = civil.day - 1 if f"{civil:%Y-%m}" == period else None
        return await asyncio.to_thread(self._count, period, files, subjects, last_day)

    def _count(self, period: str, files: Sequence[Path], subjects: Path, last_day: int | None) -> Counted:
        with engine(self._scratch) as looking:
            looking.month(files, subjects)
            found = findings(looking, period, self._recipe.lake.events, last_day=last_day)
            counts = {} if any(finding.code == "empty" for finding in found) else self._counts(looking, period)
        return Counted(counts, found)

    def _counts(self, looking: Engine, period: str) -> dict[str, list[Count]]:
        return {
            indicator.id: looking.count(indicator)
            for indicator in self._recipe.indicators.values()
            if indicator.sql and indicator.since <= period
        }

    async def _files(self, source: Source) -> list[Path]:
        return [await self._local(part.digest) for part in source.parts]

    async def _local(self, digest: bytes) -> Path:
        return await self._objects.local_path(digest, self._scratch / "cache")

    async def _subjects(self, sources: Sequence[Source], period: str) -> Path:
        """The state of records at the end of a month, from the last month where it is known on."""
        chain = [source for source in sources if source.period <= period]
        missing: list[Source] = []
        digest: bytes | None = None
        for source in reversed(chain):
            digest = await store.subjects(self._db, source.digest)
            if digest is not None:
                break
            missing.append(source)
        before = await self._local(digest) if digest else None
        for source in reversed(missing):
            data = await asyncio.to_thread(self._fold, before, await self._files(source))
            digest = await self._objects.put(data)
            await store.keep_subjects(self._db, source.digest, digest)
            before = await self._local(digest)
        if before is None:
            raise LookupError(f"the lake holds nothing up to {period}")
        return before

    def _fold(self, before: Path | None, files: Sequence[Path]) -> bytes:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._scratch) as folder, engine(self._scratch) as looking:
            after = Path(folder) / "subjects.parquet"
            looking.events(files)
            looking.fold(before, after)
            return after.read_bytes()
