"""What is wrong with files that should hold FHIR resources, for `esante fhir validate`."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from click import wrap_text

from esante.fhir.model import Issue
from esante.fhir.validation import check
from esante.web import readable

MAX_FILE = 200 * 1024 * 1024
WIDTH = 110
_ERRORS = ("fatal", "error")


@dataclass(frozen=True, slots=True)
class Examined:
    """One file: its name as it was given, what was found, and whether it could be read at all."""

    file: str
    issues: tuple[Issue, ...]
    usable: bool = True

    @property
    def valid(self) -> bool:
        """Whether nothing worse than a warning was found."""
        return not any(issue.severity in _ERRORS for issue in self.issues)

    def as_json(self) -> dict[str, Any]:
        """`{file, valid, issues}`; an issue has severity, code, expression, diagnostics, line and column."""
        return {"file": _decodable(self.file), "valid": self.valid, "issues": [asdict(issue) for issue in self.issues]}

    def lines(self) -> Iterator[str]:
        """The file with its verdict, then each problem: line and column, severity, place, and what is wrong."""
        counts = Counter("error" if issue.severity in _ERRORS else issue.severity for issue in self.issues)
        told = ", ".join(
            f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items() if kind != "information"
        )
        yield f"{readable(_decodable(self.file))}: {told or 'valid' if self.usable else 'cannot be used'}"
        for issue in self.issues:
            place = f"{issue.line}:{issue.column}" if issue.line else "-"
            yield f"  {place:<9} {issue.severity:<8} {issue.expression}".rstrip()
            yield wrap_text(issue.diagnostics, WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 12)


def examine(name: str) -> Examined:
    """Check a file, or standard input for `-`, with all that R4 demands. Raises `DefinitionsMissing`."""
    try:
        data = _read(name)
    except OSError as error:
        return Examined(name, (Issue("fatal", "processing", "", f"{error.strerror or error}."),), usable=False)
    if len(data) > MAX_FILE:
        text = f"The file has more than {MAX_FILE:,} bytes. Split it."
        return Examined(name, (Issue("fatal", "too-long", "", text),), usable=False)
    return Examined(name, check(data, invariants=True, seconds=inf).issues)


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(MAX_FILE + 1)
    with Path(name).open("rb") as file:
        return file.read(MAX_FILE + 1)


def _decodable(name: str) -> str:
    """A file name without what is no text in it."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
