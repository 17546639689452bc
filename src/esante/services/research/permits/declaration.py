"""Permits and approved data requests."""

from collections.abc import Iterable
from datetime import timedelta

from esante.contract import Platform, Task
from esante.contract_parts import Part
from esante.services.research.permits.service import Permits


def _build(platform: Platform) -> Iterable[object]:
    yield Permits(platform.db, platform.journal)


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="ends of data permits", run=platform[Permits].tend, every=timedelta(hours=12))]


PERMITS = Part(build=_build, tasks=_tasks)
