"""Building of vintages: each month whose source changed is counted, protected and stored as a new vintage."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from esante.core.disclosure import StatisticsKey
from esante.core.journal import Actor, Checkpoint, Journal
from esante.core.storage import Database, insert
from esante.services.bulletin.compilation.anomalies import find_moved_totals
from esante.services.bulletin.compilation.indicator_spec import IndicatorSpecification
from esante.services.bulletin.compilation.monthly_counts import MonthCounter, MonthCounts, MonthSource
from esante.services.bulletin.disclosure.intruder_audit import AuditedVintage
from esante.services.bulletin.disclosure.suppression import protect
from esante.services.bulletin.model import (
    LATE_EVENTS,
    BulletinChanged,
    CellFlag,
    DataAnomaly,
    ProtectedCell,
    ReleaseState,
    SeriesKey,
    Vintage,
    VintageStatus,
)
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.vintage_store import VintageRecord

FINAL_AFTER = 3
"""The number of months after which the figures of a month are final."""
_PUBLIC = (ReleaseState.APPROVED, ReleaseState.RELEASED)


class BuildRequest(NamedTuple):
    """What is to be built: the month of the issue, for whom and why, from which head of the journal, and how.

    `reason`: the published reason of a revision, else empty. `specification_digest`: the object of its stored form.
    """

    period: str
    by: str
    reason: str
    head: Checkpoint
    specification: IndicatorSpecification
    specification_digest: bytes


def suppressed_keys(cells: Iterable[ProtectedCell]) -> set[SeriesKey]:
    """Return the series keys of the suppressed cells."""
    return {protected.cell.series_key for protected in cells if protected.cell.flag is CellFlag.SUPPRESSED}


class VintageBuilder:
    """One build, with the vintages that are or will be public beside the month at hand."""

    def __init__(
        self, db: Database, journal: Journal, key: StatisticsKey, counter: MonthCounter, request: BuildRequest
    ) -> None:
        self._db, self._journal, self._key, self._counter, self._request = db, journal, key, counter, request
        self._records: dict[str, VintageRecord] = {}
        self._states: dict[tuple[str, int], ReleaseState] = {}
        self._cells: dict[tuple[str, int], list[ProtectedCell]] = {}

    async def load(self) -> None:
        """Load the newest vintage of each month, and all public ones."""
        self._records = await vintage_store.fetch_latest_records(self._db)
        for release in await vintage_store.fetch_releases(self._db):
            newest = self._records[release.period].number == release.number
            if newest or release.state in _PUBLIC:
                key = release.period, release.number
                self._states[key] = release.state
                self._cells[key] = await vintage_store.fetch_protected_cells(self._db, *key)

    async def build_month(self, sources: Mapping[str, MonthSource], period: str) -> Vintage | None:
        """Build and store a new vintage of a month; return None when its last vintage still holds."""
        last = self._records.get(period)
        if last is not None and not self._must_count(last, sources[period]):
            return None
        counts = await self._counter.count(sources, period, self._request.head.sealed_at)
        number = last.number + 1 if last else 1
        cells = self._protect(period, number, counts)
        status = self._status_of(last, period, cells)
        if last and status is last.status and cells == self._cells[period, last.number]:
            return None
        anomalies = [*counts.anomalies, *self._moved_totals(period, counts), *_late_events(last, sources[period])]
        return await self._store(self._record(period, number, status, sources[period]), cells, anomalies)

    def _must_count(self, last: VintageRecord, source: MonthSource) -> bool:
        """Return whether to count a month again; public figures by another specification need a reason."""
        request = self._request
        if last.recipe != request.specification_digest and self._is_public(last) and not request.reason:
            return False
        final = last.status is VintageStatus.PROVISIONAL and self._is_final(last.period)
        return final or last.source != source.digest or last.recipe != request.specification_digest

    def _is_public(self, record: VintageRecord) -> bool:
        return self._states[record.period, record.number] in _PUBLIC

    def _is_final(self, period: str) -> bool:
        return period <= shift_month(self._request.period, -FINAL_AFTER)

    def _status_of(self, last: VintageRecord | None, period: str, cells: Sequence[ProtectedCell]) -> VintageStatus:
        if last and (last.status is VintageStatus.REVISED or self._is_public(last)):
            before = [old.cell for old in self._cells[period, last.number]]
            if before != [new.cell for new in cells] or last.status is VintageStatus.REVISED:
                return VintageStatus.REVISED
        return VintageStatus.FINAL if self._is_final(period) else VintageStatus.PROVISIONAL

    def _protect(self, period: str, number: int, counts: MonthCounts) -> list[ProtectedCell]:
        """Return the protected cells, which disclose nothing beside the months around and earlier vintages."""
        specification, around = self._request.specification, {shift_month(period, -1), shift_month(period, 1)}
        earlier, suppressed = [], set[SeriesKey]()
        for (other, vintage), cells in self._cells.items():
            public = self._states[other, vintage] in _PUBLIC
            if other in around or (other == period and public):
                earlier.append(AuditedVintage(other, vintage, cells, specification.rule_for(other)))
            if other == period and public:
                suppressed |= suppressed_keys(cells)
        return protect(
            period, counts.counts, specification, self._key, suppressed=suppressed, earlier=earlier, number=number
        )

    def _moved_totals(self, period: str, counts: MonthCounts) -> list[DataAnomaly]:
        before = [
            {
                protected.cell.indicator: protected.exact
                for protected in self._cells[other, record.number]
                if not protected.cell.breakdown and protected.exact
            }
            for other, record in sorted(self._records.items())
            if other < period and (other, record.number) in self._cells
        ]
        return find_moved_totals(period, self._request.specification.indicators, counts.counts, before)

    def _record(self, period: str, number: int, status: VintageStatus, source: MonthSource) -> VintageRecord:
        request = self._request
        reason = request.reason or (LATE_EVENTS if status is VintageStatus.REVISED else "")
        return VintageRecord(
            period=period,
            number=number,
            as_of=request.head.sealed_at,
            status=status,
            method=request.specification.method,
            reason=reason if number > 1 else "",
            seq=request.head.size,
            source=source.digest,
            recipe=request.specification_digest,
            digest=b"",
        )

    async def _store(
        self, record: VintageRecord, cells: list[ProtectedCell], anomalies: Sequence[DataAnomaly]
    ) -> Vintage:
        """Store a vintage and its journal entry in one transaction; return it."""
        vintage = vintage_store.make_vintage(record, [protected.cell for protected in cells])
        record = record._replace(digest=vintage_store.digest_of(vintage))
        event = BulletinChanged(
            period=record.period,
            number=record.number,
            state=ReleaseState.BUILT.value,
            digest=record.digest.hex(),
            reason=record.reason,
        )
        actor = Actor(kind="operator", name=self._request.by)
        async with self._db.transaction() as conn:
            await insert(conn, vintage_store.vintage_rows(record, cells, anomalies, self._request.by))
            await insert(conn, self._journal.rows(event, actor=actor))
        self._records[record.period] = record
        self._states[record.period, record.number] = ReleaseState.BUILT
        self._cells[record.period, record.number] = cells
        return vintage


def _late_events(last: VintageRecord | None, source: MonthSource) -> list[DataAnomaly]:
    """Return an anomaly with the number of events of the month that arrived after its last vintage."""
    late = sum(part.events for part in source.parts if last and part.first_seq > last.seq)
    if not late:
        return []
    return [DataAnomaly(period=source.period, code="late", subject="events", found=late, serious=False)]
