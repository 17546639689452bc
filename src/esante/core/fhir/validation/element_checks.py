"""Checks of single elements that only `$validate` makes: where extensions stand, and markup in texts.

Sources: FHIR R4, Defining Extensions, Context; Security, section 6.1.0.7 (markup in texts can attack a page that shows
them as it got them).
"""

import functools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from esante.core.fhir.definitions import Element, extension_contexts
from esante.core.fhir.fhirpath import lineage
from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.validation.structure_validator import json_properties
from esante.core.types import Json

_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s|/|>)|<!--|<!DOCTYPE|<\?xml", re.IGNORECASE)
_MOST_DOTS = 6
"""Dots in a path of an element up to which contexts are compared; those of R4 have fewer."""


class _Place(NamedTuple):
    """An object: `names` are those by which the context of an extension may name it."""

    value: Json
    type: str
    names: frozenset[str]
    path: ElementPath


def check_elements(resource: Json, compacted: bytes) -> Iterator[Finding]:
    """Yield an error for each extension of R4 where it may not stand, and one warning for texts with markup.

    The structure of `resource` must be valid; `compacted` is its JSON without white space.
    """
    known = extension_contexts()
    has_extensions = b'"extension":' in compacted or b'"modifierExtension":' in compacted
    has_markup = b"<" in compacted
    if not has_extensions and not has_markup:
        return
    marked: list[ElementPath] = []
    for place in _places(resource):
        for name in ("extension", "modifierExtension") if has_extensions else ():
            for index, extension in enumerate(place.value.get(name, ())):
                contexts = known.get(extension.get("url"), ())
                if contexts and place.names.isdisjoint(contexts):
                    text = f"R4 has the extension {extension['url']} only on {', '.join(contexts[:8])}."
                    yield Finding("error", "extension", (*place.path, name, index), text)
        if has_markup:
            marked += _marked_texts(place)
    if marked:
        more = f" Also at {len(marked) - 1:,} other place{'s' * (len(marked) > 2)}." if len(marked) > 1 else ""
        text = "The text looks like markup. A page that shows it as it is could run it; write plain text." + more
        yield Finding("warning", "value", marked[0], text)


def _marked_texts(place: _Place) -> Iterator[ElementPath]:
    for name, item in place.value.items():
        definition = json_properties(place.type).get(name)
        if definition is None or definition.code != "string" or definition.extension:
            continue
        if isinstance(item, str):
            if "<" in item and _TAG.search(item):
                yield (*place.path, name)
        elif isinstance(item, list):
            texts = [(index, each) for index, each in enumerate(item) if isinstance(each, str) and "<" in each]
            yield from ((*place.path, name, index) for index, each in texts if _TAG.search(each))


def _places(resource: Json) -> Iterator[_Place]:
    """Yield every object in the order of the document."""
    stack = [_resource_place(resource, ())]
    while stack:
        place = stack.pop()
        yield place
        below = [
            _below(place, definition.element, definition.code, value, path)
            for name, item in place.value.items()
            if (definition := json_properties(place.type).get(name)) is not None
            for value, path in _objects(item, (*place.path, name))
        ]
        stack.extend(reversed(below))


def _objects(item: Any, path: ElementPath) -> Iterator[tuple[Json, ElementPath]]:
    if isinstance(item, dict):
        yield item, path
    elif isinstance(item, list):
        yield from ((each, (*path, index)) for index, each in enumerate(item) if isinstance(each, dict))


def _resource_place(value: Json, path: ElementPath) -> _Place:
    type_ = str(value["resourceType"])
    return _Place(value, type_, frozenset(lineage(type_)), path)


def _below(place: _Place, element: Element, code: str, value: Json, path: ElementPath) -> _Place:
    if code == "Resource":
        return _resource_place(value, path)
    # The object beside a primitive has the elements of Element, and the primitive's names.
    type_ = "Element" if code in PRIMITIVES else code
    return _Place(value, type_, _names(place.names, element.name, element.choice, code), path)


@functools.lru_cache(4096)
def _names(above: frozenset[str], name: str, is_choice: bool, code: str) -> frozenset[str]:
    paths = {f"{each}.{name}" for each in above if each.count(".") < _MOST_DOTS}
    return frozenset({*lineage(code), *paths, *(f"{each}[x]" for each in paths if is_choice)})
