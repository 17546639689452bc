"""Exports: many resources at once as files, for software, and for a person who takes her data along."""

from esante.services.export.api import OPERATIONS, SYSTEM_OPERATION, capabilities
from esante.services.export.api import routes as api_routes
from esante.services.export.model import (
    Copied,
    ExportAsked,
    ExportEnded,
    ExportFetched,
    ExportRefused,
    Level,
    State,
    Taken,
)
from esante.services.export.pages import routes as page_routes
from esante.services.export.personal_export import Takeout
from esante.services.export.service import Exports

__all__ = [
    "OPERATIONS",
    "SYSTEM_OPERATION",
    "Copied",
    "ExportAsked",
    "ExportEnded",
    "ExportFetched",
    "ExportRefused",
    "Exports",
    "Level",
    "State",
    "Taken",
    "Takeout",
    "api_routes",
    "capabilities",
    "page_routes",
]
