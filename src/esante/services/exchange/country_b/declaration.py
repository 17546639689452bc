"""Declaration of country B: the encounters of professionals with patients from abroad, and their pages."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.exchange.audit import AuditTrail
from esante.services.exchange.contact_points import ContactPoints
from esante.services.exchange.country_b.asker import Asker
from esante.services.exchange.country_b.gateway import Gateway
from esante.services.exchange.country_b.service import Encounters
from esante.services.exchange.country_b.terms import terms_on
from esante.services.exchange.pages.abroad_pages import PLACE, AbroadPages
from esante.services.exchange.settings import ExchangeSettings
from esante.services.exchange.terminology import CodeCatalogue, load_catalogue, sample_catalogue


def _build(platform: Platform) -> Iterable[object]:
    points = platform[ContactPoints]
    gateway = Gateway(points.client_context)
    asker = Asker(platform.db, points, platform[AuditTrail], gateway, _catalogue_of(platform))
    yield Encounters(platform.db, platform.journal, points, platform[Directory], asker)


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="ends of encounters", run=platform[Encounters].end_due, every=timedelta(minutes=10))]


def _catalogue_of(platform: Platform) -> Callable[[], CodeCatalogue]:
    """Return what loads the catalogue of the settings once, when it is needed."""
    return partial(_load, platform.settings.of(ExchangeSettings).ncp_catalogue)


@cache
def _load(folder: str) -> CodeCatalogue:
    return load_catalogue(Path(folder)) if folder else sample_catalogue()


def _routes(platform: Platform) -> list[BaseRoute]:
    catalogue = _catalogue_of(platform)
    pages = AbroadPages(platform[Encounters], platform[ContactPoints], platform[Access], catalogue)
    return [*pages.routes()]


def _kept_for(day: date) -> timedelta:
    return terms_on(day).open_for


COUNTRY_B = Part(
    build=_build,
    tasks=_tasks,
    routes=_routes,
    navigation=[
        NavigationItem(
            role="practitioner", url=PLACE, label=N_("Patient from abroad"), icon="globe", order=45, menu=True
        )
    ],
    kept=[
        KeptData(
            what=N_(
                "Of patients from abroad who are treated here: who they are, and the documents that their country sent"
            ),
            why=N_(
                "So that the health professional who treats them sees what they need; deleted when the encounter ends."
            ),
            how_long=_kept_for,
        )
    ],
)
