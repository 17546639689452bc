"""A catalogue of codes: designations by language, transcodings to the pivot, value sets with their versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from esante.services.exchange.model import Fault

Code = tuple[str, str]
"""A concept: the OID of its code system (the URI where there is no OID) and its code."""


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A value set: its OID (or URL), name, version, and the concepts that it has."""

    oid: str
    name: str
    version: str
    codes: frozenset[Code]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCatalogue:
    """Codes and their designations, as loaded from a folder at a date.

    designations   by concept and language (BCP 47, lower case)
    pivots         the concept of the pivot to which a national one is transcoded
    ambiguous      national concepts with more than one concept of the pivot
    value_sets     by OID
    versions       of code systems, by OID
    day            the day of which the catalogue is; None when nothing says it
    warnings       what was odd and did not hinder the use
    """

    designations: Mapping[Code, Mapping[str, str]] = field(default_factory=dict)
    pivots: Mapping[Code, Code] = field(default_factory=dict)
    ambiguous: Mapping[Code, Sequence[Code]] = field(default_factory=dict)
    value_sets: Mapping[str, ValueSet] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    day: date | None = None
    warnings: Sequence[Fault] = ()

    def holds(self, code: Code) -> bool:
        """Whether the catalogue knows a concept."""
        return code in self.designations

    def designation(self, code: Code, language: str) -> str | None:
        """Return the designation in a language; for `fr-LU` also one in `fr`."""
        known = self.designations.get(code)
        if not known:
            return None
        tag = language.lower()
        return known.get(tag) or known.get(tag.partition("-")[0])

    @property
    def languages(self) -> list[str]:
        """The languages in which there is a designation."""
        return sorted({language for known in self.designations.values() for language in known})
