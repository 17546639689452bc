"""The use cases of the bulletin: build a month, look at it, answer for what is unusual, release it, correct it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from esante.core.journal import Actor, Checkpoint, Event, Journal
from esante.core.storage import Connection, Database, Objects, insert
from esante.services.bulletin.compilation.build import Builder, Order, hidden_in
from esante.services.bulletin.compilation.event_lake import Lake, Progress
from esante.services.bulletin.compilation.indicator_spec import Recipe
from esante.services.bulletin.compilation.monthly_counts import Months, periods, shifted
from esante.services.bulletin.compilation.pseudonyms import BulletinKey
from esante.services.bulletin.disclosure.intruder_audit import Exposed, Month, System
from esante.services.bulletin.disclosure.suppression import protect
from esante.services.bulletin.model import (
    BulletinChanged,
    Cell,
    Change,
    Finding,
    FindingAcknowledged,
    Issue,
    Release,
    ReleaseState,
    Vintage,
)
from esante.services.bulletin.publication import paper
from esante.services.bulletin.release_calendar import release_time
from esante.services.bulletin.releases import forecast_archive, vintage_store
from esante.services.bulletin.releases.published_cache import Library

HISTORY = 36
"""Months that an issue shows."""


class Refused(RuntimeError):
    """What was asked for may not be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made: the new vintages, the month's newest one, and cells that the attacker can tell."""

    new: tuple[Vintage, ...]
    vintage: Vintage
    exposed: tuple[Exposed, ...]


class Bulletin:
    """The bulletin of the platform."""

    def __init__(
        self, db: Database, objects: Objects, journal: Journal, key: BulletinKey, scratch: Path, recipe: Recipe
    ) -> None:
        self._db, self._objects, self._journal, self._key = db, objects, journal, key
        self._scratch, self.recipe = scratch, recipe

    @classmethod
    def open(cls, db: Database, objects: Objects, journal: Journal, key: Path, scratch: Path) -> "Bulletin":
        """The bulletin over `db`; its secret is in the file `key`, made when missing."""
        return cls(db, objects, journal, BulletinKey.open(key), scratch, Recipe.packaged())

    async def build(self, period: str, by: str, *, reason: str = "", progress: Progress = lambda *_: None) -> Built:
        """Count a month and those before it that changed since; what did not change is left as it is.

        `reason` makes a revision: months that are public are then counted again by today's recipe, too. May be
        broken off and repeated at any time. Raises Refused for a month that has not begun.
        """
        head = await self._head(period)
        await self._lake().advance(head.size, progress)
        months = Months(self._db, self._objects, self.recipe, self._scratch)
        sources = await months.sources(head.size, period)
        if period not in sources:
            raise Refused(f"the journal holds nothing up to {period}")
        recipe = await self._objects.put(self.recipe.to_bytes())
        order = Order(period, by, reason, head, self.recipe, recipe)
        builder = Builder(self._db, self._journal, self._key, months, order)
        await builder.begin()
        window = [p for p in sources if p > shifted(period, -HISTORY)]
        new: list[Vintage] = []
        for done, each in enumerate(window, 1):
            if (vintage := await builder.vintage(sources, each)) is not None:
                new.append(vintage)
            progress(done, len(window), "counting")
        newest = await vintage_store.latest(self._db, period, including="draft")
        if newest is None:
            raise Refused(f"{period} could not be counted")
        return Built(tuple(new), newest, tuple(await self.attack(period)))

    async def attack(self, period: str) -> list[Exposed]:
        """What the attacker can tell from all that is public, and all that would be with the issue of `period`."""
        months = [month for month in await self.published() if month.period <= period]
        return System(months, self.recipe.indicators, self.recipe.relations).exposed()

    async def published(self) -> list[Month]:
        """Every vintage that is or will be public: the released ones, and the newest of each month."""
        known = await vintage_store.releases(self._db)
        newest = {release.period: release.number for release in known}
        return [
            Month(
                release.period,
                release.number,
                await vintage_store.guarded(self._db, release.period, release.number),
                self.recipe.rule(release.period),
            )
            for release in known
            if release.state in (ReleaseState.APPROVED, ReleaseState.RELEASED)
            or release.number == newest[release.period]
        ]

    async def preview(self, period: str, by: str) -> Issue:
        """The issue as it would be released; noted, so that nothing is released that nobody looked at."""
        await self._move(await self._pending(period), ReleaseState.BUILT, ReleaseState.PREVIEWED, by)
        return await self.issue(period, including="draft")

    async def unusual(self, period: str) -> list[Finding]:
        """The findings of all months that would be released with the issue of a month."""
        pending = await self._pending(period)
        return [found for one in pending for found in await vintage_store.findings(self._db, one.period, one.number)]

    async def acknowledge(self, period: str, code: str, subject: str, by: str, note: str) -> None:
        """Answer for a finding of the newest vintage of a month. Raises LookupError when there is no such one."""
        number = max((r.number for r in await vintage_store.releases(self._db) if r.period == period), default=0)
        told = FindingAcknowledged(period=period, number=number, code=code, subject=subject, note=note)
        async with self._db.transaction() as conn:
            if not await vintage_store.acknowledge(conn, period, number, code, subject, by, note):
                raise LookupError(f"{period} has no finding {code} about {subject}")
            await self._tell(conn, told, by)

    async def release(
        self,
        period: str,
        by: str,
        *,
        embargo_until: datetime | None = None,
        now: datetime | None = None,
        history: bool = False,
    ) -> list[Release]:
        """Approve the issue of a month, and release it now or at the end of its embargo.

        `history`: only for a past that is invented; each month counts as released in its hour of the calendar.
        Raises Refused when the one who built it asks, when nobody looked at it, when a serious finding is not
        answered for, or when the attacker can tell a protected cell.
        """
        pending = await self._pending(period)
        if not pending:
            raise Refused(f"nothing of {period} waits for its release; build it first")
        await self._check(pending, period, by)
        await self._move(pending, ReleaseState.PREVIEWED, ReleaseState.APPROVED, by, embargo_until)
        await self.release_due(now or datetime.now(UTC), history=history)
        return [
            r
            for r in await vintage_store.releases(self._db)
            if (r.period, r.number) in {(p.period, p.number) for p in pending}
        ]

    async def release_due(self, now: datetime, *, history: bool = False) -> list[Release]:
        """Release what is approved and whose embargo is over, and keep what its issue projects; returns the former."""
        due = [
            release
            for release in await vintage_store.releases(self._db)
            if release.state is ReleaseState.APPROVED and (release.embargo_until or now) <= now
        ]
        at = {each.period: min(now, release_time(each.period)) if history else now for each in due}
        await self._move(due, ReleaseState.APPROVED, ReleaseState.RELEASED, "", at=at)
        await self._freeze(history=history)
        return due

    async def _freeze(self, *, history: bool) -> None:
        """Keep what the newest issue projects (of `history` every issue), if that was not done yet."""
        released = sorted({release.period for release in await vintage_store.released(self._db)})
        missing = set(released if history else released[-1:]) - await forecast_archive.months(self._db)
        if missing:
            shelf = await Library(self._db)()
            issues = [shelf.issue(shelf.versions(period)[0]) for period in sorted(missing)]
            told = [await asyncio.to_thread(forecast_archive.frozen_of, paper(issue, "")) for issue in issues]
            await self._db.write([row for made in told for row in forecast_archive.rows(made)])

    async def issue(self, period: str, *, including: str = "released") -> Issue:
        """The issue of a month as pure data. Raises LookupError when there is none."""
        vintage = await vintage_store.latest(self._db, period, including=including)
        if vintage is None:
            raise LookupError(f"there is no issue of {period}")
        history = [
            found
            for each in periods(shifted(period, 1 - HISTORY), shifted(period, -1))
            if (found := await vintage_store.latest(self._db, each, including=including))
        ]
        known = [
            r for r in await vintage_store.releases(self._db) if r.period == period and r.number == vintage.number
        ]
        return Issue(
            vintage=vintage,
            history=tuple(history),
            changes=tuple([change for each in (*history, vintage) for change in await self._changes(each)]),
            quality=tuple(await vintage_store.findings(self._db, period, vintage.number)),
            released_at=known[0].released_at,
        )

    async def rebuild(self, period: str, number: int) -> Vintage:
        """Count a past vintage again, from the files and by the recipe of then: its bytes are the same.

        Raises LookupError when there is no such vintage, ValueError when the figures are other ones.
        """
        made = await vintage_store.made_as(self._db, period, number)
        if made is None:
            raise LookupError(f"there is no vintage {number} of {period}")
        recipe = Recipe.from_bytes(await self._objects.get(made.recipe))
        months = Months(self._db, self._objects, recipe, self._scratch)
        sources = await months.sources(made.seq, period)
        counted = await months.count(sources, period, made.as_of)
        kept = await vintage_store.guarded(self._db, period, number)
        again = protect(period, counted.counts, recipe, self._key, hidden=hidden_in(kept), number=number)
        vintage = vintage_store.as_vintage(made, [guarded.cell for guarded in again])
        if vintage_store.digest_of(vintage) != made.digest:
            raise ValueError(f"vintage {number} of {period} counted again gives other figures")
        return vintage

    def _lake(self) -> Lake:
        return Lake(self._db, self._objects, self._journal, self._key, self.recipe)

    async def _head(self, period: str) -> Checkpoint:
        head = await self._journal.head()
        if head is None:
            raise Refused("nothing of the journal is sealed yet; the server seals about once a second")
        if period > f"{head.sealed_at.astimezone(self.recipe.zone):%Y-%m}":
            raise Refused(f"{period} has not begun")
        return head

    async def _pending(self, period: str) -> list[Release]:
        """The newest vintages of the months of an issue that are not approved yet."""
        found: dict[str, Release] = {}
        for release in await vintage_store.releases(self._db):
            if shifted(period, -HISTORY) < release.period <= period:
                found[release.period] = release
        return [r for r in found.values() if r.state in (ReleaseState.BUILT, ReleaseState.PREVIEWED)]

    async def _check(self, pending: Sequence[Release], period: str, by: str) -> None:
        if not by.strip() or any(release.built_by.casefold() == by.strip().casefold() for release in pending):
            raise Refused("who built an issue cannot release it; ask a second person")
        if any(release.state is ReleaseState.BUILT for release in pending):
            raise Refused(f"nobody has looked at it yet: esante bulletin preview {period}")
        for release in pending:
            for finding in await vintage_store.findings(self._db, release.period, release.number):
                if finding.serious and not finding.acknowledged_by:
                    about = f'{finding.period} {finding.code} "{finding.subject}"'
                    raise Refused(f"{about} is not answered for; then: esante bulletin acknowledge {about} --note …")
        if exposed := await self.attack(period):
            raise Refused(f"{len(exposed)} protected cells can be worked out, the first is {exposed[0].key}")

    async def _move(
        self,
        releases: Sequence[Release],
        before: ReleaseState,
        after: ReleaseState,
        by: str,
        embargo_until: datetime | None = None,
        at: Mapping[str, datetime] | None = None,
    ) -> None:
        """Bring those of `releases` that are in one state to the next, all or none, and tell of it."""
        async with self._db.transaction() as conn:
            for release in releases:
                if release.state is not before:
                    continue
                signed = by if after is ReleaseState.APPROVED else ""
                moment = at[release.period] if at else None
                if not await vintage_store.move(
                    conn, release, after, by=signed, embargo_until=embargo_until, at=moment
                ):
                    raise Refused(f"{release.period} was moved by somebody else at this moment; look again")
                told = BulletinChanged(
                    period=release.period, number=release.number, state=after.value, embargo_until=embargo_until
                )
                await self._tell(conn, told, by)

    async def _tell(self, conn: Connection, event: Event, by: str) -> None:
        actor = Actor(kind="operator", name=by) if by else Actor(kind="system", name="esante")
        await insert(conn, self._journal.rows(event, actor=actor))

    async def _changes(self, vintage: Vintage) -> list[Change]:
        """What a vintage changed beside the newest released one of its month before it."""
        numbers = [
            release.number
            for release in await vintage_store.released(self._db)
            if release.period == vintage.period and release.number < vintage.number
        ]
        before = await vintage_store.vintage(self._db, vintage.period, max(numbers)) if numbers else None
        if before is None:
            return []
        cells = {cell.place: cell for cell in before.cells}
        return [
            Change(before=old, after=cell, number=vintage.number, reason=vintage.reason)
            for cell in vintage.cells
            if (old := cells.get(cell.place, Cell(cell.indicator, cell.period, cell.breakdown, cell.value_of))) != cell
        ]
