"""The document view: a FHIR document Bundle as a typed model for a page.

`build_document_view(bundle)` returns a `DocumentView`; the other names are the parts of it.
"""

from esante.core.fhir.view.document import build_document_view
from esante.core.fhir.view.model import (
    Allergy,
    Condition,
    Detail,
    DocumentView,
    Immunisation,
    Medication,
    Observation,
    Omission,
    Other,
    Party,
    PatientIdentifier,
    Procedure,
    Reaction,
    ResourceTable,
    Section,
    Subject,
    TableRow,
    When,
)

__all__ = [
    "Allergy",
    "Condition",
    "Detail",
    "DocumentView",
    "Immunisation",
    "Medication",
    "Observation",
    "Omission",
    "Other",
    "Party",
    "PatientIdentifier",
    "Procedure",
    "Reaction",
    "ResourceTable",
    "Section",
    "Subject",
    "TableRow",
    "When",
    "build_document_view",
]
