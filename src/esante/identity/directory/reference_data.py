"""The dated data files of the directory: systems of identifiers, professions, kinds of organisation, cantons."""

import csv
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from io import StringIO

import msgspec

from esante.core.dated_data import packaged_text
from esante.core.types import Json
from esante.identity.directory.model import Address, Catalogue, System, Term


@cache
def catalogue() -> Catalogue:
    """Return the catalogue that is packaged with the program, read once."""
    identifiers, professions = _read("identifiers.toml"), _read("professions.toml")
    terms = [msgspec.convert(entry, Term) for entry in professions["entry"]]
    return Catalogue(
        dated=max(identifiers["dated"], professions["dated"]),
        systems=tuple(msgspec.convert(entry, System) for entry in identifiers["system"]),
        profession_system=professions["system"],
        speciality_system=professions["speciality_system"],
        professions={term.key: term for term in terms if term.kind == "profession"},
        organization_kinds={term.key: term for term in terms if term.kind == "organization"},
        specialities={term.key: term for term in terms if term.kind == "speciality"},
    )


def _read(name: str) -> Json:
    return tomllib.loads(packaged_text("esante.identity.directory", name))


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
