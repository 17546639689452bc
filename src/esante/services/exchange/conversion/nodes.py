"""The elements of a CDA document as plain objects with marks, faster to search than the tree of the parser."""

from collections.abc import Iterator
from typing import Any

from esante.services.exchange.cda import TYPE, V3, local_name
from esante.services.exchange.conversion.ledger import Fate, Mark

TEXT = "#text"
"""The key of an element's own text among its leaves."""
_TEXT_TAG = f"{{{V3}}}text"
_SECTION_TAG = f"{{{V3}}}section"


class Node:
    """An element: name without namespace, attributes (`xsi:type` without prefix as "type"), text, children, marks.

    `element` is that of the parser; the narrative of a section has no children here.
    """

    __slots__ = ("attributes", "children", "element", "marks", "name", "narrative", "text")

    def __init__(self, element: Any) -> None:
        self.element = element
        self.name = local_name(element)
        attributes = dict(element.attrib)
        kind = attributes.pop(TYPE, None)
        if kind is not None:
            attributes["type"] = kind.rpartition(":")[2]
        self.attributes: dict[str, str] = attributes
        self.text = element.text.strip() if element.text else ""
        self.children: list[Node] = []
        self.marks: dict[str, Mark] = {}
        self.narrative = False

    def get(self, name: str) -> str | None:
        """Return an attribute without marking it."""
        return self.attributes.get(name)

    def child(self, name: str) -> "Node | None":
        """Return the first child of a name."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def all(self, name: str) -> "Iterator[Node]":
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def take(self, name: str, target: str, fate: Fate = Fate.KEPT) -> str | None:
        """Return an attribute that is written to a target, and mark it."""
        value = self.attributes.get(name)
        if value is not None:
            self.marks.setdefault(name, (fate, target, ""))
        return value

    def take_code(self, name: str, target: str, fate: Fate = Fate.KEPT) -> str | None:
        """Return an attribute as FHIR writes a code (single spaces inside, none around), and mark it."""
        code = " ".join(self.attributes.get(name, "").split())
        if not code:
            return None
        self.marks.setdefault(name, (fate, target, ""))
        return code

    def take_text(self, target: str, fate: Fate = Fate.KEPT) -> str | None:
        """Return the text of the element, which is written to a target, and mark it."""
        if not self.text:
            return None
        self.marks.setdefault(TEXT, (fate, target, ""))
        return " ".join(self.text.split())

    def lose(self, name: str, reason: str) -> None:
        """Mark a leaf as dropped for a reason."""
        self.marks.setdefault(name, (Fate.DROPPED, "", reason))


def read_nodes(element: Any) -> Node:
    """Return an element with all below it."""
    node = Node(element)
    waiting = [node]
    while waiting:
        at = waiting.pop()
        for child in at.element:
            below = Node(child)
            at.children.append(below)
            if child.tag == _TEXT_TAG and at.element.tag == _SECTION_TAG:
                below.narrative = True
            else:
                waiting.append(below)
    return node
