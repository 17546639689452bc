"""The categories of documents and their LOINC types, from data/categories.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class DocumentType:
    """A LOINC document type that is taken in."""

    code: str
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category of documents: what the access matrix and the filters speak of. `label` is a msgid."""

    key: str
    label: str
    types: tuple[DocumentType, ...]
    verified: bool
    source: str


def _load() -> dict[str, Category]:
    text = (files("esante.services.record") / "data" / "categories.toml").read_text(encoding="utf-8")
    found = {}
    for entry in tomllib.loads(text)["category"]:
        types = tuple(DocumentType(**type_) for type_ in entry.pop("types"))
        found[entry["key"]] = Category(types=types, **entry)
    return found


CATEGORIES: Mapping[str, Category] = _load()
"""Every category by its key, in the order in which they are offered."""

_BY_TYPE = {type_.code: (category, type_) for category in CATEGORIES.values() for type_ in category.types}


def category_of_type(code: str) -> Category | None:
    """The category of a LOINC document type, or None for a type that is not taken in."""
    return _BY_TYPE[code][0] if code in _BY_TYPE else None


def display_of_type(code: str) -> str:
    """The English name of a LOINC document type of the list; the code itself for another."""
    return _BY_TYPE[code][1].display if code in _BY_TYPE else code
