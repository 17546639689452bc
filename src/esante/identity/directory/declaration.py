"""Declaration of the directory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, NoticeKind, Platform, Service
from esante.core.types import Json
from esante.core.web import N_, P_
from esante.identity.access import Access, Requester
from esante.identity.directory.api import capabilities, routes
from esante.identity.directory.cli import directory
from esante.identity.directory.matching.duplicates import Duplicates
from esante.identity.directory.matching.match_api import match_capability, match_routes
from esante.identity.directory.matching.service import Matching
from esante.identity.directory.merging.model import PersonsMerged, PersonsSeparated
from esante.identity.directory.merging.service import Merging
from esante.identity.directory.pages import duplicates, error_rate, merges
from esante.identity.directory.pix.pix_api import pix_capability, pix_routes
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
    yield Duplicates(platform.db, platform.journal, directory)
    yield Merging(platform.db, platform.journal, directory)


def _routes(platform: Platform) -> list[BaseRoute]:
    directory, authorize = platform[Directory], platform[Access].authorize_lookup
    authenticate = platform[Access].page_requester
    return [
        *match_routes(platform[Matching], directory.catalogue, authorize, platform.fhir_url),
        *pix_routes(platform.db, directory, authorize),
        *routes(directory, authorize, platform.fhir_url),
        *duplicates.routes(platform[Duplicates], platform[Merging], directory.catalogue, authenticate),
        *error_rate.routes(),
        *merges.routes(platform[Duplicates], platform[Merging], directory, authenticate),
    ]


async def _open_pairs(platform: Platform, requester: Requester) -> int:
    return await platform[Duplicates].count_open(requester)


def _capabilities(base_url: str) -> Json:
    operations: Json = {"type": "Patient", "operation": [match_capability(), pix_capability()]}
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
        ),
        KeptData(
            what=N_("Which other entry in the patient directory is similar to yours, and what was decided about it"),
            why=N_("So that all your documents are in one place, and nobody else's among them."),
        ),
    ],
    navigation=[
        NavigationItem(
            role="operator",
            url="/operator/duplicates",
            label=P_("menu", "Duplicates"),
            icon="people",
            order=25,
            waiting=_open_pairs,
        ),
    ],
    notices=[
        NoticeKind(
            name="persons_merged",
            event=PersonsMerged,
            text=N_(
                "%(actor)s joined two entries of yours in the patient directory, so that all your documents are in "
                "one place. If you have only ever had one entry, contact the helpdesk."
            ),
            icon="people",
            tone="warn",
            link="/log",
            contact=True,
            by_any_means=True,
        ),
        NoticeKind(
            name="persons_separated",
            event=PersonsSeparated,
            text=N_(
                "%(actor)s separated your entry in the patient directory from another one with which it was joined."
            ),
            icon="people",
            tone="warn",
            link="/log",
            contact=True,
            by_any_means=True,
        ),
    ],
    commands=[directory],
)
