"""Declaration of the FHIR package: `$validate`, its command, the compartment of patients, the index of dates."""

import asyncio
import logging
from datetime import timedelta

from starlette.datastructures import State
from starlette.routing import BaseRoute

from esante.contract import Platform, Service, Task
from esante.core import fhir
from esante.core.fhir.cli import fhir as commands
from esante.core.fhir.rest import validate_capability, validate_routes
from esante.core.fhir.store import refresh_index
from esante.core.time_zone import time_zone
from esante.core.types import Json
from esante.identity.access import Access

log = logging.getLogger(__name__)


def _routes(platform: Platform) -> list[BaseRoute]:
    return [*validate_routes(platform[Access].authenticate)]


def _capabilities(base_url: str) -> Json:
    return {
        "operation": [validate_capability()],
        "compartment": ["http://hl7.org/fhir/CompartmentDefinition/patient"],
    }


async def _start(platform: Platform, state: State) -> None:
    await asyncio.to_thread(fhir.passes_fast_check, b"{}")  # builds the FHIR types now, not at the first deposit


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="index of clinical resources", run=lambda: _refresh_index(platform), every=timedelta(hours=1))]


async def _refresh_index(platform: Platform) -> None:
    if changed := await refresh_index(platform.db):
        log.info("the days of %d clinical resources are those of the time zone %s now", changed, time_zone().key)


SERVICE = Service(
    package="esante.core.fhir",
    routes=_routes,
    start=_start,
    capabilities=_capabilities,
    tasks=_tasks,
    commands=[commands],
)
