"""The shared care record: documents, their versions, and who may see them."""

from esante.record.api import capabilities
from esante.record.api import routes as api_routes
from esante.record.categories import CATEGORIES, LOINC, Category, category_of_type, display_of_type
from esante.record.clinical_model import View
from esante.record.clinical_routes import OF_PATIENTS, OPERATIONS, PATCH_FORMAT
from esante.record.clinical_types import CLINICAL, ClinicalType
from esante.record.extract import TYPES as COPIED_TYPES
from esante.record.extract import Extract, Extracts, Span, ground
from esante.record.findings import FINDINGS, InvalidContent
from esante.record.looking import Focus, Look
from esante.record.model import (
    FORMAT_BY_MIME_TYPE,
    MAX_CONTENT,
    ConfidentialitySet,
    Corrected,
    Deposit,
    Deposited,
    DepositedEvent,
    Document,
    Entry,
    Filters,
    Finding,
    Listed,
    Order,
    Read,
    Refused,
    Replaced,
    Status,
    Timeline,
    Withdrawn,
)
from esante.record.pages import file_name
from esante.record.pages import routes as page_routes
from esante.record.resources import CATEGORY_SYSTEM
from esante.record.service import Record
from esante.record.store import rows_of as document_rows

__all__ = [
    "CATEGORIES",
    "CATEGORY_SYSTEM",
    "CLINICAL",
    "COPIED_TYPES",
    "FINDINGS",
    "FORMAT_BY_MIME_TYPE",
    "LOINC",
    "MAX_CONTENT",
    "OF_PATIENTS",
    "OPERATIONS",
    "PATCH_FORMAT",
    "Category",
    "ClinicalType",
    "ConfidentialitySet",
    "Corrected",
    "Deposit",
    "Deposited",
    "DepositedEvent",
    "Document",
    "Entry",
    "Extract",
    "Extracts",
    "Filters",
    "Finding",
    "Focus",
    "InvalidContent",
    "Listed",
    "Look",
    "Order",
    "Read",
    "Record",
    "Refused",
    "Replaced",
    "Span",
    "Status",
    "Timeline",
    "View",
    "Withdrawn",
    "api_routes",
    "capabilities",
    "category_of_type",
    "display_of_type",
    "document_rows",
    "file_name",
    "ground",
    "page_routes",
]
