"""What is wrong with files that should hold FHIR resources, for `esante fhir validate`."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from click import wrap_text

from esante.core.fhir.model import Issue
from esante.core.fhir.validation.validator import MAX_ISSUES, check
from esante.core.web import readable

MAX_FILE = 200 * 1024 * 1024
WIDTH = 110
#: Of how many places the line is told of a problem that is the same at all of them.
LISTED = 8
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
        """The file with its verdict, then each problem: line and column, severity, place, and what is wrong; what is
        said of many places once."""
        yield f"{readable(_decodable(self.file))}: {self._verdict()}"
        alike: dict[tuple[str, str], list[Issue]] = {}
        for issue in self.issues:
            alike.setdefault((issue.severity, issue.diagnostics), []).append(issue)
        for (severity, diagnostics), (first, *others) in alike.items():
            yield f"  {_place(first):<9} {severity:<8} {first.expression}".rstrip()
            yield _indented(diagnostics)
            if others:
                listed = ", ".join(map(_place, others[:LISTED])) + ", ..." * (len(others) > LISTED)
                yield _indented(f"The same {len(others)} more {'times' if others[1:] else 'time'}: {listed}")

    def _verdict(self) -> str:
        if not self.usable:
            return "cannot be used"
        counts = Counter("error" if issue.severity in _ERRORS else issue.severity for issue in self.issues)
        counts.pop("information", None)
        told = ["valid"] * self.valid + [f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items()]
        return ", ".join([*told, *["and more"] * (len(self.issues) > MAX_ISSUES)])


def summary(found: Sequence[Examined]) -> str:
    """One line about several files."""
    counts = {
        "valid": sum(one.valid for one in found),
        "with errors": sum(one.usable and not one.valid for one in found),
        "cannot be used": sum(not one.usable for one in found),
    }
    return f"{len(found)} files: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def examine(name: str, profile: Sequence[str] = ()) -> Examined:
    """Check a file, or standard input for `-`, with all that R4 demands, and each profile. Raises
    `DefinitionsMissing`, `UnknownProfile`."""
    try:
        data = _read(name)
    except OSError as error:
        return Examined(name, (Issue("fatal", "processing", "", f"{error.strerror or error}."),), usable=False)
    if len(data) > MAX_FILE:
        text = f"The file has more than {MAX_FILE:,} bytes. Split it."
        return Examined(name, (Issue("fatal", "too-long", "", text),), usable=False)
    return Examined(name, check(data, invariants=True, seconds=inf, profile=profile).issues)


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(MAX_FILE + 1)
    with Path(name).open("rb") as file:
        return file.read(MAX_FILE + 1)


def _decodable(name: str) -> str:
    """A file name without what is no text in it."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _place(issue: Issue) -> str:
    return f"{issue.line}:{issue.column}" if issue.line else "-"


def _indented(text: str) -> str:
    return wrap_text(text, WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 12)
