"""Runs on the platform: started by a vendor, executed in the process that was asked, kept with a signed report.

The options that are secret stay in the memory of that process and are forgotten with the run.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from asyncpg import UniqueViolationError
from joserfc.jwk import ECKey

from esante.core import clock
from esante.core.journal import Journal
from esante.core.outbound import AddressNotAllowed, AddressPolicy, CheckedTransport
from esante.core.storage import Database, Unavailable, insert, read_or_create_key, uuid7
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.conformance.kits import run_store
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Kit, Verdict
from esante.services.conformance.kits.report import ReportError, new_key, read_key, report, sign, verify
from esante.services.conformance.kits.run_model import KeptRun, RunEnded, RunStarted, RunState
from esante.services.conformance.kits.runner import run_kit
from esante.services.conformance.kits.session import LOOPBACK
from esante.services.conformance.vendors.service import Vendors

log = logging.getLogger(__name__)
PAGE_SIZE = 20
MOST_RUNS = 4
"""Runs at once in a process."""
BEAT_SECONDS = 2.0
SILENCE = timedelta(seconds=30)
"""A run of which nothing was heard for this time was interrupted."""
LONGEST_ADDRESS, LONGEST_OPTION = 500, 10_000
_PORTS = {"http": 80, "https": 443}


class Runs:
    """The runs of all vendors. A vendor sees their own; `key_path`: the file of the key that signs reports."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        vendors: Vendors,
        policy: AddressPolicy,
        key_path: Path,
        listen: str = LOOPBACK,
    ) -> None:
        self._db, self._journal, self._vendors, self._policy = db, journal, vendors, policy
        self._key_path, self._listen = key_path, listen
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def key(self) -> ECKey:
        """The key that signs reports; made when there is none."""
        return read_key(read_or_create_key(self._key_path, new_key))

    async def start(self, requester: Requester, kit_name: str, target: str, options: Mapping[str, str]) -> KeptRun:
        """Start a kit against a target; return the run, which goes on beside the requests.

        Raises: Problem 400 for an unknown kit, or an address or option that is wrong or not allowed, 409 while the
        vendor has a run or is not accepted, 503 when the process has too many.
        """
        vendor, kit = await self._vendors.accepted(requester), kits().get(kit_name)
        if kit is None:
            raise bad_request("kit", N_("Choose a test."), code="value")
        target = target.strip()
        await self._check_address(target)
        given = checked_options(kit, options)
        if len(self._tasks) >= MOST_RUNS:
            raise Problem(
                503, "throttled", N_("Too many tests are running."), remedy=N_("Wait a few minutes, then try again.")
            )
        now = clock.now()
        secrets = {one.name for one in kit.options if one.secret}
        run = KeptRun(
            run_id=uuid7(),
            vendor_id=vendor.vendor_id,
            kit=kit.name,
            kit_version=kit.version,
            target=target,
            options={name: value for name, value in given.items() if name not in secrets},
            state=RunState.RUNNING,
            done=0,
            total=len(kit.requirements),
            started_at=now,
            beat_at=now,
        )
        await self._insert(requester, run)
        task = asyncio.create_task(self._execute(requester, run, kit, given))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    async def _insert(self, requester: Requester, run: KeptRun) -> None:
        """Write a new run. Raises: Problem 409 while the vendor has another one."""
        event = RunStarted(
            run_id=run.run_id,
            vendor_id=run.vendor_id,
            kit=run.kit,
            kit_version=run.kit_version,
            target=run.target,
        )
        await run_store.interrupt_silent(self._db, run.started_at - SILENCE)
        try:
            async with self._db.transaction() as conn:
                await insert(conn, [run_store.run_row(run), *self._journal.rows_for(requester, event)])
        except UniqueViolationError as error:
            raise Problem(
                409, "conflict", N_("A test of yours is running already."), remedy=N_("Wait until it has ended.")
            ) from error

    async def _check_address(self, target: str) -> None:
        """Raise Problem 400 unless an address is one that the platform may call now."""
        parts = _parsed(target)
        if parts is not None:
            try:
                await self._policy.resolve(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme])
            except AddressNotAllowed:
                pass
            else:
                return
        raise bad_request(
            "target",
            N_("We cannot run tests against this address."),
            N_("Use an https address on the public internet."),
            code="value",
        )

    async def _execute(self, requester: Requester, run: KeptRun, kit: Kit, options: Mapping[str, str]) -> None:
        done = 0

        def progress(number: int, total: int, name: str) -> None:
            nonlocal done
            done = number

        async def beat() -> None:
            while True:
                await asyncio.sleep(BEAT_SECONDS)
                with suppress(Unavailable):  # the next beat may come in time
                    await run_store.write_progress(self._db, run.run_id, done, clock.now())

        beating = asyncio.create_task(beat())
        try:
            transport = CheckedTransport(self._policy)
            found = await run_kit(kit, run.target, options, progress, transport, self._listen)
            found = replace(found, id=run.run_id)
            content = report(found, kit)
            await self._end(requester, run, content, found.count(Verdict.PASSED), found.count(Verdict.FAILED))
        except asyncio.CancelledError:
            await self._interrupt(run)
            raise
        except Exception:
            log.exception("the run %s failed", run.run_id)
            await self._interrupt(run)
        finally:
            beating.cancel()

    async def _end(self, requester: Requester, run: KeptRun, content: Json, met: int, failed: int) -> None:
        ended = replace(
            run,
            state=RunState.ENDED,
            done=run.total,
            ended_at=clock.now(),
            passed=bool(content["passed"]),
            report=sign(content, self.key),
        )
        event = RunEnded(
            run_id=run.run_id,
            vendor_id=run.vendor_id,
            kit=run.kit,
            kit_version=run.kit_version,
            passed=ended.passed,
            met=met,
            failed=failed,
        )
        async with self._db.transaction() as conn:
            if await run_store.write_end(conn, ended):
                await insert(conn, self._journal.rows_for(requester, event))

    async def _interrupt(self, run: KeptRun) -> None:
        interrupted = replace(run, state=RunState.INTERRUPTED, ended_at=clock.now())
        async with self._db.transaction() as conn:
            await run_store.write_end(conn, interrupted)

    async def search(self, requester: Requester, text: str = "", cursor: str | None = None) -> Page[KeptRun]:
        """Return a page of the requester's own runs, newest first. Raises: Problem 400 for a wrong cursor."""
        vendor = await self._vendors.current(requester)
        await run_store.interrupt_silent(self._db, clock.now() - SILENCE)
        before = decode_uuid_cursor(cursor)
        found = await run_store.search(self._db, vendor.vendor_id, text.lower().split(), before, PAGE_SIZE + 1)
        following = encode_cursor(found[PAGE_SIZE - 1].run_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], following)

    async def find(self, requester: Requester, run_id: UUID) -> KeptRun:
        """Return a run of the requester's own. Raises: Problem 404 for any other."""
        vendor = await self._vendors.current(requester)
        await run_store.interrupt_silent(self._db, clock.now() - SILENCE)
        found = await run_store.find_run(self._db, run_id)
        if found is None or found.vendor_id != vendor.vendor_id:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    def content(self, run: KeptRun) -> Json:
        """Return the report of a run that has ended, from its signed form.

        Raises: Problem 404 for any other run, 409 for a report that the platform's present key did not sign.
        """
        if not run.report:
            raise Problem(404, "not-found", NOT_FOUND)
        try:
            return verify(run.report, self.key)
        except ReportError as error:
            raise Problem(
                409,
                "conflict",
                N_("The report was not signed with our present key."),
                remedy=N_("Run the test again."),
            ) from error

    async def close(self) -> None:
        """Stop the runs of this process; they are kept as interrupted."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _parsed(target: str) -> SplitResult | None:
    """Return the parts of an address that can be called; None for any other text."""
    if len(target) > LONGEST_ADDRESS or not target.isprintable():
        return None
    try:
        parts = urlsplit(target)
        further = parts.username or parts.query or parts.fragment
        return parts if parts.scheme in _PORTS and parts.hostname and parts.port != 0 and not further else None
    except ValueError:
        return None


def checked_options(kit: Kit, options: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a kit that were given. Raises: Problem 400 for one that is too long."""
    given = {one.name: options.get(one.name, "").strip() for one in kit.options}
    for name, value in given.items():
        if len(value) > LONGEST_OPTION:
            raise bad_request(name, N_("This text is too long."), N_("Use fewer words."), code="value")
    return {name: value for name, value in given.items() if value}
