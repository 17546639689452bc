"""Collects concepts from files into a catalogue, with what is wrong in them."""

from dataclasses import dataclass, field
from datetime import date

from esante.services.exchange.model import Fault, NotUsable
from esante.services.exchange.terminology.model import Code, CodeCatalogue, ValueSet

MOST_FAULTS = 50
"""Faults that are listed; a damaged file would have thousands."""


@dataclass(frozen=True, slots=True)
class _Designation:
    text: str
    preferred: bool
    own: bool  # the designation of the code system itself, not the display in a value set
    place: str


@dataclass(slots=True)
class CatalogueBuilder:
    """Takes what loaders read; `build` decides between designations."""

    day: date | None = None
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    _codes: dict[Code, dict[str, list[_Designation]]] = field(default_factory=dict)
    _pivots: dict[Code, dict[Code, str]] = field(default_factory=dict)
    _value_sets: dict[str, ValueSet] = field(default_factory=dict)
    _versions: dict[str, str] = field(default_factory=dict)

    def add_concept(self, code: Code) -> None:
        """Take a concept, be there a designation or not."""
        self._codes.setdefault(code, {})

    def add_designation(
        self, code: Code, language: str, text: str, place: str, *, preferred: bool = False, own: bool = True
    ) -> None:
        """Take a current designation of a concept; `own`: of its code system, not the display in a value set."""
        found = self._codes.setdefault(code, {}).setdefault(language.lower(), [])
        if not any(one.text == text and one.preferred == preferred and one.own == own for one in found):
            found.append(_Designation(text, preferred, own, place))

    def add_mapping(self, source: Code, pivot: Code, place: str) -> None:
        """Take the transcoding of a concept to one of the pivot."""
        self._pivots.setdefault(source, {}).setdefault(pivot, place)

    def add_value_set(self, value_set: ValueSet, place: str) -> None:
        """Take a value set; two versions of one OID are a fault."""
        known = self._value_sets.get(value_set.oid)
        if known is not None and known.version != value_set.version:
            message = f"the value set {value_set.oid} has the versions {known.version} and {value_set.version}"
            self.fault(message, place, "Keep the file of one of them")
            return
        codes = value_set.codes if known is None else known.codes | value_set.codes
        self._value_sets[value_set.oid] = ValueSet(value_set.oid, value_set.name, value_set.version, codes)

    def add_version(self, system: str, version: str) -> None:
        """Take the version of a code system."""
        if version:
            self._versions.setdefault(system, version)

    def dated(self, day: date | None) -> None:
        """Take the day of a file: the latest is that of the catalogue."""
        if day is not None and (self.day is None or day > self.day):
            self.day = day

    def fault(self, message: str, place: str, remedy: str) -> None:
        """Note what hinders the use of the catalogue."""
        self.faults.append(Fault(message, place, remedy))

    def warn(self, message: str, place: str, remedy: str) -> None:
        """Note what is odd."""
        self.warnings.append(Fault(message, place, remedy))

    def build(self) -> CodeCatalogue:
        """Return the catalogue.

        Raises: `NotUsable` with every fault, two current designations of which none is preferred among them (OpenNCP:
        2506).
        """
        designations = {
            code: {language: self._chosen(code, language, found) for language, found in by_language.items()}
            for code, by_language in self._codes.items()
        }
        if self.faults:
            more = len(self.faults) - MOST_FAULTS
            rest = [Fault(f"{more} more faults", "", "Mend those above first")] if more > 0 else []
            raise NotUsable(*self.faults[:MOST_FAULTS], *rest)
        return CodeCatalogue(
            designations=designations,
            pivots={source: next(iter(pivots)) for source, pivots in self._pivots.items() if len(pivots) == 1},
            ambiguous={source: tuple(pivots) for source, pivots in self._pivots.items() if len(pivots) > 1},
            value_sets=self._value_sets,
            versions=self._versions,
            day=self.day,
            warnings=tuple(self.warnings),
        )

    def _chosen(self, code: Code, language: str, found: list[_Designation]) -> str:
        if len(found) == 1:
            return found[0].text
        what = f"{code[1]} of {code[0]}"
        preferred = [one for one in found if one.preferred]
        if len({one.text for one in preferred}) > 1:
            places = ", ".join(dict.fromkeys(one.place for one in preferred))
            self.fault(f"{what} has several preferred designations in {language}", places, "Mark one as preferred")
        if preferred:
            return preferred[0].text
        own = [one for one in found if one.own]
        if len({one.text for one in own}) > 1:
            places = ", ".join(dict.fromkeys(one.place for one in own))
            message = f"{what} has several current designations in {language}, none of them preferred"
            self.fault(message, places, "Mark one as preferred, or end the others")
        chosen = (own or found)[0]
        if not own and len({one.text for one in found}) > 1:
            places = ", ".join(dict.fromkeys(one.place for one in found))
            message = f'{what} is displayed differently by value sets; "{chosen.text}" is used'
            self.warn(message, places, "Add the code system with its designations")
        return chosen.text
