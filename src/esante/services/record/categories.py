"""The categories of documents (document classes) and their LOINC types, from data/categories.toml.

Their keys are stored. The policy set of `access` assigns a legal category, a row of the access matrix, to each.
"""

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
    """A class of documents, as the filters show it. `label` is a msgid."""

    key: str
    label: str
    types: tuple[DocumentType, ...]
    verified: bool
    source: str


def parse_categories(text: str) -> dict[str, Category]:
    """Return the categories of a TOML text by their keys.

    Raises: ValueError that names a category without types, or a category or type that is there twice.
    """
    categories: dict[str, Category] = {}
    known: dict[str, str] = {}
    for entry in tomllib.loads(text)["category"]:
        key, types = entry["key"], tuple(DocumentType(**type_) for type_ in entry.pop("types"))
        if not types:
            raise ValueError(f"categories: the category {key} has no types")
        if key in categories:
            raise ValueError(f"categories: the category {key} is there twice")
        for type_ in types:
            if other := known.get(type_.code):
                raise ValueError(f"categories: the type {type_.code} of {key} is also one of {other}")
            known[type_.code] = key
        categories[key] = Category(types=types, **entry)
    return categories


CATEGORIES: Mapping[str, Category] = parse_categories(packaged_text("esante.services.record", "categories.toml"))
"""Every category by its key, in the order in which they are offered."""

_BY_TYPE = {type_.code: (category, type_) for category in CATEGORIES.values() for type_ in category.types}


def type_choices(
    translate: Callable[[str], str], keys: Collection[str], *, besides: str = ""
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the types to choose from: for each category of `keys` its name and its types, as code and name.

    Of types with the same name in a category the first is offered, and also the type `besides`.
    """
    choices = []
    for category in CATEGORIES.values():
        named: dict[str, str] = {}
        for type_ in category.types:
            name = translate(type_.display)
            if name not in named or type_.code == besides:
                named[name] = type_.code
        if category.key in keys:
            choices.append((translate(category.label), [(code, name) for name, code in named.items()]))
    return choices


def category_of_type(code: str) -> Category | None:
    """Return the category of a LOINC document type, or None for a type that the record does not accept."""
    return _BY_TYPE[code][0] if code in _BY_TYPE else None


def display_of_type(code: str) -> str:
    """Return the English name of a LOINC document type of the list; for another, the code itself."""
    return _BY_TYPE[code][1].display if code in _BY_TYPE else code
