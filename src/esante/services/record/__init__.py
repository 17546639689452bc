"""The shared care record: documents, their versions, and who may see them."""

from esante.services.record.bulk_read import COPIED_TYPES, BulkReader, CopyPage, Span, bulk_read_verdict
from esante.services.record.categories import CATEGORIES, LOINC, Category, category_of_type, display_of_type
from esante.services.record.clinical.events import ClinicalCreated, ClinicalDeleted, ClinicalUpdated
from esante.services.record.clinical.routes import OF_PATIENTS, OPERATIONS, PATCH_FORMAT
from esante.services.record.clinical.view import View
from esante.services.record.clinical_types import CLINICAL, ClinicalType
from esante.services.record.documents.content.validation_messages import FINDINGS, InvalidContent
from esante.services.record.documents.current import CurrentDocument, CurrentDocuments
from esante.services.record.documents.deposit import PreparedDeposit
from esante.services.record.documents.document_reference import CATEGORY_SYSTEM
from esante.services.record.documents.mhd_api import capabilities
from esante.services.record.documents.mhd_api import routes as api_routes
from esante.services.record.documents.service import Record
from esante.services.record.documents.store import document_rows
from esante.services.record.identification.check import DIFFERS, compare_document, keys_of
from esante.services.record.identification.comparison import is_matricule, matricule_system
from esante.services.record.identification.model import Comparison, Demographics, PersonName
from esante.services.record.indexing.sources import Source
from esante.services.record.model import (
    FORMAT_BY_MIME_TYPE,
    INDEXED,
    MAX_CONTENT,
    Compiled,
    ConfidentialitySet,
    Corrected,
    Deposit,
    Deposited,
    DepositedEvent,
    DepositFailed,
    DepositItem,
    Document,
    Filters,
    Finding,
    LinesRestricted,
    Listed,
    Order,
    Read,
    Refused,
    Replaced,
    Status,
    Timeline,
    Withdrawn,
)
from esante.services.record.pages.file_names import file_name, readable_name
from esante.services.record.pages.page_context import (
    PageContext,
    PageContexts,
    PageMethod,
    Resolver,
    banner_loader,
    no_access,
    page_endpoint,
)
from esante.services.record.pages.readable_copy import ReadableCopies
from esante.services.record.pages.record import routes as page_routes
from esante.services.record.rendering.preview import Unreadable
from esante.services.record.rendering.worker_pool import WorkerFailure, WorkerPool
from esante.services.record.retention.events import ContentDeleted
from esante.services.record.retention.terms import retention_terms
from esante.services.record.rules import item_of, purpose_of
from esante.services.record.secondary_use.reader import SecondaryUse, SharedBatch
from esante.services.record.visibility import FocusSnapshot

__all__ = [
    "CATEGORIES",
    "CATEGORY_SYSTEM",
    "CLINICAL",
    "COPIED_TYPES",
    "DIFFERS",
    "FINDINGS",
    "FORMAT_BY_MIME_TYPE",
    "INDEXED",
    "LOINC",
    "MAX_CONTENT",
    "OF_PATIENTS",
    "OPERATIONS",
    "PATCH_FORMAT",
    "BulkReader",
    "Category",
    "ClinicalCreated",
    "ClinicalDeleted",
    "ClinicalType",
    "ClinicalUpdated",
    "Comparison",
    "Compiled",
    "ConfidentialitySet",
    "ContentDeleted",
    "CopyPage",
    "Corrected",
    "CurrentDocument",
    "CurrentDocuments",
    "Demographics",
    "Deposit",
    "DepositFailed",
    "DepositItem",
    "Deposited",
    "DepositedEvent",
    "Document",
    "Filters",
    "Finding",
    "FocusSnapshot",
    "InvalidContent",
    "LinesRestricted",
    "Listed",
    "Order",
    "PageContext",
    "PageContexts",
    "PageMethod",
    "PersonName",
    "PreparedDeposit",
    "Read",
    "ReadableCopies",
    "Record",
    "Refused",
    "Replaced",
    "Resolver",
    "SecondaryUse",
    "SharedBatch",
    "Source",
    "Span",
    "Status",
    "Timeline",
    "Unreadable",
    "View",
    "Withdrawn",
    "WorkerFailure",
    "WorkerPool",
    "api_routes",
    "banner_loader",
    "bulk_read_verdict",
    "capabilities",
    "category_of_type",
    "compare_document",
    "display_of_type",
    "document_rows",
    "file_name",
    "is_matricule",
    "item_of",
    "keys_of",
    "matricule_system",
    "no_access",
    "page_endpoint",
    "page_routes",
    "purpose_of",
    "readable_name",
    "retention_terms",
]
