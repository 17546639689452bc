"""The kinds of documents that are built out of a record, from data/formats.toml."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods

SUMMARY = "patient-summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRule:
    """A section of a kind of document, and which resources it takes (fields: see data/formats.toml)."""

    code: str
    standard: str
    label: str
    types: tuple[str, ...]
    categories: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    state: str = ""
    latest: bool = False
    limit: int = 200
    required: bool = False
    narrative: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentKind:
    """A kind of document (fields: see data/formats.toml).

    `profiles`: those of the Bundle and of the Composition, "" where none is claimed. `focus`: the types of what it is
    about, empty for a document about the person; `categories`: the codes that the category or class of that has.
    """

    name: str
    label: str
    loinc: str
    standard: str
    types: frozenset[str]
    article: str
    guide: str
    profiles: tuple[str, str]
    focus: tuple[str, ...]
    sections: tuple[SectionRule, ...]
    categories: frozenset[str] = frozenset()

    @property
    def is_summary(self) -> bool:
        """Whether it is about the person as a whole."""
        return not self.focus


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRules:
    """The kinds in force from a day."""

    valid_from: date
    legal_source: str
    verified: bool
    kinds: tuple[DocumentKind, ...]


def _parse_kind(table: dict[str, Any]) -> DocumentKind:
    sections = tuple(_parse_section(one) for one in table["section"])
    bundle, composition = table["profiles"]
    return DocumentKind(
        name=table["name"],
        label=table["label"],
        loinc=table["loinc"],
        standard=table["standard"],
        types=frozenset(table["types"]),
        article=table["article"],
        guide=table["guide"],
        profiles=(bundle, composition),
        focus=tuple(table["focus"]),
        sections=sections,
        categories=frozenset(table.get("categories", ())),
    )


def _parse_section(table: dict[str, Any]) -> SectionRule:
    lists: dict[str, Any] = {name: frozenset(table[name]) for name in ("categories", "codes") if name in table}
    return SectionRule(**(table | lists | {"types": tuple(table["types"])}))


def _parse_period(table: dict[str, Any]) -> FormatRules:
    return FormatRules(
        valid_from=table["valid_from"],
        legal_source=table["legal_source"],
        verified=table["verified"],
        kinds=tuple(_parse_kind(one) for one in table["kind"]),
    )


@cache
def _periods() -> tuple[FormatRules, ...]:
    return parse_periods(packaged_text("esante.services.ehds", "formats.toml"), _parse_period)


def format_rules(day: date) -> FormatRules:
    """Return the rules in force on a day."""
    return in_force(_periods(), day)


def document_kinds(day: date) -> tuple[DocumentKind, ...]:
    """Return the kinds in force on a day."""
    return format_rules(day).kinds


def find_kind(name: str, day: date) -> DocumentKind | None:
    """Return a kind by its name; None where there is none."""
    return next((kind for kind in document_kinds(day) if kind.name == name), None)
