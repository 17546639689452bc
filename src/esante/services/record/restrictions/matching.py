"""The same lines in another version of a document: what is restricted in one stays restricted in the others."""

from collections.abc import Collection, Iterable

from esante.core.types import Json
from esante.services.record.restrictions.chosen_lines import DocumentLines
from esante.services.record.restrictions.reduction import codes_of


def matching_tokens(bundle: Json, tokens: Collection[str], other: Json) -> frozenset[str]:
    """Return the tokens of the lines and sections of another version that those of a document correspond to.

    A section is found by its code, else by its title. A line is found by what identifies it; else among the lines
    that only the other version has, by its type and code. Where that finds none, every such line of its type may be
    the line in other words: they all correspond to it. Where there is none of these, the line is gone.
    """
    before, after = DocumentLines(bundle), DocumentLines(other)
    found, lines = _sections(before, after, tokens)
    matcher = _Matcher(before, after)
    for index in sorted(before.covered(lines)):
        found |= {f"entry/{one}" for one in matcher.find(index)}
    return frozenset(found)


def _sections(before: DocumentLines, after: DocumentLines, tokens: Collection[str]) -> tuple[set[str], set[str]]:
    """Return the sections of the other version, and the tokens of what is to be found line by line."""
    found: set[str] = set()
    lines = {one for one in tokens if not one.startswith("section/")}
    for section in before.all_sections():
        if section.token in tokens:
            same = {one.token for one in after.all_sections() if _is_same_section(section.section, one.section)}
            found |= same
            # A section that has come apart, or moved into another, is followed by what it listed.
            lines |= {f"entry/{index}" for one in section.with_inner() for index in one.entries}
    return found, lines


def _is_same_section(one: Json, other: Json) -> bool:
    codes = codes_of(one)
    return (
        bool(codes & codes_of(other)) if codes else bool(one.get("title")) and one.get("title") == other.get("title")
    )


class _Matcher:
    def __init__(self, before: DocumentLines, after: DocumentLines) -> None:
        self._before, self._after = before, after
        self._names_before = before.names(range(len(before.resources)))
        self._names_after = after.names(range(len(after.resources)))
        known = {(before.type(index), name) for index, name in self._names_before.items()}
        self._new = [
            index
            for index, name in self._names_after.items()
            if (after.type(index), name) not in known and after.may_be_line(index)
        ]

    def find(self, index: int) -> Iterable[int]:
        """Return the numbers of the lines of the other version that a line corresponds to."""
        type_, name = self._before.type(index), self._names_before[index]
        of_type = [one for one in self._names_after if self._after.type(one) == type_ and self._after.may_be_line(one)]
        if same := [one for one in of_type if self._names_after[one] == name]:
            return same
        codes = codes_of(self._before.resources[index])
        new = [one for one in self._new if self._after.type(one) == type_]
        return [one for one in new if codes & codes_of(self._after.resources[one])] or new
