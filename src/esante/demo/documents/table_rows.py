"""Facts of a paper as the rows of a table, in words: what a reader sees whatever the format."""

from collections.abc import Sequence
from datetime import date

from esante.demo.data_tables import table, word
from esante.demo.model import Allergy, Dose, Fact, Medicine, Paper, Problem, Procedure, Result, Section

COLUMNS: dict[type, tuple[str, ...]] = {
    Result: ("test", "value", "range", "flag"),
    Medicine: ("medicine", "dose"),
    Problem: ("problem", "since"),
    Allergy: ("allergen",),
    Dose: ("vaccine", "date", "lot"),
    Procedure: ("procedure", "date"),
}
"""The columns of the table of each type of fact: names of `titles.toml`."""

FLAGS = {"H": "word.high", "L": "word.low", "N": "word.normal"}


def day_text(day: date, language: str) -> str:
    """A day as it is written in a language."""
    return day.strftime(table("phrases")["date"][language])


def title_of(section: Section, language: str) -> str:
    """The heading of a section."""
    return str(table("titles")["section"][section.code][language])


def header(facts: Sequence[Fact], language: str) -> list[str]:
    """The headings of the table of some facts, all of one type."""
    return [word(f"column.{column}", language) for column in COLUMNS[type(facts[0])]]


def row(fact: Fact, language: str) -> list[str]:
    """A fact as the cells of its table."""
    if isinstance(fact, Result):
        value, span = f"{fact.value:g} {fact.unit}", range_text(fact)
        return [fact.name, value, span, word(FLAGS[fact.flag], language) if fact.flag != "N" else ""]
    if isinstance(fact, Medicine):
        return [fact.name, fact.dose]
    if isinstance(fact, Problem):
        return [f"{fact.name} ({fact.icd10})", day_text(fact.since, language)]
    if isinstance(fact, Allergy):
        return [fact.name]
    if isinstance(fact, Dose):
        return [fact.name, day_text(fact.day, language), fact.lot]
    return [fact.name, day_text(fact.at.date(), language)]


def range_text(result: Result) -> str:
    """The normal range of a result: "70 - 100", or "< 5" where it has no lower end."""
    return f"{result.low:g} - {result.high:g}" if result.low else f"< {result.high:g}"


def writer(paper: Paper) -> str:
    """Who wrote it and where, or the person herself."""
    if paper.author is None or paper.organization is None:
        return paper.subject.person.name
    return f"{paper.author.name}, {paper.organization.name}"


def about(paper: Paper) -> str:
    """Whom it is about: name, birth date, first identifier."""
    person = paper.subject.person
    born = f"{word('word.born', paper.language)} {day_text(person.birth_date, paper.language)}"
    return f"{person.name}, {born}, {person.identifiers[0].value}"
