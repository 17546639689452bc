"""What the consent for countries adds to the declaration of the exchange."""

from collections.abc import Iterable

from esante.contract import Platform
from esante.contract_parts import Part
from esante.identity.access import Access
from esante.services.exchange.consent.service import CountryConsents


def _build(platform: Platform) -> Iterable[object]:
    yield CountryConsents(platform[Access])


CONSENT = Part(build=_build)
