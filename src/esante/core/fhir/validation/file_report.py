"""Validation reports on files with FHIR resources, for `esante fhir validate`."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

from click import wrap_text

from esante.core.fhir.model import Issue
from esante.core.fhir.validation.validator import MAX_ISSUES, check
from esante.core.types import Json
from esante.core.web import readable

MAX_FILE = 200 * 1024 * 1024
"""Bytes of a file."""
WIDTH = 110
"""Columns of the report."""
MAX_POSITIONS = 8
"""Positions that are listed for a problem that occurs several times."""
_ERRORS = ("fatal", "error")


@dataclass(frozen=True, slots=True)
class FileReport:
    """The report on one file: its name as given, its problems, and whether it could be read (`usable`)."""

    file: str
    issues: tuple[Issue, ...]
    usable: bool = True

    @property
    def valid(self) -> bool:
        """Whether there is nothing worse than a warning."""
        return not any(issue.severity in _ERRORS for issue in self.issues)

    def as_json(self) -> Json:
        """Return `{file, valid, issues}`; an issue has severity, code, expression, diagnostics, line and column."""
        return {"file": _decodable(self.file), "valid": self.valid, "issues": [asdict(issue) for issue in self.issues]}

    def lines(self) -> Iterator[str]:
        """Yield the file with its verdict, then each problem: position, severity, expression, and what is wrong.

        A problem that occurs several times is listed once.
        """
        yield f"{readable(_decodable(self.file))}: {self._verdict()}"
        by_text: dict[tuple[str, str], list[Issue]] = {}
        for issue in self.issues:
            by_text.setdefault((issue.severity, issue.diagnostics), []).append(issue)
        for (severity, diagnostics), (first, *others) in by_text.items():
            yield f"  {_position(first):<9} {severity:<8} {first.expression}".rstrip()
            yield _indented(diagnostics)
            if others:
                listed = ", ".join(map(_position, others[:MAX_POSITIONS])) + ", ..." * (len(others) > MAX_POSITIONS)
                yield _indented(f"The same {len(others)} more {'times' if others[1:] else 'time'}: {listed}")

    def _verdict(self) -> str:
        if not self.usable:
            return "cannot be used"
        counts = Counter("error" if issue.severity in _ERRORS else issue.severity for issue in self.issues)
        counts.pop("information", None)
        parts = ["valid"] * self.valid + [f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items()]
        return ", ".join([*parts, *["and more"] * (len(self.issues) > MAX_ISSUES)])


def summarise(reports: Sequence[FileReport]) -> str:
    """Return one line about several files."""
    counts = {
        "valid": sum(report.valid for report in reports),
        "with errors": sum(report.usable and not report.valid for report in reports),
        "cannot be used": sum(not report.usable for report in reports),
    }
    return f"{len(reports)} files: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def check_file(name: str, profile: Sequence[str] = ()) -> FileReport:
    """Check a file, or standard input for `-`, against all that R4 demands, and each profile.

    Raises: DefinitionsMissing when the definitions were not built; UnknownProfile for an unknown profile.
    """
    try:
        data = _read(name)
    except OSError as error:
        return FileReport(name, (Issue("fatal", "processing", "", f"{error.strerror or error}."),), usable=False)
    if len(data) > MAX_FILE:
        text = f"The file has more than {MAX_FILE:,} bytes. Split it."
        return FileReport(name, (Issue("fatal", "too-long", "", text),), usable=False)
    return FileReport(name, check(data, invariants=True, seconds=inf, profile=profile).issues)


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(MAX_FILE + 1)
    with Path(name).open("rb") as file:
        return file.read(MAX_FILE + 1)


def _decodable(name: str) -> str:
    """Return a file name in which bytes that are not UTF-8 are replaced."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _position(issue: Issue) -> str:
    return f"{issue.line}:{issue.column}" if issue.line else "-"


def _indented(text: str) -> str:
    return wrap_text(text, WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 12)
