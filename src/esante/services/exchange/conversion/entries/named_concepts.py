"""A code and a name beside it, which FHIR has in one concept: the name is its text."""

from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes import Concept, ReadContext, Words, WriteContext, absent_extensions
from esante.services.exchange.conversion.fields import Field
from esante.services.exchange.conversion.ledger import Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import find, parse


class NamedConcept:
    """A concept of the elements at two paths."""

    def __init__(self, code: str, name: str, key: str) -> None:
        self._code, self._name, self._key = Field(code, key, Concept()), parse(name), key
        self._words = Field(name, "text", Words())

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read code and name."""
        self._code.read(node, out, place, context)
        for found, way in find(node, self._name):
            target = f"{place}.{self._key}.text"
            text = found.take_text(target, Fate.MOVED)
            if text:
                for step, at in way:
                    step.mark(at, target)
                concept = out.setdefault(self._key, {})
                if "text" in concept and "extension" not in concept:
                    found.marks.pop("#text", None)
                    return
                concept["text"] = text
            elif self._key not in out:
                absent = absent_extensions(found, target)
                if absent:
                    out[self._key] = {"extension": list(absent)}
            return

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write code and name."""
        concept = source.get(self._key)
        if not isinstance(concept, dict):
            return
        rest = {name: value for name, value in concept.items() if name != "text"}
        if rest:
            self._code.write({self._key: rest}, element, context)
        if concept.get("text"):
            self._words.write(concept, element, context)
