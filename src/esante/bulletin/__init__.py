"""The bulletin: monthly figures counted from the journal, protected, kept in vintages, released."""

from esante.bulletin.lake import SCHEMA
from esante.bulletin.model import (
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
from esante.bulletin.months import shifted
from esante.bulletin.observing import Meter, Metered, observe
from esante.bulletin.portal_udata import PortalError, Target
from esante.bulletin.publication import publish
from esante.bulletin.pushing import Pusher
from esante.bulletin.recipe import Recipe
from esante.bulletin.routes import page_routes
from esante.bulletin.service import Built, Bulletin, Refused

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
    "Meter",
    "Metered",
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
