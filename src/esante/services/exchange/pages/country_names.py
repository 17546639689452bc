"""Names of countries in the languages of the portal (CLDR)."""

from functools import cache

from babel import Locale


@cache
def country_name(country: str, language: str) -> str:
    """Return the name of a country (ISO 3166-1 alpha-2) in a language; the code itself where there is none."""
    return str(Locale.parse(language).territories.get(country, country))
