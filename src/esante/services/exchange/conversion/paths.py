"""Paths of elements in CDA, the same for reading and for writing.

`entryRelationship[SUBJ]/observation(33999-4)/value:CD` is a value of the type CD in an observation of that code in a
relationship of that kind. `a|b` are two names, of which the first is written; `p:` stands for the namespace of the
medicine. `[A|B]` and `:A|B` likewise name several kinds, of which the first is written;
`_` is no type.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from lxml import etree

from esante.services.exchange.cda import PHARM, TYPE, V3
from esante.services.exchange.conversion.ledger import DERIVABLE, Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.terms import CODE_SYSTEMS, FIXED, TEMPLATES

_STEP = re.compile(r"([\w:|]+?)(?:\[([\w|]+)\])?(?:\(([\w.\-|]+)\))?(?::([A-Z_|]+))?")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: names, kinds of relationship, codes, types; empty ones are not asked for."""

    names: tuple[str, ...]
    medicine: bool
    kinds: tuple[str, ...]
    codes: tuple[str, ...]
    types: tuple[str, ...]

    def fits(self, node: Node) -> bool:
        """Whether an element is meant."""
        if node.name not in self.names:
            return False
        if self.kinds and node.attributes.get("typeCode") not in self.kinds:
            return False
        if self.types and node.attributes.get("type", "_") not in self.types:
            return False
        if self.codes:
            code = node.child("code")
            return code is not None and code.attributes.get("code") in self.codes
        return True

    def mark(self, node: Node, target: str) -> None:
        """Mark what chose an element."""
        if self.kinds:
            node.take("typeCode", target, Fate.MERGED)
        if self.types:
            node.take("type", target, Fate.MERGED)
        if self.codes:
            code = node.child("code")
            if code is not None:
                code.take("code", target, Fate.MERGED)
                for name in ("codeSystem", "codeSystemVersion", "displayName"):
                    code.lose(name, DERIVABLE)


Match = tuple[Node, tuple[tuple[Step, Node], ...]]
"""An element that was found, and the steps to it with their elements."""


@cache
def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of a path."""
    return tuple(_parse_step(step) for step in path.split("/")) if path else ()


def _parse_step(text: str) -> Step:
    found = _STEP.fullmatch(text)
    if found is None:
        raise ValueError(f"no step of a path: {text}")
    names, kinds, codes, types = (part.split("|") if part else [] for part in found.groups())
    medicine = names[0].startswith("p:")
    plain = tuple(name.removeprefix("p:") for name in names)
    return Step(plain, medicine, tuple(kinds), tuple(codes), tuple(types))


def find(node: Node, steps: Sequence[Step]) -> list[Match]:
    """Return the elements at a path, in their order."""
    found: list[Match] = [(node, ())]
    for step in steps:
        found = [(child, (*way, (step, child))) for at, way in found for child in at.children if step.fits(child)]
    return found


class Writer:
    """Creates the elements of a CDA document; those on the way to a leaf are shared by the fields of one entry."""

    def __init__(self) -> None:
        self._shared: dict[tuple[Any, Step], Any] = {}

    def create(self, parent: Any, steps: Sequence[Step], *, fresh: int = 1) -> tuple[Any, Any]:
        """Return a new element at a path, and the topmost that was made for it.

        The last `fresh` steps are made anew, those before are shared.
        """
        at, top = parent, None
        for index, step in enumerate(steps):
            key = (at, step)
            shared = index < len(steps) - fresh and step.names[0] != "entryRelationship"
            made = self._shared.get(key) if shared else None
            if made is None or made.getparent() is None:
                made = self._shared[key] = self._make(at, step)
                top = made if top is None else top
            at = made
        return at, top

    def _make(self, parent: Any, step: Step) -> Any:
        name = step.names[0]
        namespace = PHARM if step.medicine else V3
        element = etree.SubElement(parent, f"{{{namespace}}}{name}")
        kind = step.kinds[0] if step.kinds else ""
        for attribute, value in FIXED.get(f"{name}[{kind}]" if kind else name, FIXED.get(name, ())):
            element.set(attribute, value)
        if kind:
            element.set("typeCode", kind)
        if step.types and step.types[0] != "_":
            element.set(TYPE, step.types[0])
        if step.codes:
            for root in TEMPLATES.get(step.codes[0], ()):
                etree.SubElement(element, f"{{{V3}}}templateId").set("root", root)
            code = etree.SubElement(element, f"{{{V3}}}code")
            code.set("code", step.codes[0])
            code.set("codeSystem", CODE_SYSTEMS[step.codes[0]])
        return element
