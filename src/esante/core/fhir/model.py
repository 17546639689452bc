"""Results of the validation of a resource, as findings and as issues of OperationOutcome, and the limits of JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from esante.core.types import Json

Severity = Literal["fatal", "error", "warning", "information"]

ElementPath = tuple[str | int, ...]
"""The path of an element in a JSON document: property names and list indexes from the root."""

MAX_DEPTH = 254
"""Levels of nesting in JSON beyond which it is rejected; real documents stay below 40."""
MAX_ELEMENTS = 400_000
"""Elements (`json_codec.count_elements`) beyond which JSON is not inspected: each takes some 300 bytes of memory
meanwhile. Usual resources have one in 37 bytes, so this is 15 MB of them without a picture or a PDF."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at an element of the JSON, before it becomes an `Issue`. `code` is a FHIR issue-type."""

    severity: Severity
    code: str
    path: ElementPath
    diagnostics: str


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem, as OperationOutcome.issue has it.

    `expression` is a FHIRPath such as `Bundle.entry[3].resource.birthDate` ("" before any element); `diagnostics` says
    what was found, what is allowed and what to do; `line` and `column` count from 1, in characters.
    """

    severity: Severity
    code: str
    expression: str
    diagnostics: str
    line: int | None = None
    column: int | None = None


class CheckResult:
    """The problems of a resource, and the resource itself."""

    __slots__ = ("_decode", "_resource", "issues")

    def __init__(self, decode: Callable[[], Json], issues: tuple[Issue, ...] = ()) -> None:
        self._decode = decode
        self._resource: Json | None = None
        self.issues = issues

    @property
    def resource(self) -> Json:
        """The resource as plain data, decimals as `Decimal` with their digits; empty when it could not be decoded.

        Decoded on the first access, since not every caller needs it.
        """
        if self._resource is None:
            self._resource = self._decode()
        return self._resource

    @property
    def ok(self) -> bool:
        """Whether there is nothing worse than a warning."""
        return not any(issue.severity in ("fatal", "error") for issue in self.issues)
