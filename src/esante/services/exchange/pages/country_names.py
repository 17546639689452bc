"""Names of countries in the languages of the portal (CLDR)."""

from functools import cache

from babel import Locale

from esante.core.web import N_, translator

_KOSOVO = "XK"


@cache
def country_name(country: str, language: str) -> str:
    """Return the name of a country (ISO 3166-1 alpha-2) in a language, its code where there is none.

    Codes that no country has (X and a letter) are those of demonstrations.
    """
    if country.startswith("X") and country != _KOSOVO:
        return translator(language).gettext(N_("Fictitious country %(code)s")) % {"code": country}
    return str(Locale.parse(language).territories.get(country, country))
