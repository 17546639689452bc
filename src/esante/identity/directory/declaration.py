"""Declaration of the directory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform, Service
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import Access
from esante.identity.directory.api import capabilities, routes
from esante.identity.directory.cli import directory
from esante.identity.directory.matching.match_api import match_capability, match_routes
from esante.identity.directory.matching.service import Matching
from esante.identity.directory.service import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySettings:
    """`matricule_check`: whether a wrong check digit of a matricule is refused, or only warned of."""

    matricule_check: Literal["strict", "warn"] = "warn"


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings.of(DirectorySettings)
    directory = Directory(platform.db, platform.journal, settings.matricule_check)
    yield directory
    yield Matching(platform.db, platform.journal, directory)


def _routes(platform: Platform) -> list[BaseRoute]:
    directory, authorize = platform[Directory], platform[Access].authorize_lookup
    return [
        *match_routes(platform[Matching], directory.catalogue, authorize, platform.fhir_url),
        *routes(directory, authorize, platform.fhir_url),
    ]


def _capabilities(base_url: str) -> Json:
    operations: Json = {"type": "Patient", "operation": [match_capability()]}
    return {"resource": [*capabilities(), operations]}


SERVICE = Service(
    package="esante.identity.directory",
    settings=DirectorySettings,
    build=_build,
    routes=_routes,
    capabilities=_capabilities,
    kept=[
        KeptData(
            what=N_("Your name, date of birth, sex, address and identification numbers"),
            why=N_("To recognise you, and never to mistake you for somebody else."),
        )
    ],
    commands=[directory],
)
