"""The use cases of the bulletin: build, preview, acknowledge anomalies, release, rebuild."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from esante.core import clock
from esante.core.disclosure import StatisticsKey
from esante.core.journal import Actor, Checkpoint, Event, Journal
from esante.core.storage import Connection, Database, Objects, insert
from esante.core.types import Progress
from esante.services.bulletin.compilation.build import BuildRequest, VintageBuilder, suppressed_keys
from esante.services.bulletin.compilation.event_lake import EventLake
from esante.services.bulletin.compilation.indicator_spec import IndicatorSpecification
from esante.services.bulletin.compilation.monthly_counts import MonthCounter
from esante.services.bulletin.disclosure.intruder_audit import AuditedVintage, DisclosedCell, IntruderAudit
from esante.services.bulletin.disclosure.suppression import protect
from esante.services.bulletin.model import (
    AnomalyAcknowledged,
    BulletinChanged,
    BulletinIssue,
    BulletinRefused,
    Cell,
    DataAnomaly,
    Release,
    ReleaseState,
    Revision,
    Vintage,
)
from esante.services.bulletin.periods import months_between, shift_month
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.release_calendar import release_time
from esante.services.bulletin.releases import forecast_store, vintage_store
from esante.services.bulletin.releases.forecast_archive import issue_forecasts
from esante.services.bulletin.releases.published_cache import PublishedCache

HISTORY = 36
"""The number of months that an issue shows."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The new vintages of a build, the newest vintage of its month, and the disclosed cells of the intruder audit."""

    new: tuple[Vintage, ...]
    vintage: Vintage
    disclosed: tuple[DisclosedCell, ...]


class Bulletin:
    """The bulletin of the platform."""

    def __init__(
        self,
        db: Database,
        objects: Objects,
        journal: Journal,
        key: StatisticsKey,
        scratch: Path,
        specification: IndicatorSpecification,
    ) -> None:
        self._db, self._objects, self._journal, self._key = db, objects, journal, key
        self._scratch, self.specification = scratch, specification

    @classmethod
    def open(cls, db: Database, objects: Objects, journal: Journal, key: StatisticsKey, scratch: Path) -> "Bulletin":
        """Open the bulletin over `db`."""
        return cls(db, objects, journal, key, scratch, IndicatorSpecification.from_packages())

    async def build(
        self, period: str, by: str, *, reason: str = "", progress: Progress = lambda *_: None
    ) -> BuildResult:
        """Count a month and the earlier months that changed since their last vintage.

        `reason` makes a revision: public months, too, are counted again by the current specification. A build may be
        interrupted and repeated at any time. Raises: BulletinRefused for a month that cannot be counted.
        """
        head = await self._sealed_head(period)
        await self._lake().advance(head.size, progress)
        counter = MonthCounter(self._db, self._objects, self.specification, self._scratch)
        sources = await counter.fetch_sources(head.size, period)
        if period not in sources:
            raise BulletinRefused(f"the journal has no entries up to {period}; build a later month")
        digest = await self._objects.put(self.specification.to_bytes())
        request = BuildRequest(period, by, reason, head, self.specification, digest)
        builder = VintageBuilder(self._db, self._journal, self._key, counter, request)
        await builder.load()
        window = [month for month in sources if month > shift_month(period, -HISTORY)]
        new: list[Vintage] = []
        for done, month in enumerate(window, 1):
            if (vintage := await builder.build_month(sources, month)) is not None:
                new.append(vintage)
            progress(done, len(window), "counting")
        newest = await vintage_store.fetch_latest(self._db, period, including="draft")
        if newest is None:
            raise BulletinRefused(f"{period} has no vintage after the build; build it again")
        return BuildResult(tuple(new), newest, tuple(await self.audit_disclosure(period)))

    async def audit_disclosure(self, period: str) -> list[DisclosedCell]:
        """Return the disclosed cells of all that is public, and all that would be with the issue of a month.

        Raises: AuditUnsolved when the solver fails.
        """
        vintages = [vintage for vintage in await self.fetch_audited_vintages() if vintage.period <= period]
        audit = IntruderAudit(vintages, self.specification.indicators, self.specification.relations)
        return audit.find_disclosed_cells()

    async def fetch_audited_vintages(self) -> list[AuditedVintage]:
        """Return every vintage that is or will be public: approved and released ones, and the newest of each month."""
        known = await vintage_store.fetch_releases(self._db)
        newest = {release.period: release.number for release in known}
        return [
            AuditedVintage(
                release.period,
                release.number,
                await vintage_store.fetch_protected_cells(self._db, release.period, release.number),
                self.specification.rule_for(release.period),
            )
            for release in known
            if release.state in (ReleaseState.APPROVED, ReleaseState.RELEASED)
            or release.number == newest[release.period]
        ]

    async def preview(self, period: str, by: str) -> BulletinIssue:
        """Return the issue as it would be released, and journal the preview, which a release requires."""
        await self._move(await self._pending_releases(period), ReleaseState.BUILT, ReleaseState.PREVIEWED, by)
        return await self.issue(period, including="draft")

    async def fetch_anomalies(self, period: str) -> list[DataAnomaly]:
        """Return the anomalies of all months that would be released with the issue of a month."""
        pending = await self._pending_releases(period)
        return [
            anomaly
            for release in pending
            for anomaly in await vintage_store.fetch_anomalies(self._db, release.period, release.number)
        ]

    async def acknowledge(self, period: str, code: str, subject: str, by: str, note: str) -> None:
        """Acknowledge an anomaly of the newest vintage of a month. Raises: LookupError for an unknown anomaly."""
        releases = await vintage_store.fetch_releases(self._db)
        number = max((release.number for release in releases if release.period == period), default=0)
        event = AnomalyAcknowledged(period=period, number=number, code=code, subject=subject, note=note)
        async with self._db.transaction() as conn:
            if not await vintage_store.acknowledge_anomaly(conn, period, number, code, subject, by, note):
                raise LookupError(f"{period} has no anomaly {code} of {subject}; list them with a preview")
            await self._append_entry(conn, event, by)

    async def check_release(self, period: str, by: str) -> list[Release]:
        """Return the vintages that would be released with the issue of a month.

        Raises: BulletinRefused without any, for the person who built one, without a preview, with a serious anomaly
        that is not acknowledged, or with a disclosed cell; AuditUnsolved when the solver fails.
        """
        pending = await self._pending_releases(period)
        if not pending:
            raise BulletinRefused(f"no vintage of {period} waits for its release; build it first")
        if not by.strip() or any(release.built_by.casefold() == by.strip().casefold() for release in pending):
            raise BulletinRefused("the person who built an issue cannot release it; ask a second person")
        if any(release.state is ReleaseState.BUILT for release in pending):
            raise BulletinRefused(f"nobody has looked at the issue yet; run: esante bulletin preview {period}")
        for release in pending:
            for anomaly in await vintage_store.fetch_anomalies(self._db, release.period, release.number):
                if anomaly.serious and not anomaly.acknowledged_by:
                    title = f'{anomaly.period} {anomaly.code} "{anomaly.subject}"'
                    raise BulletinRefused(
                        f"the anomaly {title} is not acknowledged; run: esante bulletin acknowledge {title} --note …"
                    )
        if disclosed := await self.audit_disclosure(period):
            raise BulletinRefused(
                f"the intruder audit found {len(disclosed)} disclosed cells, the first is {disclosed[0].key}"
            )
        return pending

    async def release(
        self,
        period: str,
        by: str,
        *,
        embargo_until: datetime | None = None,
        confirmed: Collection[tuple[str, int]] | None = None,
        now: datetime | None = None,
        history: bool = False,
    ) -> list[Release]:
        """Approve the issue of a month, and release it now or at the end of its embargo.

        `confirmed`: the months and numbers of the vintages that the person has confirmed; None: whatever waits.
        `history`: only for an invented past; each month counts as released at its time in the release calendar.
        Raises: as `check_release`, and BulletinRefused when other vintages wait than were confirmed.
        """
        pending = await self.check_release(period, by)
        if confirmed is not None and set(confirmed) != {(release.period, release.number) for release in pending}:
            raise BulletinRefused(f"the release of {period} was changed meanwhile; look at it again")
        await self._move(pending, ReleaseState.PREVIEWED, ReleaseState.APPROVED, by, embargo_until)
        await self.release_due(now or clock.now(), history=history)
        approved = {(release.period, release.number) for release in pending}
        return [
            release
            for release in await vintage_store.fetch_releases(self._db)
            if (release.period, release.number) in approved
        ]

    async def release_due(self, now: datetime, *, history: bool = False) -> list[Release]:
        """Release and return the approved vintages whose embargo is over; archive the forecasts of the issue."""
        due = [
            release
            for release in await vintage_store.fetch_releases(self._db)
            if release.state is ReleaseState.APPROVED and (release.embargo_until or now) <= now
        ]
        times = {each.period: min(now, release_time(each.period)) if history else now for each in due}
        await self._move(due, ReleaseState.APPROVED, ReleaseState.RELEASED, "", times=times)
        await self._archive_forecasts(history=history)
        return due

    async def _archive_forecasts(self, *, history: bool) -> None:
        """Archive the forecasts of the newest issue (of `history` every issue), unless they are archived."""
        released = sorted({release.period for release in await vintage_store.fetch_released(self._db)})
        missing = set(released if history else released[-1:]) - await forecast_store.fetch_months(self._db)
        if missing:
            releases = await PublishedCache(self._db).get()
            issues = [releases.issue_of(releases.versions(period)[0]) for period in sorted(missing)]
            forecasts = [await asyncio.to_thread(issue_forecasts, make_document(issue, "")) for issue in issues]
            await self._db.write([row for found in forecasts for row in forecast_store.forecast_rows(found)])

    async def issue(self, period: str, *, including: str = "released") -> BulletinIssue:
        """Return the issue of a month, with `including="draft"` of its newest vintage. Raises: LookupError if none."""
        vintage = await vintage_store.fetch_latest(self._db, period, including=including)
        if vintage is None:
            raise LookupError(f"there is no issue of {period}")
        history = [
            found
            for month in months_between(shift_month(period, 1 - HISTORY), shift_month(period, -1))
            if (found := await vintage_store.fetch_latest(self._db, month, including=including))
        ]
        known = [
            release
            for release in await vintage_store.fetch_releases(self._db)
            if release.period == period and release.number == vintage.number
        ]
        return BulletinIssue(
            vintage=vintage,
            history=tuple(history),
            revisions=tuple([each for month in (*history, vintage) for each in await self._revisions_of(month)]),
            anomalies=tuple(await vintage_store.fetch_anomalies(self._db, period, vintage.number)),
            released_at=known[0].released_at,
        )

    async def rebuild(self, period: str, number: int) -> Vintage:
        """Count a past vintage again, from its files and by its specification; the result is byte for byte the same.

        Raises: LookupError when there is no such vintage, ValueError when the figures differ.
        """
        record = await vintage_store.fetch_record(self._db, period, number)
        if record is None:
            raise LookupError(f"there is no vintage {number} of {period}")
        specification = IndicatorSpecification.from_bytes(await self._objects.get(record.recipe))
        counter = MonthCounter(self._db, self._objects, specification, self._scratch)
        sources = await counter.fetch_sources(record.seq, period)
        counts = await counter.count(sources, period, record.as_of)
        suppressed = suppressed_keys(await vintage_store.fetch_protected_cells(self._db, period, number))
        cells = protect(period, counts.counts, specification, self._key, suppressed=suppressed, number=number)
        vintage = vintage_store.make_vintage(record, [protected.cell for protected in cells])
        if vintage_store.digest_of(vintage) != record.digest:
            raise ValueError(f"vintage {number} of {period} gives other figures when it is counted again")
        return vintage

    def _lake(self) -> EventLake:
        return EventLake(self._db, self._objects, self._journal, self._key, self.specification)

    async def _sealed_head(self, period: str) -> Checkpoint:
        """Return the head of the journal. Raises: BulletinRefused when it is older than the month."""
        head = await self._journal.head()
        if head is None:
            raise BulletinRefused("no entry of the journal is sealed yet; the server seals about once a second")
        if period > f"{head.sealed_at.astimezone(self.specification.zone):%Y-%m}":
            raise BulletinRefused(f"{period} has not begun; build a month that has")
        return head

    async def _pending_releases(self, period: str) -> list[Release]:
        """Return the newest vintages of the months of an issue that are not approved yet."""
        newest: dict[str, Release] = {}
        for release in await vintage_store.fetch_releases(self._db):
            if shift_month(period, -HISTORY) < release.period <= period:
                newest[release.period] = release
        return [
            release for release in newest.values() if release.state in (ReleaseState.BUILT, ReleaseState.PREVIEWED)
        ]

    async def _move(
        self,
        releases: Sequence[Release],
        before: ReleaseState,
        after: ReleaseState,
        by: str,
        embargo_until: datetime | None = None,
        times: Mapping[str, datetime] | None = None,
    ) -> None:
        """Move those of `releases` that are in one state to the next, all or none, and journal it.

        `times`: when each month counts as released. Raises: BulletinRefused when one was moved meanwhile.
        """
        async with self._db.transaction() as conn:
            for release in releases:
                if release.state is not before:
                    continue
                approver = by if after is ReleaseState.APPROVED else ""
                at = times[release.period] if times else None
                if not await vintage_store.move_release(
                    conn, release, after, by=approver, embargo_until=embargo_until, at=at
                ):
                    raise BulletinRefused(f"the release of {release.period} was changed meanwhile; look at it again")
                event = BulletinChanged(
                    period=release.period, number=release.number, state=after.value, embargo_until=embargo_until
                )
                await self._append_entry(conn, event, by)

    async def _append_entry(self, conn: Connection, event: Event, by: str) -> None:
        actor = Actor(kind="operator", name=by) if by else Actor(kind="system", name="esante")
        await insert(conn, self._journal.rows(event, actor=actor))

    async def _revisions_of(self, vintage: Vintage) -> list[Revision]:
        """Return the cells that differ from the newest released vintage before it of the month."""
        numbers = [
            release.number
            for release in await vintage_store.fetch_released(self._db)
            if release.period == vintage.period and release.number < vintage.number
        ]
        before = await vintage_store.fetch_vintage(self._db, vintage.period, max(numbers)) if numbers else None
        if before is None:
            return []
        cells = {cell.series_key: cell for cell in before.cells}
        return [
            Revision(before=old, after=cell, number=vintage.number, reason=vintage.reason)
            for cell in vintage.cells
            if (old := cells.get(cell.series_key, Cell(cell.indicator, cell.period, *cell.series_key[1:]))) != cell
        ]
