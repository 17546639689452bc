"""The use cases of hunts: begin, watch, cancel, keep for another time. Runs go on beside the requests."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, insert_in_batches, uuid7
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, decode_cursor, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.soc.hunting import hunt_store
from esante.services.soc.hunting.model import FoundEvent, Hunt, HuntRun, HuntSaved, HuntStarted, RunState, SavedHunt
from esante.services.soc.hunting.rules import checked_hunt
from esante.services.soc.hunting.search import HuntSearch, Result
from esante.services.soc.tenants.model import Scope
from esante.services.soc.tenants.service import Tenants

log = logging.getLogger(__name__)
PAGE_SIZE = 50
MAX_RUNNING = 2
"""Runs of a member, and of the agency, at the same time."""
MAX_WORKING = 2
"""Runs of a process that search at the same time; others wait."""
ABANDONED_AFTER = timedelta(minutes=2)
MATCHES_KEPT, RUNS_KEPT = timedelta(days=7), timedelta(days=365)
"""How long what a run found is kept, and that it was run."""
_BEAT_SECONDS = 1.0
_FAILED = N_("The search failed. Try again; a smaller time span needs less memory.")
_ABANDONED = N_("The search was broken off when the server stopped. Start it again.")


class Hunts:
    """Hunts over the events of members."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants, search: HuntSearch) -> None:
        self._db, self._journal, self._tenants, self._search = db, journal, tenants, search
        self._working: dict[UUID, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(MAX_WORKING)

    async def start(self, requester: Requester, hunt: Hunt, name: str = "") -> HuntRun:
        """Begin a run over the events that somebody sees.

        Raises: Problem 404 for who sees none, 400 for a wrong hunt, 429 when too many runs are not over.
        """
        scope = await self._tenants.scope_of(requester)
        run = HuntRun(
            run_id=uuid7(),
            tenant_id=scope.tenant_id,
            owner_id=requester.id,
            owner=requester.name,
            name=name,
            hunt=checked_hunt(hunt),
            state=RunState.RUNNING,
            rows_done=0,
            rows_total=0,
            matches=0,
            failure="",
            started_at=clock.now(),
            ended_at=None,
        )
        if await hunt_store.count_running(self._db, scope.tenant_id) >= MAX_RUNNING:
            remedy = N_("Wait for one to end, or cancel it.")
            raise Problem(429, "throttled", N_("Two hunts are running already."), remedy=remedy)
        event = HuntStarted(
            run_id=run.run_id,
            tenant_id=run.tenant_id,
            fields=[one.field for one in run.hunt.conditions],
            since=run.hunt.since,
            until=run.hunt.until,
        )
        await self._db.write([hunt_store.run_row(run), *self._journal.rows_for(requester, event)])
        task = asyncio.create_task(self._work(run))
        self._working[run.run_id] = task
        task.add_done_callback(lambda _: self._working.pop(run.run_id, None))
        return run

    async def run(self, requester: Requester, run_id: UUID) -> HuntRun:
        """Return a run. Raises: Problem 404 for an unknown one, and for one that the requester does not see."""
        scope = await self._tenants.scope_of(requester)
        found = await hunt_store.fetch_run(self._db, scope, run_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def runs(self, requester: Requester, text: str = "", cursor: str | None = None) -> Page[HuntRun]:
        """Return a page of the runs that somebody sees, the newest first. Raises: Problem 404, 400."""
        scope = await self._tenants.scope_of(requester)
        before = decode_uuid_cursor(cursor)
        found = await hunt_store.fetch_runs(self._db, scope, text.strip(), before, PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        return Page(shown, encode_cursor(shown[-1].run_id) if len(found) > PAGE_SIZE else None)

    async def matches(
        self, requester: Requester, run_id: UUID, text: str = "", cursor: str | None = None
    ) -> Page[FoundEvent]:
        """Return a page of what a run found, the newest first. Raises: Problem 404, 400."""
        await self.run(requester, run_id)
        (after,) = decode_cursor(cursor, int) if cursor is not None else (0,)
        found = await hunt_store.fetch_matches(self._db, run_id, text.strip(), after, PAGE_SIZE + 1)
        shown = [one for _, one in found[:PAGE_SIZE]]
        return Page(shown, encode_cursor(found[PAGE_SIZE][0]) if len(found) > PAGE_SIZE else None)

    async def hours(self, requester: Requester, run_id: UUID) -> list[tuple[object, int]]:
        """Return the matches of a run by hour. Raises: Problem 404."""
        await self.run(requester, run_id)
        return [*await hunt_store.fetch_hours(self._db, run_id)]

    async def cancel(self, requester: Requester, run_id: UUID) -> None:
        """Cancel a run, whichever process does it. Raises: Problem 404."""
        run = await self.run(requester, run_id)
        await hunt_store.end(self._db, run.run_id, RunState.CANCELLED)
        if task := self._working.get(run_id):
            task.cancel()

    async def save(self, requester: Requester, name: str, days: int, hunt: Hunt) -> SavedHunt:
        """Keep a hunt for another time. Raises: Problem 404, 400 for no name or a wrong hunt."""
        scope = await self._tenants.scope_of(requester)
        name = name.strip()
        if not 1 <= len(name) <= 100:
            raise bad_request("name", N_("The name is 1 to 100 characters long."), code="value")
        saved = SavedHunt(
            hunt_id=uuid7(),
            tenant_id=scope.tenant_id,
            name=name,
            days=days,
            hunt=checked_hunt(hunt),
            saved_by=requester.name,
            saved_at=clock.now(),
        )
        event = HuntSaved(hunt_id=saved.hunt_id, tenant_id=saved.tenant_id, is_kept=True)
        await self._db.write([hunt_store.saved_row(saved), *self._journal.rows_for(requester, event)])
        return saved

    async def saved(self, requester: Requester, text: str = "", cursor: str | None = None) -> Page[SavedHunt]:
        """Return a page of the kept hunts that somebody sees, the newest first. Raises: Problem 404, 400."""
        scope = await self._tenants.scope_of(requester)
        before = decode_uuid_cursor(cursor)
        found = await hunt_store.fetch_saved_page(self._db, scope, text.strip(), before, PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        return Page(shown, encode_cursor(shown[-1].hunt_id) if len(found) > PAGE_SIZE else None)

    async def saved_hunt(self, requester: Requester, hunt_id: UUID) -> SavedHunt:
        """Return a kept hunt. Raises: Problem 404."""
        found = await hunt_store.fetch_saved(self._db, await self._tenants.scope_of(requester), hunt_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def forget(self, requester: Requester, hunt_id: UUID) -> None:
        """Delete a kept hunt. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        async with self._db.transaction() as conn:
            if not await hunt_store.delete_saved(conn, scope, hunt_id):
                raise Problem(404, "not-found", NOT_FOUND)
            event = HuntSaved(hunt_id=hunt_id, tenant_id=scope.tenant_id, is_kept=False)
            await insert(conn, self._journal.rows_for(requester, event))

    async def search(self, scope: Scope, hunt: Hunt) -> Result:
        """Return what a hunt finds, for the program itself."""
        return [result async for result in self._search.run(scope.tenant_id, hunt)][-1]

    async def tidy(self) -> None:
        """End the runs of processes that died, and delete what has been kept long enough."""
        await hunt_store.end_abandoned(self._db, ABANDONED_AFTER, _ABANDONED)
        await hunt_store.delete_matches(self._db, clock.now() - MATCHES_KEPT)
        await hunt_store.delete_runs(self._db, clock.now() - RUNS_KEPT)

    async def close(self) -> None:
        """Break off the runs of this process."""
        tasks = [*self._working.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, run: HuntRun) -> None:
        progress = _Progress(run)
        beating = asyncio.create_task(self._beat(progress, asyncio.current_task()))
        try:
            async with self._turns:
                async for result in self._search.run(run.tenant_id, run.hunt):
                    progress.result = result
            await self._finish(run, progress.result)
        except asyncio.CancelledError:
            with suppress(Exception):
                await hunt_store.end(self._db, run.run_id, RunState.FAILED, _ABANDONED)
            raise
        except Exception:
            log.exception("the hunt %s failed", run.run_id)
            await hunt_store.end(self._db, run.run_id, RunState.FAILED, _FAILED)
        finally:
            beating.cancel()

    async def _beat(self, progress: "_Progress", worker: "asyncio.Task[None] | None") -> None:
        """Keep the progress each second; cancel the work when somebody cancelled the run."""
        while True:
            done = progress.result
            goes_on = await hunt_store.beat(
                self._db, progress.run.run_id, done.rows_done, done.rows_total, done.matches
            )
            if not goes_on and worker is not None:
                worker.cancel()
                return
            await asyncio.sleep(_BEAT_SECONDS)

    async def _finish(self, run: HuntRun, result: Result) -> None:
        found = result.found()
        rows = [hunt_store.match_row(run.run_id, place, one) for place, one in enumerate(found)]
        await hunt_store.beat(self._db, run.run_id, result.rows_done, result.rows_total, result.matches)
        async with self._db.transaction() as conn:
            if await hunt_store.end(conn, run.run_id, RunState.DONE):
                await insert_in_batches(conn, [*hunt_store.hour_rows(run.run_id, result.hours), *rows])


class _Progress:
    """A run with what it has found so far."""

    def __init__(self, run: HuntRun) -> None:
        self.run, self.result = run, Result()


def again(saved: SavedHunt) -> Hunt:
    """Return a kept hunt for the days before now."""
    now = clock.now()
    return replace(saved.hunt, since=now - timedelta(days=saved.days), until=now)
