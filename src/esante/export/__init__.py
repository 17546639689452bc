"""Exports: many resources at once as files, for software, and for a person who takes her data along."""

from esante.export.api import OPERATIONS, SYSTEM_OPERATION, capabilities
from esante.export.api import routes as api_routes
from esante.export.model import Copied, ExportAsked, ExportEnded, ExportFetched, ExportRefused, Level, State, Taken
from esante.export.pages import routes as page_routes
from esante.export.service import Exports
from esante.export.takeout import Takeout

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
