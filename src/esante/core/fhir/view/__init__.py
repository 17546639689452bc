"""The document view: a FHIR document Bundle as a typed model for a page.

`build_document_view(bundle)` returns a `DocumentView`; the other names are the parts of it.
"""

from esante.core.fhir.view.document import build_document_view
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
    "build_document_view",
]
