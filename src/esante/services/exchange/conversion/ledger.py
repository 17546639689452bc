"""The account of a conversion: what became of every leaf of the source.

A leaf is an attribute or a text of XML, a primitive of JSON. The converters mark a leaf where they write its value;
the report then walks the whole source, so that each leaf is listed once and what nobody marked is lost.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from esante.core.types import Json


class Fate(StrEnum):
    """What became of a leaf."""

    KEPT = "kept"
    """Its value stands in the element that means the same."""
    MOVED = "moved"
    """Its value stands elsewhere: in an extension, in another element."""
    MERGED = "merged"
    """It makes one value with others, or chose the element that was written."""
    TEXT_ONLY = "text only"
    """Its words stand in the narrative that was carried over, and in no element."""
    DROPPED = "dropped"
    """It is not in the result."""


@dataclass(frozen=True, slots=True)
class LeafFate:
    """A leaf of the source: its XPath or FHIRPath, its value, what became of it, where it is now, why it is lost."""

    place: str
    value: str
    fate: Fate
    target: str = ""
    reason: str = ""

    @property
    def implied(self) -> bool:
        """Whether nothing is lost with it: it is structure, or follows from another leaf."""
        return self.reason in (STRUCTURE, DERIVABLE)

    def as_json(self) -> Json:
        """Return the leaf as a JSON object."""
        found: Json = {"place": self.place, "value": self.value, "fate": self.fate.value}
        if self.target:
            found["target"] = self.target
        if self.reason:
            found["reason"] = self.reason
        return found


STRUCTURE = "fixed by the CDA model or a template"
"""Why a leaf is dropped that says nothing about the patient: classCode, templateId and the like."""
DERIVABLE = "follows from another leaf"
NO_COUNTERPART = "no counterpart"
UNREADABLE = "not a value of its type"


@dataclass(frozen=True, slots=True)
class LossReport:
    """The fate of every leaf of the source, in its order."""

    leaves: Sequence[LeafFate]

    @property
    def counts(self) -> dict[str, int]:
        """The number of leaves by fate, every fate named."""
        counted = Counter(leaf.fate for leaf in self.leaves)
        return {fate.value: counted[fate] for fate in Fate}

    @property
    def fidelity(self) -> float:
        """The share of the leaves with content (not structure, not derivable) that are in elements of the result."""
        content = [leaf for leaf in self.leaves if not leaf.implied]
        carried = sum(leaf.fate in (Fate.KEPT, Fate.MOVED, Fate.MERGED) for leaf in content)
        return carried / len(content) if content else 1.0


Mark = tuple[Fate, Any, str]
"""A fate, the target (a string, or an element and the name of its attribute), a reason."""


class Ledger:
    """Marks of the leaves of a JSON source, by container and key (the containers live as long as the source)."""

    def __init__(self) -> None:
        self.marks: dict[tuple[int, str | int], Mark] = {}

    def mark(self, container: Any, key: str | int, fate: Fate, target: Any, reason: str = "") -> None:
        """Note the fate of a leaf; the first one stays, for a value that is written twice."""
        self.marks.setdefault((id(container), key), (fate, target, reason))

    def mark_all(self, value: Any, fate: Fate, target: Any, reason: str = "") -> None:
        """Note the fate of every leaf in a value."""
        for container, key, _ in primitives(value):
            self.mark(container, key, fate, target, reason)


def primitives(value: Any) -> list[tuple[Any, str | int, Any]]:
    """Return container, key and value of each primitive in a JSON value."""
    found: list[tuple[Any, str | int, Any]] = []
    waiting = [value]
    while waiting:
        at = waiting.pop()
        items: Any = at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ()
        for key, child in items:
            if isinstance(child, dict | list):
                waiting.append(child)
            else:
                found.append((at, key, child))
    return found
