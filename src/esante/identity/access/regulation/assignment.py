"""The assignment of document classes to the legal categories of the matrix: the agency's choice, dated.

`assignment.csv` of a policy set holds the assignment that is packaged. Operators change it by rows in the database
(`assignments.Assignments`); the assignment in force on a day is the last whose `valid_from` has come.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO

_ASSUMED = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A document class (the stored key of a kind of documents) and its legal category, from a day on.

    `assumed`: no text of the law says so; the agency chose it.
    """

    document_class: str
    category: str
    valid_from: date
    legal_source: str
    assumed: bool = True


def parse_assignments(text: str, categories: Iterable[str]) -> tuple[Assignment, ...]:
    """Return the lines of an assignment file (CSV), oldest first.

    Raises: ValueError with the number of the line that is wrong, with the category without a class, or with the class
    and day that are there twice.
    """
    known, found = list(categories), []
    for number, row in enumerate(csv.DictReader(StringIO(text)), 2):
        try:
            found.append(_parse_line(row))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"assignment, line {number}: {error}") from error
        if found[-1].category not in known:
            raise ValueError(f"assignment, line {number}: the category {found[-1].category!r} is unknown")
        key = (found[-1].document_class, found[-1].valid_from)
        if key in ((one.document_class, one.valid_from) for one in found[:-1]):
            raise ValueError(f"assignment, line {number}: the class {key[0]} is there twice from {key[1]}")
    found.sort(key=lambda one: one.valid_from)
    for day in sorted({one.valid_from for one in found}):
        if empty := [key for key in known if key not in in_force(found, day).values()]:
            raise ValueError(f"assignment: the category {empty[0]} has no document class on {day}")
    return tuple(found)


def in_force(assignments: Sequence[Assignment], on: date) -> dict[str, str]:
    """Return the legal category of each document class on a day; before the first period, none.

    `assignments`: oldest first; of several of one day, the last counts.
    """
    return {one.document_class: one.category for one in assignments if one.valid_from <= on}


def _parse_line(row: dict[str, str]) -> Assignment:
    values = {name: row[name].strip() for name in ("document_class", "category", "legal_source")}
    if empty := [name for name, value in values.items() if not value]:
        raise ValueError(f"the field {empty[0]} is empty")
    return Assignment(
        valid_from=date.fromisoformat(row["valid_from"]), assumed=_ASSUMED[row["assumed"].strip()], **values
    )
