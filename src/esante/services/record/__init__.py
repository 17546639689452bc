"""The shared care record: documents, their versions, and who may see them."""

from esante.services.record.bulk_read import TYPES as COPIED_TYPES
from esante.services.record.bulk_read import Extract, Extracts, Span, ground
from esante.services.record.categories import CATEGORIES, LOINC, Category, category_of_type, display_of_type
from esante.services.record.clinical.events import View
from esante.services.record.clinical.routes import OF_PATIENTS, OPERATIONS, PATCH_FORMAT
from esante.services.record.clinical_types import CLINICAL, ClinicalType
from esante.services.record.documents.document_reference import CATEGORY_SYSTEM
from esante.services.record.documents.mhd_api import capabilities
from esante.services.record.documents.mhd_api import routes as api_routes
from esante.services.record.documents.service import Record
from esante.services.record.documents.store import rows_of as document_rows
from esante.services.record.documents.validation_messages import FINDINGS, InvalidContent
from esante.services.record.model import (
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
from esante.services.record.pages.record import file_name
from esante.services.record.pages.record import routes as page_routes
from esante.services.record.visibility import Look

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
