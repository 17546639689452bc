"""What a check of a resource says: issues in the terms of FHIR's OperationOutcome."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["fatal", "error", "warning", "information"]

#: A place in a JSON document: property names and list indexes from the root.
Path = tuple[str | int, ...]

#: JSON nested more deeply than this is refused; real documents stay below 40.
MAX_DEPTH = 254
#: JSON of more elements (`jsontext.elements`) is not looked into: each takes some 300 bytes of memory meanwhile. Usual
#: resources have one in 37 bytes, so this is 15 MB of them without a picture or a PDF.
MAX_ELEMENTS = 400_000


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at a place in the JSON, before it is put into FHIR's terms. `code` is a FHIR issue-type."""

    severity: Severity
    code: str
    path: Path
    diagnostics: str


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem. `expression` is a FHIRPath such as `Bundle.entry[3].resource.birthDate` ("" before any
    element); `diagnostics` says what was found, what is allowed and what to do; `line` and `column` count
    from 1, in characters.
    """

    severity: Severity
    code: str
    expression: str
    diagnostics: str
    line: int | None = None
    column: int | None = None


class Checked:
    """What is wrong with a resource, and the resource itself."""

    __slots__ = ("_read", "_resource", "issues")

    def __init__(self, read: Callable[[], dict[str, Any]], issues: tuple[Issue, ...] = ()) -> None:
        self._read = read
        self._resource: dict[str, Any] | None = None
        self.issues = issues

    @property
    def resource(self) -> dict[str, Any]:
        """Plain data, decimals as `Decimal` with their digits; empty when it could not be read. Decoded when first
        asked for, since not everybody needs it."""
        if self._resource is None:
            self._resource = self._read()
        return self._resource

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a warning was found."""
        return not any(issue.severity in ("fatal", "error") for issue in self.issues)
