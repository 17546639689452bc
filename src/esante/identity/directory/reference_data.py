"""The dated data files of the directory: systems of identifiers, professions, kinds of organisation."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from esante.identity.directory.model import Catalogue, System, Term


@cache
def catalogue() -> Catalogue:
    """The catalogue that the program carries, read once."""
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


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files("esante.identity.directory") / "data" / name).read_text(encoding="utf-8"))
