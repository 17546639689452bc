"""The patient's consent, country by country: a grant of access to the professionals of a country."""

from esante.services.exchange.consent.countries import country_key
from esante.services.exchange.consent.service import CountryConsent, CountryConsents

__all__ = ["CountryConsent", "CountryConsents", "country_key"]
