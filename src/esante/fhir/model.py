"""What a check of a resource says: issues in the terms of FHIR's OperationOutcome."""

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["fatal", "error", "warning", "information"]

#: A place in a JSON document: property names and list indexes from the root.
Path = tuple[str | int, ...]

#: JSON nested more deeply than this is refused; real documents stay below 40.
MAX_DEPTH = 254


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


@dataclass(frozen=True, slots=True)
class Checked:
    """The resource as plain data (decimals as `Decimal`, digits kept; empty when it could not be read), and
    what is wrong with it."""

    resource: dict[str, Any] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a warning was found."""
        return not any(issue.severity in ("fatal", "error") for issue in self.issues)
