"""The document view: a FHIR document Bundle as a typed model for a page.

`build_document_view(bundle)` returns a `DocumentView`; `build_tables(resources, library)` the tables of some
resources, `ReferenceLibrary(bundle)` what they refer to; the other names are the parts of these.
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
from esante.core.fhir.view.reference_library import ReferenceLibrary
from esante.core.fhir.view.tables import build_tables

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
    "ReferenceLibrary",
    "ResourceTable",
    "Section",
    "Subject",
    "TableRow",
    "When",
    "build_document_view",
    "build_tables",
]
