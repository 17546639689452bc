"""Faults of fee notes: what is wrong, where, and the remedy."""

from collections.abc import Sequence
from dataclasses import dataclass

from esante.core.web import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteFault:
    """A fault of a note, or a remark on it: `place` is a path in the message, `line` that of the file (0: none).

    `title` and `remedy` are msgids, `detail` what was found or expected there.
    """

    place: str
    title: str
    remedy: str = ""
    line: int = 0
    detail: str = ""
    code: str = "invalid"

    @property
    def where(self) -> str:
        """The path with the line of the file."""
        return f"{self.place} (line {self.line})" if self.line else self.place


class BadNote(Problem):
    """A note that is refused, with all its faults; the problem says the first one."""

    def __init__(self, faults: Sequence[NoteFault], status: int = 400) -> None:
        first = faults[0]
        super().__init__(status, first.code, first.title, detail=first.detail, place=first.where, remedy=first.remedy)
        self.faults = tuple(faults)
