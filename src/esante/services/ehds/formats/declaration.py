"""The declaration of the exchange format."""

from collections.abc import Iterable

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform
from esante.contract_parts import Part
from esante.core.web import N_, P_
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.ehds.formats import api
from esante.services.ehds.formats.intake import Intake
from esante.services.ehds.formats.service import Formats
from esante.services.ehds.pages.summary_pages import SummaryPages
from esante.services.record import Record


def _build(platform: Platform) -> Iterable[object]:
    yield Formats(platform.db, platform[Record], platform[Directory], platform.fhir_url)
    yield Intake(platform[Record], platform.journal)


def _routes(platform: Platform) -> list[BaseRoute]:
    pages = SummaryPages(platform[Formats], platform[Access], platform[Directory])
    return [
        *api.routes(platform[Formats], platform[Intake], platform[Access], platform.fhir_url),
        *pages.routes(),
    ]


PART = Part(
    build=_build,
    routes=_routes,
    navigation=[
        NavigationItem(role="patient", url="/summary", label=P_("menu", "Summary"), icon="summary", order=37),
        NavigationItem(role="record", url="/summary", label=N_("Summary"), icon="summary"),
    ],
)
