"""The codes of value sets, as far as R4 and the packages of profiles list them."""

from collections.abc import Iterator
from typing import Any

from tools import build_fhir_definitions as r4

Json = dict[str, Any]


class Codes(r4.ValueSets):
    """Value sets of R4 and of packages, whose codes may be named with exceptions."""

    def __init__(self, source: r4.Source) -> None:
        super().__init__(source)
        self.sets, self.systems = self._sets, self._systems

    def listed(self, url: str) -> bool:
        """Whether all codes of a value set are known; they are then in `expanded`."""
        if url not in self.expanded:
            found = self._listed(url)
            if found:
                self.expanded[url] = {system: tuple(codes) for system, codes in found.items()}
        return url in self.expanded

    def _listed(self, url: str) -> dict[str, list[str]] | None:
        compose = self.sets.get(url, {}).get("compose")
        if compose is None:
            return None
        out: dict[str, list[str]] = {}
        for part in compose["include"]:
            for system, codes in (self._of(part) or {"": []}).items():
                if not codes:
                    return None
                out.setdefault(system, []).extend(codes)
        for part in compose.get("exclude", ()):
            unwanted = self._of(part)
            if unwanted is None:
                return None
            out = {system: [c for c in codes if c not in unwanted.get(system, ())] for system, codes in out.items()}
        return out

    def _of(self, part: Json) -> dict[str, list[str]] | None:
        """The codes of one include or exclude."""
        if "valueSet" in part:
            inner = [self._listed(url.partition("|")[0]) for url in part["valueSet"]]
            return inner[0] if len(inner) == 1 and "system" not in part else None
        system = part["system"]
        known = self.systems.get(system, {})
        if "concept" in part:
            return {system: [concept["code"] for concept in part["concept"]]}
        if known.get("content") != "complete":
            return None
        match part.get("filter", []):
            case []:
                return {system: list(r4.all_codes(known["concept"]))}
            case [{"property": "concept", "op": "is-a", "value": root}]:
                return {system: list(_subtree(known["concept"], root))}
        return None


def _subtree(concepts: list[Json], root: str) -> Iterator[str]:
    for concept in concepts:
        if concept["code"] == root:
            yield from r4.all_codes([concept])
        yield from _subtree(concept.get("concept", []), root)
