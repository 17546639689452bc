"""The folder of the rules that are in use: read at the start, and again when a file in it changes."""

import asyncio
import logging
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

from esante.services.soc.findings.stream_rules import StreamRules
from esante.services.soc.rules.rule_set import RuleSet
from esante.services.soc.scan.samples import load_admitted_rules

LOOK_SECONDS = 2.0
Load = Callable[[Path], RuleSet]
_State = frozenset[tuple[str, int, int]]
log = logging.getLogger(__name__)


def new_pool() -> Executor:
    """Return where rules are read."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


class RuleFolder:
    """Rules whose samples hold (`load`); without a folder there are none."""

    def __init__(self, folder: Path | None, load: Load = load_admitted_rules) -> None:
        self._folder, self._load = folder, load
        self._state: _State = frozenset()
        self.rules = StreamRules(RuleSet([], [], []))

    async def read(self) -> bool:
        """Read the rules where a file has changed; return whether they are others now.

        A rule that is not admitted is logged, and the others are used. They are read in a process of their own, since
        their samples take processor time that the stream needs.
        """
        state = await asyncio.to_thread(self._look)
        if self._folder is None or state == self._state:
            return False
        loop = asyncio.get_running_loop()
        with new_pool() as pool:
            found = await loop.run_in_executor(pool, self._load, self._folder)
        for fault in found.faults:
            log.warning("rule not admitted: %s", fault)
        self._state, self.rules = state, StreamRules(found)
        log.info("%d rules and %d correlations are in use", len(found.rules), len(found.correlations))
        return True

    async def keep_reading(self, changed: Callable[[StreamRules], None]) -> None:
        """Look again and again; `changed` is called with other rules."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if await self.read():
                    changed(self.rules)
            except Exception:
                log.exception("the rules could not be read; those before stay in use")

    def _look(self) -> _State:
        if self._folder is None:
            return frozenset()
        found = []
        for path in self._folder.rglob("*"):
            try:
                stat = path.stat()
            except OSError:
                continue  # removed in between
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
        return frozenset(found)
