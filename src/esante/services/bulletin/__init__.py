"""The bulletin "Cahier eSanté": monthly figures from the journal, with disclosure control, in vintages, released."""

from esante.services.bulletin.compilation.event_lake import LAKE_SCHEMA
from esante.services.bulletin.compilation.indicator_spec import IndicatorSpecification
from esante.services.bulletin.compilation.service_metrics import record_service_metrics
from esante.services.bulletin.dissemination.publisher import PortalPublisher
from esante.services.bulletin.model import (
    LANGUAGES,
    Aggregation,
    Breakdown,
    BulletinIssue,
    BulletinRefused,
    Cell,
    CellFlag,
    DataAnomaly,
    Indicator,
    IndicatorKind,
    PlatformObserved,
    Protection,
    Release,
    ReleaseState,
    Revision,
    Vintage,
    VintageStatus,
)
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.publication.issue_files import publish
from esante.services.bulletin.routes import page_routes
from esante.services.bulletin.service import BuildResult, Bulletin

__all__ = [
    "LAKE_SCHEMA",
    "LANGUAGES",
    "Aggregation",
    "Breakdown",
    "BuildResult",
    "Bulletin",
    "BulletinIssue",
    "BulletinRefused",
    "Cell",
    "CellFlag",
    "DataAnomaly",
    "Indicator",
    "IndicatorKind",
    "IndicatorSpecification",
    "PlatformObserved",
    "PortalPublisher",
    "Protection",
    "Release",
    "ReleaseState",
    "Revision",
    "Vintage",
    "VintageStatus",
    "page_routes",
    "publish",
    "record_service_metrics",
    "shift_month",
]
