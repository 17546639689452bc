"""The lines of a document in words, for the person who chooses among them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from esante.core.fhir.view import Observation, ReferenceLibrary, TableRow, When, build_tables
from esante.core.types import Json
from esante.services.record.restrictions.chosen_lines import ChosenSection, DocumentLines

_LISTING = frozenset({"DiagnosticReport", "List"})


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its token, its name, what it says, when, and the lines that it holds. `type`: its FHIR type."""

    token: str
    type: str
    name: str
    text: str
    when: When
    members: tuple["Line", ...] = ()


@dataclass(frozen=True, slots=True)
class LineSection:
    """A section: its token, its title, its lines and sections. `has_text_only`: it lists no lines."""

    token: str
    title: str
    lines: tuple[Line, ...]
    sections: tuple["LineSection", ...]

    @property
    def has_text_only(self) -> bool:
        """Whether the section has no lines to choose from, and can only be restricted as a whole."""
        return not self.lines and not self.sections


def list_lines(bundle: Json) -> tuple[LineSection, ...]:
    """Return the sections of a document Bundle with their lines."""
    lines = DocumentLines(bundle)
    library = ReferenceLibrary(bundle)
    return tuple(_section(one, lines, library) for one in lines.sections)


def names_of(bundle: Json, tokens: Collection[str]) -> list[str]:
    """Return the names of the lines and sections that are named by tokens, in the order of the document."""
    found = []

    def collect(sections: Sequence[LineSection]) -> None:
        for section in sections:
            if section.token in tokens:
                found.append(section.title)
            add(section.lines)
            collect(section.sections)

    def add(lines: Sequence[Line]) -> None:
        for line in lines:
            if line.token in tokens:
                found.append(f"{line.name}: {line.text}" if line.text else line.name)
            add(line.members)

    collect(list_lines(bundle))
    return list(dict.fromkeys(found))


def _section(one: ChosenSection, lines: DocumentLines, library: ReferenceLibrary) -> LineSection:
    code = one.section.get("code") or {}
    title = one.section.get("title") or code.get("text") or one.path
    listed = tuple(_line(index, lines, library, ()) for index in one.entries if lines.may_be_line(index))
    return LineSection(one.token, str(title), listed, tuple(_section(inner, lines, library) for inner in one.sections))


def _line(index: int, lines: DocumentLines, library: ReferenceLibrary, above: tuple[int, ...]) -> Line:
    resource, type_ = lines.resources[index], lines.type(index)
    members = tuple(
        _line(member, lines, library, (*above, index)) for member in lines.members(index) if member not in above
    )
    if type_ in _LISTING:
        return Line(f"entry/{index}", type_, library.label(resource), "", When(), members)
    row = build_tables([resource], library)[0].rows[0]
    return Line(f"entry/{index}", type_, row.name, _text(row), row.when, members)


def _text(row: TableRow) -> str:
    if isinstance(row, Observation):
        return " ".join(part for part in (row.value, row.unit) if part)
    return str(getattr(row, "dosage", "") or getattr(row, "dose", ""))
