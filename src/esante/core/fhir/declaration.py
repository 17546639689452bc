"""Declaration of the FHIR package: `$validate`, its command, the compartment of patients."""

import asyncio

from starlette.datastructures import State
from starlette.routing import BaseRoute

from esante.contract import Platform, Service
from esante.core import fhir
from esante.core.fhir.cli import fhir as commands
from esante.core.fhir.rest import validate_capability, validate_routes
from esante.core.types import Json
from esante.identity.access import Access


def _routes(platform: Platform) -> list[BaseRoute]:
    return [*validate_routes(platform[Access].authenticate)]


def _capabilities(base_url: str) -> Json:
    return {
        "operation": [validate_capability()],
        "compartment": ["http://hl7.org/fhir/CompartmentDefinition/patient"],
    }


async def _start(platform: Platform, state: State) -> None:
    await asyncio.to_thread(fhir.passes_fast_check, b"{}")  # builds the FHIR types now, not at the first deposit


SERVICE = Service(
    package="esante.core.fhir",
    routes=_routes,
    start=_start,
    capabilities=_capabilities,
    commands=[commands],
)
