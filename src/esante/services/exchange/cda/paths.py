"""The XPath of elements: `/ClinicalDocument/component/structuredBody/component[2]/section`, names without prefixes."""

from typing import Any

from esante.services.exchange.cda.reader import local_name


class Paths:
    """XPaths of the elements of one document; those of ancestors are kept."""

    def __init__(self) -> None:
        self._known: dict[Any, str] = {}

    def of(self, element: Any) -> str:
        """Return the XPath of an element; a number where it has siblings of its name."""
        known = self._known.get(element)
        if known is not None:
            return known
        parent, name = element.getparent(), local_name(element)
        if parent is None:
            path = f"/{name}"
        else:
            before = sum(1 for _ in element.itersiblings(element.tag, preceding=True))
            numbered = before or next(element.itersiblings(element.tag), None) is not None
            path = f"{self.of(parent)}/{name}" + (f"[{before + 1}]" if numbered else "")
        self._known[element] = path
        return path
