"""The columns of the tables in a narrative: for each kind of table its headings, and the cells of a row."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from esante.core.fhir.view import (
    Allergy,
    Condition,
    Observation,
    TableRow,
    When,
)
from esante.core.fhir.view.model import TableKind
from esante.core.web import N_, P_

Column = tuple[str, Callable[[Any], str | When], bool]
"""A heading (msgid), the text or time of the cell, and whether that text is a FHIR code with words of its own."""

CODES: Mapping[str, str] = {
    "active": N_("active"),
    "inactive": N_("inactive"),
    "resolved": N_("resolved"),
    "completed": N_("completed"),
    "not-done": N_("not done"),
    "final": N_("final"),
    "preliminary": N_("preliminary"),
    "entered-in-error": N_("entered in error"),
    "stopped": N_("stopped"),
    "on-hold": N_("on hold"),
    "cancelled": N_("cancelled"),
    "unknown": N_("unknown"),
    "confirmed": N_("confirmed"),
    "unconfirmed": N_("unconfirmed"),
    "refuted": N_("refuted"),
    "low": P_("criticality", "low"),
    "high": P_("criticality", "high"),
    "N": N_("normal"),
    "H": N_("high"),
    "HH": N_("critically high"),
    "L": N_("low"),
    "LL": N_("critically low"),
    "A": N_("abnormal"),
    "POS": N_("positive"),
    "NEG": N_("negative"),
    "DET": N_("detected"),
    "ND": N_("not detected"),
}
"""Words (msgids) for codes; a code without words stands as it is."""
_NOTES = ("note", "doNotPerform", "conclusion", "statusReason")


def _when(row: TableRow) -> When:
    return row.when


def _value(row: Observation) -> str:
    value = " ".join(part for part in (row.value, row.unit) if part)
    return value or row.absent_reason


def _range(row: Observation) -> str:
    limits = f"{row.low} – {row.high}".strip() if row.low or row.high else ""
    return limits or row.range_text


def _notes(row: TableRow) -> str:
    return "; ".join(detail.text for detail in row.details if detail.name in _NOTES)


def _details(row: TableRow) -> str:
    return "; ".join(f"{detail.name}: {detail.text}" for detail in row.details)


def _certainty(row: Condition | Allergy) -> str:
    return row.verification


_NAME: Column = (P_("clinical", "What"), lambda row: row.name, False)
_DATE: Column = (N_("Date"), _when, False)
_STATUS: Column = (N_("Status"), lambda row: row.status, True)
_NOTE: Column = (N_("Note"), _notes, False)
_CERTAINTY: Column = (N_("Certainty"), _certainty, True)

_COLUMNS: Mapping[TableKind, tuple[Column, ...]] = {
    "observations": (
        _NAME,
        (N_("Result"), _value, False),
        (N_("Reference range"), _range, False),
        (N_("Assessment"), lambda row: row.flag if row.flag in CODES else row.flag_text or row.flag, True),
        _DATE,
        _STATUS,
        _NOTE,
    ),
    "medications": (
        _NAME,
        (N_("Dose"), lambda row: row.dosage, False),
        (P_("clinical", "Reason"), lambda row: row.reason, False),
        _DATE,
        _STATUS,
        _NOTE,
    ),
    "allergies": (
        _NAME,
        (N_("Reactions"), lambda row: row.reactions, False),
        (N_("Risk of a severe reaction"), lambda row: row.criticality, True),
        _DATE,
        _STATUS,
        _CERTAINTY,
        _NOTE,
    ),
    "conditions": (
        _NAME,
        _DATE,
        (N_("Severity"), lambda row: row.severity, False),
        _STATUS,
        _CERTAINTY,
        _NOTE,
    ),
    "immunisations": (
        _NAME,
        _DATE,
        (N_("Dose number"), lambda row: row.dose, False),
        (N_("Batch number"), lambda row: row.lot, False),
        (N_("Protects against"), lambda row: row.diseases, False),
        _STATUS,
        _NOTE,
    ),
    "procedures": (
        _NAME,
        _DATE,
        (P_("clinical", "Reason"), lambda row: row.reason, False),
        (N_("Outcome"), lambda row: row.outcome, False),
        _STATUS,
        _NOTE,
    ),
    "others": (_NAME, _DATE, _STATUS, (N_("Details"), _details, False)),
}


def table_columns(kind: TableKind) -> tuple[Column, ...]:
    """Return the columns of a kind of table, the name of what each row is about first."""
    return _COLUMNS[kind]


def rows_with_members(rows: tuple[TableRow, ...], depth: int = 0) -> Iterator[tuple[int, TableRow]]:
    """Yield each row with its depth: components and members of a panel follow it, one level deeper."""
    for row in rows:
        yield depth, row
        if isinstance(row, Observation):
            yield from rows_with_members(row.members, depth + 1)
