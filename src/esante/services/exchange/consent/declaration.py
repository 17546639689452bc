"""What the consent for countries adds to the declaration of the exchange."""

from collections.abc import Iterable
from functools import cache

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access
from esante.services.exchange.consent.preview import SummaryPreview
from esante.services.exchange.consent.service import CountryConsents
from esante.services.exchange.contact_points import ContactPoints
from esante.services.exchange.country_a.assembly import catalogue_of
from esante.services.exchange.pages.patient_pages import PLACE, PatientPages
from esante.services.exchange.settings import ExchangeSettings
from esante.services.exchange.terminology import CodeCatalogue
from esante.services.record import Record


def _build(platform: Platform) -> Iterable[object]:
    yield CountryConsents(platform[Access])


def _routes(platform: Platform) -> list[BaseRoute]:
    access = platform[Access]

    @cache
    def catalogue() -> CodeCatalogue:
        return catalogue_of(platform.settings.of(ExchangeSettings))

    preview = SummaryPreview(platform[Record], access, catalogue)
    pages = PatientPages(platform[ContactPoints], platform[CountryConsents], preview, access, platform.journal)
    return [*pages.routes()]


CONSENT = Part(
    build=_build,
    routes=_routes,
    navigation=[NavigationItem(role="patient", url=PLACE, label=N_("Care abroad"), icon="globe", menu=True)],
)
