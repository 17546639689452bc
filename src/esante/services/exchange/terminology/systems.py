"""Code systems by OID and by URI: CDA names them by OID, FHIR by URI."""

import tomllib
from dataclasses import dataclass
from functools import cache

from esante.core.dated_data import packaged_text

_URN = "urn:oid:"


@dataclass(frozen=True, slots=True)
class CodeSystemName:
    """The names of a code system: its OID, its URI in FHIR, and the name that CDA writes beside the OID."""

    oid: str
    uri: str
    name: str


@cache
def known_systems() -> tuple[CodeSystemName, ...]:
    """Return the code systems of `data/systems.toml`."""
    rows = tomllib.loads(packaged_text(__package__, "systems.toml"))["system"]
    return tuple(CodeSystemName(row["oid"], row["uri"], row["name"]) for row in rows)


@cache
def _by_oid() -> dict[str, CodeSystemName]:
    return {system.oid: system for system in reversed(known_systems())}


@cache
def _by_uri() -> dict[str, CodeSystemName]:
    return {system.uri: system for system in reversed(known_systems())}


def uri_of(oid: str) -> str:
    """Return the URI of a code system that CDA names; `urn:oid:` and the OID for one that has no other."""
    found = _by_oid().get(oid)
    if found is not None:
        return found.uri
    return oid if ":" in oid else f"{_URN}{oid}"


def oid_of(uri: str) -> str:
    """Return the OID of a code system that FHIR names; its URI for one of which no OID is known."""
    found = _by_uri().get(uri)
    if found is not None:
        return found.oid
    return uri[len(_URN) :] if uri.startswith(_URN) else uri


def name_of(oid: str) -> str:
    """Return the name of a code system, "" for one that is not known."""
    found = _by_oid().get(oid)
    return found.name if found is not None else ""
