"""The categories of documents and their LOINC types, from data/categories.toml."""

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from esante.core.dated_data import packaged_text

LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class DocumentType:
    """A LOINC document type that the record accepts."""

    code: str
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category of documents, as the access matrix and the filters use it. `label` is a msgid."""

    key: str
    label: str
    types: tuple[DocumentType, ...]
    verified: bool
    source: str


def _load() -> dict[str, Category]:
    categories = {}
    for entry in tomllib.loads(packaged_text("esante.services.record", "categories.toml"))["category"]:
        types = tuple(DocumentType(**type_) for type_ in entry.pop("types"))
        categories[entry["key"]] = Category(types=types, **entry)
    return categories


CATEGORIES: Mapping[str, Category] = _load()
"""Every category by its key, in the order in which they are offered."""

_BY_TYPE = {type_.code: (category, type_) for category in CATEGORIES.values() for type_ in category.types}


def type_choices(
    translate: Callable[[str], str], *, leaving_out: Collection[str] = (), besides: str = ""
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the types to choose from: for each category its name and its types, as code and name in a language.

    Of types with the same name in a category the first is offered, and also the type `besides`. Categories
    `leaving_out` are not offered.
    """
    choices = []
    for category in CATEGORIES.values():
        named: dict[str, str] = {}
        for type_ in category.types:
            name = translate(type_.display)
            if name not in named or type_.code == besides:
                named[name] = type_.code
        if category.key not in leaving_out:
            choices.append((translate(category.label), [(code, name) for name, code in named.items()]))
    return choices


def category_of_type(code: str) -> Category | None:
    """Return the category of a LOINC document type, or None for a type that the record does not accept."""
    return _BY_TYPE[code][0] if code in _BY_TYPE else None


def display_of_type(code: str) -> str:
    """Return the English name of a LOINC document type of the list; for another, the code itself."""
    return _BY_TYPE[code][1].display if code in _BY_TYPE else code
