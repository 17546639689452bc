"""What contact points add to the declaration of the exchange."""

from collections.abc import Iterable

from esante.contract import Platform
from esante.contract_parts import Part
from esante.services.exchange.contact_points.service import ContactPoints
from esante.services.exchange.settings import ExchangeSettings


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings.of(ExchangeSettings)
    folder = platform.settings.data / "exchange"
    yield ContactPoints(platform.db, platform.journal, folder, settings.ncp_country, settings.ncp_home)


CONTACT_POINTS = Part(build=_build)
