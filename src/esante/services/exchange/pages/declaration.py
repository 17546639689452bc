"""What the pages of operators add to the declaration of the exchange."""

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access
from esante.services.exchange.audit import AuditTrail
from esante.services.exchange.contact_points import ContactPoints
from esante.services.exchange.pages.operator_pages import PLACE, OperatorPages
from esante.services.exchange.settings import ExchangeSettings


def _routes(platform: Platform) -> list[BaseRoute]:
    settings = platform.settings.of(ExchangeSettings)
    pages = OperatorPages(platform[ContactPoints], platform[AuditTrail], platform[Access], settings)
    return [*pages.routes()]


OPERATOR_PAGES = Part(
    routes=_routes,
    navigation=[
        NavigationItem(role="operator", url=PLACE, label=N_("Cross-border exchange"), icon="globe", order=74),
    ],
)
