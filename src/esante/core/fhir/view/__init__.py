"""The document view: a FHIR document Bundle as a typed model for a readable page."""

from esante.core.fhir.view.document import view
from esante.core.fhir.view.model import (
    Allergy,
    Condition,
    Detail,
    DocumentView,
    Entry,
    Identifier,
    Immunisation,
    Medication,
    Observation,
    Omission,
    Other,
    Party,
    Procedure,
    Section,
    Subject,
    Table,
    When,
)

__all__ = [
    "Allergy",
    "Condition",
    "Detail",
    "DocumentView",
    "Entry",
    "Identifier",
    "Immunisation",
    "Medication",
    "Observation",
    "Omission",
    "Other",
    "Party",
    "Procedure",
    "Section",
    "Subject",
    "Table",
    "When",
    "view",
]
