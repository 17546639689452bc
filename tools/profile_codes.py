"""Codes of value sets, as far as R4 and the packages of profiles list them."""

from collections.abc import Iterator

from esante.core.types import Json
from tools import build_fhir_definitions as r4


class ProfileValueSets(r4.ValueSets):
    """Value sets of R4 and of packages, which may exclude codes."""

    def __init__(self, source: r4.Source) -> None:
        super().__init__(source)
        self.sets, self.systems = self._sets, self._systems

    def has_codes(self, url: str) -> bool:
        """Return whether all codes of a value set are known; they are then in `expanded`."""
        if url not in self.expanded:
            found = self._codes_of_set(url)
            if found:
                self.expanded[url] = {system: tuple(codes) for system, codes in found.items()}
        return url in self.expanded

    def _codes_of_set(self, url: str) -> dict[str, list[str]] | None:
        compose = self.sets.get(url, {}).get("compose")
        if compose is None:
            return None
        codes_by_system: dict[str, list[str]] = {}
        for part in compose["include"]:
            for system, codes in (self._codes_of_part(part) or {"": []}).items():
                if not codes:
                    return None
                codes_by_system.setdefault(system, []).extend(codes)
        for part in compose.get("exclude", ()):
            unwanted = self._codes_of_part(part)
            if unwanted is None:
                return None
            codes_by_system = {
                system: [code for code in codes if code not in unwanted.get(system, ())]
                for system, codes in codes_by_system.items()
            }
        return codes_by_system

    def _codes_of_part(self, part: Json) -> dict[str, list[str]] | None:
        """Return the codes of one include or exclude; None where they are unknown."""
        if "valueSet" in part:
            inner = [self._codes_of_set(url.partition("|")[0]) for url in part["valueSet"]]
            return inner[0] if len(inner) == 1 and "system" not in part else None
        system = part["system"]
        known = self.systems.get(system, {})
        if "concept" in part:
            return {system: [concept["code"] for concept in part["concept"]]}
        if known.get("content") != "complete":
            return None
        match part.get("filter", []):
            case []:
                return {system: list(r4.collect_codes(known["concept"]))}
            case [{"property": "concept", "op": "is-a", "value": root}]:
                return {system: list(_subtree(known["concept"], root))}
        return None


def _subtree(concepts: list[Json], root: str) -> Iterator[str]:
    for concept in concepts:
        if concept["code"] == root:
            yield from r4.collect_codes([concept])
        yield from _subtree(concept.get("concept", []), root)
