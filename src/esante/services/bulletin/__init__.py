"""The bulletin: monthly figures counted from the journal, protected, kept in vintages, released."""

from esante.services.bulletin.compilation.event_lake import SCHEMA
from esante.services.bulletin.compilation.indicator_spec import Recipe
from esante.services.bulletin.compilation.monthly_counts import shifted
from esante.services.bulletin.compilation.service_metrics import observe
from esante.services.bulletin.dissemination.publisher import Pusher
from esante.services.bulletin.dissemination.udata_client import PortalError, Target
from esante.services.bulletin.model import (
    LANGUAGES,
    Breakdown,
    Cell,
    Change,
    Finding,
    Flag,
    Indicator,
    IndicatorKind,
    Issue,
    Measure,
    PlatformObserved,
    Protection,
    Release,
    ReleaseState,
    Vintage,
    VintageStatus,
)
from esante.services.bulletin.publication import publish
from esante.services.bulletin.routes import page_routes
from esante.services.bulletin.service import Built, Bulletin, Refused

__all__ = [
    "LANGUAGES",
    "SCHEMA",
    "Breakdown",
    "Built",
    "Bulletin",
    "Cell",
    "Change",
    "Finding",
    "Flag",
    "Indicator",
    "IndicatorKind",
    "Issue",
    "Measure",
    "PlatformObserved",
    "PortalError",
    "Protection",
    "Pusher",
    "Recipe",
    "Refused",
    "Release",
    "ReleaseState",
    "Target",
    "Vintage",
    "VintageStatus",
    "observe",
    "page_routes",
    "publish",
    "shifted",
]
