"""Exports: FHIR Bulk Data Access for software, and a download of the whole record for the patient."""

from esante.services.export.api import OPERATIONS, SYSTEM_OPERATION, capabilities
from esante.services.export.api import routes as api_routes
from esante.services.export.kickoff import ExportParams
from esante.services.export.model import (
    DataExported,
    ExportEnded,
    ExportFileFetched,
    ExportLevel,
    ExportRefused,
    ExportRequested,
    PersonalExportDownloaded,
)
from esante.services.export.pages import routes as page_routes
from esante.services.export.personal_export import PersonalExports
from esante.services.export.service import SETTLING, Exports

__all__ = [
    "OPERATIONS",
    "SETTLING",
    "SYSTEM_OPERATION",
    "DataExported",
    "ExportEnded",
    "ExportFileFetched",
    "ExportLevel",
    "ExportParams",
    "ExportRefused",
    "ExportRequested",
    "Exports",
    "PersonalExportDownloaded",
    "PersonalExports",
    "api_routes",
    "capabilities",
    "page_routes",
]
