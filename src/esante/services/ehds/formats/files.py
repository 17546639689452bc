"""The check of documents in files, for `esante ehds check`."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from click import wrap_text

from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import readable
from esante.services.ehds.formats.validation import DocumentCheck, DocumentFinding, check_document

MAX_FILE = 50 * 1024 * 1024
"""Bytes of a file."""
WIDTH = 110
"""Columns of the report."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The check of one file; `problem`: why it could not be read, "" where it was."""

    file: str
    check: DocumentCheck | None
    problem: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether the file could be read."""
        return self.check is not None

    @property
    def ok(self) -> bool:
        """Whether it was read and there is nothing worse than a warning."""
        return self.check is not None and self.check.ok

    def as_json(self) -> Json:
        """Return the file with its check as JSON values."""
        return {"file": self.file, **(self.check.as_json() if self.check else {"ok": False, "problem": self.problem})}

    def lines(self) -> Iterator[str]:
        """Yield the file with its verdict, then each finding: place, rule, what is demanded and what to do."""
        name = readable(self.file)
        if self.check is None:
            yield f"{name}: {self.problem}"
            return
        errors = sum(one.is_error for one in self.check.findings)
        warnings = len(self.check.findings) - errors
        against = self.check.guide or "FHIR R4 only: no guide describes it"
        yield f"{name}: {_count(errors, 'error')}, {_count(warnings, 'warning')} ({against})"
        for finding in self.check.findings:
            yield from _finding_lines(finding)


def _finding_lines(finding: DocumentFinding) -> Iterator[str]:
    position = f"{finding.line}:{finding.column}" if finding.line is not None else ""
    yield f"  {finding.severity:<8} {finding.rule:<24} {position:<9} {finding.place}".rstrip()
    text = " ".join(part for part in (finding.requires, finding.help) if part)
    yield wrap_text(readable(text), WIDTH, "           ", "           ")
    if finding.rule != "R4":
        yield f"           {finding.source}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def check_file(name: str) -> FileCheck:
    """Return the check of a file, "-" for standard input."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_FILE + 1)
    except OSError as error:
        return FileCheck(name, None, f"The file cannot be read: {error.strerror or error}.")
    if len(content) > MAX_FILE:
        return FileCheck(name, None, f"The file is larger than {MAX_FILE // 1024 // 1024} MB.")
    return FileCheck(name, check_document(content, today()))
