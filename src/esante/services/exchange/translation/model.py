"""What a translation did with each coded element of a document."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from esante.core.types import Json
from esante.services.exchange.model import Fault


class Outcome(StrEnum):
    """What became of a coded element."""

    TRANSLATED = "translated"
    """Its display is now that of the language, its code as before."""
    TRANSCODED = "transcoded"
    """Its code is now that of the pivot, displayed in the language."""
    UNTRANSLATED = "untranslated"
    """The catalogue has the concept (or its pivot) and no designation in the language."""
    NOT_IN_CATALOGUE = "not in catalogue"
    """The catalogue does not know the concept."""
    NULL = "null"
    """It has a nullFlavor and no code."""
    FIXED = "fixed"
    """CDA itself fixes the code system, which is not written (statusCode and the like)."""
    FORMER = "former"
    """It is an earlier form of the element that it stands in, which a translation keeps."""
    ERROR = "error"
    """It cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedElement:
    """One coded element: where it stands in the original, what it was and what it is now.

    `before`, `after`: code, OID of the code system, display. `value_sets`: OIDs of those that have the concept.
    """

    place: str
    outcome: Outcome
    before: tuple[str, str, str]
    after: tuple[str, str, str]
    null_flavor: str = ""
    reason: str = ""
    value_sets: Sequence[str] = ()

    def as_json(self) -> Json:
        """Return the element as a JSON object; empty members are left out."""
        found: Json = {"place": self.place, "outcome": self.outcome.value}
        for name, (code, system, display) in (("before", self.before), ("after", self.after)):
            if name == "before" or self.after != self.before:
                found[name] = {
                    key: value
                    for key, value in (("code", code), ("codeSystem", system), ("display", display))
                    if value
                }
        if self.null_flavor:
            found["nullFlavor"] = self.null_flavor
        if self.reason:
            found["reason"] = self.reason
        if self.value_sets:
            found["valueSets"] = list(self.value_sets)
        return found


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated document and the account of all its coded elements; the original is untouched.

    `document`: XML in UTF-8. `faults`: of the elements with an error.
    """

    document: bytes
    language: str
    elements: Sequence[CodedElement]

    @property
    def counts(self) -> dict[str, int]:
        """The number of coded elements by outcome, every outcome named."""
        counted = Counter(element.outcome for element in self.elements)
        return {outcome.value: counted[outcome] for outcome in Outcome}

    @property
    def faults(self) -> list[Fault]:
        """The faults of the elements that could not be understood."""
        return [
            Fault(element.reason, element.place, "Mend the code, or add it to the catalogue")
            for element in self.elements
            if element.outcome is Outcome.ERROR
        ]
