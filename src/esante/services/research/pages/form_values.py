"""What the pages share: fields of forms, problems that a form shows, words of a search, names of the catalogue."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core.web import Problem
from esante.services.research.datasets.catalogue import load_datasets, tables_by_name
from esante.services.research.terms import prohibited_purposes, purposes

OPERATOR, RESEARCHER, PATIENT = ("operator",), ("researcher",), ("patient",)
MAX_TEXT = 100
"""Characters of a search."""
_SHOWN_IN_FORM = (400, 409, 429, 503)
"""Status codes of problems that a form shows; others have a page of their own."""


def shown(problem: Problem) -> Problem:
    """Return a problem that a form shows; raise any other."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem


def form_texts(form: FormData | None, *names: str) -> dict[str, str]:
    """Return text fields of a form, "" for those that are missing or files."""
    given: Mapping[str, Any] = form or {}
    return {name: value if isinstance(value := given.get(name, ""), str) else "" for name in names}


def form_columns(form: FormData) -> dict[str, frozenset[str]]:
    """Return the chosen columns of a form by table; a field `columns` is "dataset.table.column"."""
    found: dict[str, set[str]] = {}
    for value in form.getlist("columns"):
        table, _, name = str(value).rpartition(".")
        found.setdefault(table, set()).add(name)
    return {table: frozenset(names) for table, names in found.items()}


def whole_number(text: str) -> int:
    """Return the number of up to four digits that a text is; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0


def searched(request: Request) -> str:
    """Return the words of a search."""
    return request.query_params.get("q", "").strip()[:MAX_TEXT]


def catalogue_words() -> dict[str, Any]:
    """Return what templates need to name datasets, tables, columns and purposes."""
    return {
        "datasets": load_datasets(),
        "dataset_names": {one.name: one.titles for one in load_datasets()},
        "tables": tables_by_name(),
        "purposes": purposes(),
        "prohibited": prohibited_purposes(),
    }
