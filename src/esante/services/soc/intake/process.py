"""The intake as processes: one that supervises, and workers that share the listening sockets."""

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, Unavailable
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.findings.correlations import Correlations
from esante.services.soc.findings.observed_values import ObservedValues
from esante.services.soc.findings.rule_folder import Load, RuleFolder
from esante.services.soc.findings.stream_rules import StreamRules
from esante.services.soc.intake.http_api import IntakeEndpoints
from esante.services.soc.intake.http_connection import HttpServer
from esante.services.soc.intake.listener import Listener, server_context
from esante.services.soc.intake.pipeline import Pipeline
from esante.services.soc.intake.syslog_server import SyslogServer
from esante.services.soc.scan.samples import load_admitted_rules
from esante.services.soc.sources.valid_keys import ValidKeys
from esante.services.soc.storage.service import EventStore
from esante.settings import Settings

DRAIN_SECONDS = 10.0
COLLECT_AFTER = 50_000
"""New objects after which the garbage collector runs: events leave hardly any cycles, and batches are large."""
DAYS_SECONDS = 3_600.0
PARENT_SECONDS = 1.0
RESTART_SECONDS = 1.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakePlan:
    """What an intake process does: its sockets by what is spoken there, and whence its rules come."""

    settings: Settings
    syslog: tuple[socket.socket, ...] = ()
    syslog_tls: tuple[socket.socket, ...] = ()
    http: tuple[socket.socket, ...] = ()
    https: tuple[socket.socket, ...] = ()
    certificate: str = ""
    key: str = ""
    rules: Path | None = None
    load: Load = field(default=load_admitted_rules)


class Intake:
    """The parts of an intake in this process."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        events: EventStore,
        alerts: Alerts,
        observed: ObservedValues,
        plan: IntakePlan,
    ) -> None:
        self._journal, self._events, self._observed = journal, events, observed
        self.rules = RuleFolder(plan.rules, plan.load)
        self.keys = ValidKeys(db)
        self.pipeline = Pipeline(db, events, alerts, self.rules.rules, observed)
        self.correlations = Correlations(db, alerts, self.rules.rules)
        self.syslog = SyslogServer(self.pipeline, self.keys)
        self.http = HttpServer(IntakeEndpoints(self.pipeline, self.keys).application())
        context = server_context(plan.certificate, plan.key) if plan.syslog_tls or plan.https else None
        if context is not None:
            self.keys.trust_in(context)
        self._listeners = [*self._listeners_of(plan, context)]

    def _listeners_of(self, plan: IntakePlan, context: ssl.SSLContext | None) -> list[Listener]:
        kinds = (
            (plan.syslog, self.syslog.protocol, None),
            (plan.syslog_tls, self.syslog.protocol, context),
            (plan.http, self.http.protocol, None),
            (plan.https, self.http.protocol, context),
        )
        return [Listener(one, protocol, tls) for sockets, protocol, tls in kinds for one in sockets]

    async def prepare(self) -> None:
        """Make ready: storage for the next days, keys, rules."""
        await self._prepare_days()
        await self.keys.refresh()
        if await self.rules.read():
            self.use(self.rules.rules)

    def use(self, rules: StreamRules) -> None:
        """Use other rules from now on."""
        self.pipeline.rules = rules
        self.correlations.use(rules)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take connections within a context; at its end what was read is stored."""
        working = [asyncio.create_task(one) for one in (self.pipeline.run(), self.correlations.keep_running())]
        beside = [self.keys.keep_fresh(), self.rules.keep_reading(self.use), self.syslog.keep_checking()]
        beside.append(self._observed.keep_fresh())
        taking = [
            asyncio.create_task(one) for one in (*beside, self._keep_days(), *(one.run() for one in self._listeners))
        ]
        try:
            yield
        finally:
            self.syslog.close()
            self.http.close()
            await _end(taking)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self.pipeline.drain()
            await _end(working)

    async def _prepare_days(self) -> None:
        now = clock.now()
        await self._journal.ensure_months(now, now + timedelta(days=35))
        await self._events.prepare_days()

    async def _keep_days(self) -> None:
        while True:
            await asyncio.sleep(DAYS_SECONDS)
            try:
                await self._prepare_days()
            except Unavailable:
                log.warning("the storage of the next days waits for the database")


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve_intake(intake: Intake) -> None:
    """Serve until SIGTERM or SIGINT, or until the process that started this one has ended."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    parent = os.getppid()
    await intake.prepare()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    async with intake.running():
        log.info("the intake is ready")
        while not stopped.is_set() and os.getppid() == parent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), PARENT_SECONDS)


def run_workers(work: Callable[[IntakePlan], None], plan: IntakePlan, workers: int) -> None:
    """Run several processes that share the sockets; one that ends is started again.

    Returns after SIGTERM or SIGINT.
    """
    context = multiprocessing.get_context("spawn")
    stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)

    def start() -> BaseProcess:
        process = context.Process(target=work, args=(plan,))
        process.start()
        return process

    running = [start() for _ in range(workers)]
    while not stopping:
        for place, process in enumerate(running):
            process.join(RESTART_SECONDS / workers)
            if not process.is_alive() and not stopping:
                log.error("an intake process ended with status %s; another is started", process.exitcode)
                running[place] = start()
    for process in running:
        process.terminate()
    for process in running:
        process.join(DRAIN_SECONDS * 2)
        process.kill()
