"""What a person may restrict of a FHIR document, and which resources of it a choice covers.

A line is named by a token: `entry/N`, the resource with the number N of the Bundle, or `section/A.B`, the section B of
the section A of its Composition, counted from 0. The bytes of a document never change, so neither do its tokens.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from esante.core.types import Json
from esante.services.record.indexing.bundle_index import BundleIndex

_HEADER = ("subject", "author", "custodian", "attester", "encounter")
"""Elements of a Composition whose targets belong to the document as a whole."""
_MEMBERS = ("result", "hasMember", "entry")
"""Elements by which a report, a panel or a list holds other lines."""
_ABOUT = frozenset(
    {
        ("Provenance", "target"),
        ("Goal", "addresses"),
        ("DeviceUseStatement", "device"),
        ("Observation", "focus"),
        ("DetectedIssue", "implicated"),
        ("RiskAssessment", "condition"),
        ("MedicationStatement", "medicationReference"),
        ("MedicationStatement", "basedOn"),
        ("MedicationStatement", "derivedFrom"),
        ("MedicationRequest", "medicationReference"),
        ("MedicationAdministration", "medicationReference"),
        ("MedicationAdministration", "request"),
        ("MedicationDispense", "medicationReference"),
        ("MedicationDispense", "authorizingPrescription"),
    }
)
"""Elements that say what a resource is about: it goes with the last line that it is about."""
_ACTORS = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization", "Location", "RelatedPerson"})
"""Types that others name as well: they go with the last resource that refers to them."""
_DEPTH = 12


@dataclass(frozen=True, slots=True)
class ChosenSection:
    """A section of a Composition: its path, its content, and the numbers of the resources that it lists."""

    path: str
    section: Json
    entries: tuple[int, ...]
    sections: tuple["ChosenSection", ...] = field(default=())

    @property
    def token(self) -> str:
        """The token that names the section."""
        return f"section/{self.path}"

    def with_inner(self) -> Iterator["ChosenSection"]:
        """Yield the section and those within it."""
        yield self
        for inner in self.sections:
            yield from inner.with_inner()


class DocumentLines(BundleIndex):
    """The lines of a document Bundle."""

    def __init__(self, bundle: Json) -> None:
        super().__init__(bundle)
        is_document = bool(self.resources) and self.type(0) == "Composition"
        self.composition: Json = self.resources[0] if is_document else {}
        self.sections = tuple(self._sections(self.composition, "", 0))
        self.header = {0} | {
            target
            for name in _HEADER
            for address in addresses_in(self.composition.get(name))
            if (target := self.target(address, 0)) is not None
        }

    def all_sections(self) -> Iterator[ChosenSection]:
        """Yield all sections, each before those within it."""
        for one in self.sections:
            yield from one.with_inner()

    def members(self, index: int) -> list[int]:
        """Return the numbers of the lines that a report, panel or list holds."""
        found: list[int] = []
        for name in _MEMBERS if self.type(index) != "Composition" else ():
            for address in addresses_in(self.resources[index].get(name)):
                target = self.target(address, index)
                if target is not None and self.may_be_line(target) and target != index:
                    found.append(target)
        return list(dict.fromkeys(found))

    def may_be_line(self, index: int) -> bool:
        """Return whether a resource may be restricted by itself."""
        return index not in self.header and self.type(index) not in _ACTORS

    def line_tokens(self) -> set[str]:
        """Return the tokens of all that may be restricted."""
        found = {one.token for one in self.all_sections()}
        listed = {index for one in self.all_sections() for index in one.entries if self.may_be_line(index)}
        return found | {f"entry/{index}" for index in self._with_members(listed)}

    def covered(self, tokens: Collection[str]) -> set[int]:
        """Return the numbers of the resources that a choice covers.

        Those are the lines and what is in the sections, what reports and panels among them hold, every further copy of
        these in the document, and what is about nothing else (`_ABOUT`). Unknown tokens cover nothing.
        """
        chosen = {int(one[6:]) for one in tokens if one.startswith("entry/")}
        for section in self.all_sections():
            if section.token in tokens:
                chosen |= {index for one in section.with_inner() for index in one.entries}
        lines = {index for index in chosen if index < len(self.resources) and self.may_be_line(index)}
        found = self._with_members(lines)
        names = self.names(range(len(self.resources))) if found else {}
        kinds = {(self.type(index), names[index]) for index in found}
        found |= {index for index, name in names.items() if (self.type(index), name) in kinds}
        return self._with_what_is_about(found) if found else found

    def _with_members(self, indexes: Iterable[int]) -> set[int]:
        found: set[int] = set()
        pending = list(indexes)
        while pending:
            index = pending.pop()
            if index not in found:
                found.add(index)
                pending += self.members(index)
        return found

    def _with_what_is_about(self, found: set[int]) -> set[int]:
        grown = found | {index for index in range(len(self.resources)) if self._is_about(index, found)}
        return found if grown == found else self._with_what_is_about(self._with_members(grown))

    def _is_about(self, index: int, found: Collection[int]) -> bool:
        for name, element in self.resources[index].items():
            if (self.type(index), name) in _ABOUT and self.may_be_line(index):
                targets = [self.target(address, index) for address in addresses_in(element)]
                if targets and all(target in found for target in targets):
                    return True
        return False

    def _sections(self, container: Json, path: str, depth: int) -> Iterator[ChosenSection]:
        for number, section in enumerate(container.get("section") or ()):
            here = f"{path}.{number}" if path else str(number)
            targets = (self.target(address, 0) for address in addresses_in(section.get("entry")))
            entries = tuple(dict.fromkeys(target for target in targets if target is not None))
            inner = tuple(self._sections(section, here, depth + 1)) if depth < _DEPTH else ()
            yield ChosenSection(here, section, entries, inner)


def addresses_in(value: Any) -> Iterator[str]:
    """Yield the addresses of the References in an element."""
    if isinstance(value, list):
        for item in value:
            yield from addresses_in(item)
    elif isinstance(value, dict):
        if isinstance(address := value.get("reference"), str):
            yield address
        for item in value.values():
            yield from addresses_in(item)
