"""The lake, the environment over it, and its results."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.record import Record
from esante.services.research.accounts.service import Accounts
from esante.services.research.environment.model import JobLimits
from esante.services.research.environment.service import Environment
from esante.services.research.environment.worker import JobRunner
from esante.services.research.lake.folders import ExtractionFolders
from esante.services.research.lake.pseudonyms import PseudonymKey
from esante.services.research.lake.service import Lake
from esante.services.research.opt_out.service import OptOuts
from esante.services.research.outputs.service import Outputs
from esante.services.research.pages.environment_pages import EnvironmentPages
from esante.services.research.pages.environment_reviews import ReviewPages
from esante.services.research.permits.service import Permits

_MEBI = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """`research_folder`: where the data of permits lie ("": in the data folder).

    `research_seconds`, `research_memory` (MiB), `research_processes`: what a job may use.
    """

    research_folder: str = ""
    research_seconds: int = 600
    research_memory: int = 2_048
    research_processes: int = 32


def limits_of(settings: EnvironmentSettings) -> JobLimits:
    """Return what a job may use."""
    return JobLimits(
        seconds=settings.research_seconds,
        memory=settings.research_memory * _MEBI,
        processes=settings.research_processes,
    )


def _build(platform: Platform) -> Iterable[object]:
    db, journal, permits = platform.db, platform.journal, platform[Permits]
    own, data = platform.settings.of(EnvironmentSettings), platform.settings.data
    folders = ExtractionFolders(Path(own.research_folder) if own.research_folder else data / "research")
    key = PseudonymKey.open(data / "keys" / "research.key")
    lake = Lake(db, journal, platform[Record], platform[Directory], permits, platform[OptOuts], folders, key)
    outputs = Outputs(db, journal)
    yield from (lake, outputs, Environment(db, journal, permits, lake, outputs))
    yield JobRunner(db, journal, permits, lake, outputs, limits_of(own))


def _routes(platform: Platform) -> list[BaseRoute]:
    access, environment, outputs = platform[Access], platform[Environment], platform[Outputs]
    reviews = ReviewPages(access, environment, outputs, platform[Permits])
    return [*EnvironmentPages(access, platform[Accounts], environment).routes(), *reviews.routes()]


def _tasks(platform: Platform) -> list[Task]:
    lake = platform[Lake]
    return [
        Task(name="data of permits", run=lake.run),
        Task(name="data of permits that are over", run=lake.tend, every=timedelta(minutes=1)),
        Task(name="jobs of research", run=platform[JobRunner].run),
    ]


async def _waiting(platform: Platform, requester: Requester) -> int:
    return await platform[Outputs].count_waiting()


ENVIRONMENT = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(
            role="operator",
            url="/operator/research/outputs",
            label=N_("Results of research"),
            icon="check",
            order=58,
            waiting=_waiting,
        )
    ],
    kept=[
        KeptData(
            what=N_("Data of a research permit, without names: what the permit covers, under a pseudonym"),
            why=N_("So that research can be done where nothing but checked results leaves."),
        )
    ],
)
