"""Texts of a document in any format: tables of facts, headings, author and patient."""

from collections.abc import Sequence
from datetime import date

from esante.demo.data_tables import load_table, term
from esante.demo.model import (
    Allergy,
    Diagnosis,
    DocumentDraft,
    Fact,
    LaboratoryResult,
    Medication,
    Procedure,
    Section,
    VaccineDose,
)

COLUMNS: dict[type, tuple[str, ...]] = {
    LaboratoryResult: ("test", "value", "range", "flag"),
    Medication: ("medicine", "dose"),
    Diagnosis: ("problem", "since"),
    Allergy: ("allergen",),
    VaccineDose: ("vaccine", "date", "lot"),
    Procedure: ("procedure", "date"),
}
"""The columns of the table of each type of fact: keys of `titles.toml`."""

FLAG_TERMS = {"H": "word.high", "L": "word.low", "N": "word.normal"}


def format_day(day: date, language: str) -> str:
    """Return a day as it is written in a language."""
    return day.strftime(load_table("phrases")["date"][language])


def section_title(section: Section, language: str) -> str:
    """Return the heading of a section."""
    return str(load_table("titles")["section"][section.code][language])


def table_header(facts: Sequence[Fact], language: str) -> list[str]:
    """Return the column headings of the table of facts, which are all of one type."""
    return [term(f"column.{column}", language) for column in COLUMNS[type(facts[0])]]


def table_row(fact: Fact, language: str) -> list[str]:
    """Return the cells of a fact."""
    if isinstance(fact, LaboratoryResult):
        value, limits = f"{fact.value:g} {fact.unit}", format_range(fact)
        return [fact.name, value, limits, term(FLAG_TERMS[fact.flag], language) if fact.flag != "N" else ""]
    if isinstance(fact, Medication):
        return [fact.name, fact.dose]
    if isinstance(fact, Diagnosis):
        return [f"{fact.name} ({fact.icd10})", format_day(fact.since, language)]
    if isinstance(fact, Allergy):
        return [fact.name]
    if isinstance(fact, VaccineDose):
        return [fact.name, format_day(fact.day, language), fact.lot]
    return [fact.name, format_day(fact.at.date(), language)]


def format_range(result: LaboratoryResult) -> str:
    """Return the reference range of a result: "70 - 100", or "< 5" without a lower limit."""
    return f"{result.low:g} - {result.high:g}" if result.low else f"< {result.high:g}"


def author_text(draft: DocumentDraft) -> str:
    """Return author and organisation, or the name of the person for a document of their own."""
    if draft.author is None or draft.organization is None:
        return draft.subject.person.name
    return f"{draft.author.name}, {draft.organization.name}"


def patient_text(draft: DocumentDraft) -> str:
    """Return name, birth date and first identifier of the patient."""
    person = draft.subject.person
    born = f"{term('word.born', draft.language)} {format_day(person.birth_date, draft.language)}"
    return f"{person.name}, {born}, {person.identifiers[0].value}"
