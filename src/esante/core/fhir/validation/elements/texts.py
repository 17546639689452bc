"""Texts of elements: markup, which can attack a page that shows it, and ids of elements.

Sources: FHIR R4, Security, section 6.1.0.7; Element.id.
"""

import re
from collections.abc import Iterator

from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.validation.elements.places import Item, Place

_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s|/|>)|<!--|<!DOCTYPE|<\?xml", re.IGNORECASE)


def has_markup(item: Item) -> bool:
    """Return whether a value is a string with markup."""
    text = item.value
    is_text = item.definition.code == "string" and isinstance(text, str)
    return is_text and "<" in text and _TAG.search(text) is not None


def warn_of_markup(marked: list[ElementPath]) -> Iterator[Finding]:
    """Yield one warning for all texts with markup."""
    if marked:
        more = f" Also at {len(marked) - 1:,} other place{'s' * (len(marked) > 2)}." if len(marked) > 1 else ""
        text = "The text looks like markup. A page that shows it as it is could run it; write plain text." + more
        yield Finding("warning", "value", marked[0], text)


class ElementIds:
    """The ids of the elements of each resource, which have no white space and are unique in it.

    The elements of a StructureDefinition have the same ids in both of its views, by ElementDefinition.id.
    """

    def __init__(self) -> None:
        self._known: set[tuple[int, str]] = set()

    def check(self, place: Place) -> Iterator[Finding]:
        """Yield a finding for an id that is not allowed, or that another element of the resource has."""
        id_ = place.value["id"]
        if place.element is None or not isinstance(id_, str):
            return
        where: ElementPath = (*place.path, "id")
        if any(character.isspace() for character in id_):
            yield Finding("error", "value", where, "The id of an element has white space. Write it without.")
        if place.type == "ElementDefinition":
            return
        if (id(place.resource), id_) in self._known:
            text = f'Another element of the resource has the id "{id_[:80]}". Give each an id of its own.'
            yield Finding("error", "value", where, text)
        self._known.add((id(place.resource), id_))
