"""The dated data files of the directory: systems of identifiers, professions, kinds of organisation."""

import tomllib
from functools import cache

import msgspec

from esante.core.dated_data import packaged_text
from esante.core.types import Json
from esante.identity.directory.model import Catalogue, System, Term


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
