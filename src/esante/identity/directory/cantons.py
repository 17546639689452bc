"""The cantons of the communes (data/cantons.csv)."""

import csv
import unicodedata
from collections.abc import Mapping
from functools import cache
from io import StringIO

from esante.core.dated_data import packaged_text
from esante.identity.directory.model import Address


def canton_of(address: Address) -> str:
    """Return the canton of an address, "" where the commune is not known or lies abroad."""
    return _cantons().get(_normal(address.city), "") if address.country in ("", "LU") else ""


@cache
def _cantons() -> Mapping[str, str]:
    rows = csv.DictReader(StringIO(packaged_text("esante.identity.directory", "cantons.csv")))
    return {_normal(row["city"]): row["canton"] for row in rows}


def _normal(city: str) -> str:
    """Return a name without accents, blanks and case, as it is compared."""
    plain = unicodedata.normalize("NFKD", city.casefold())
    return "".join(char for char in plain if char.isalpha() and not unicodedata.combining(char))
