"""The bulletin: monthly figures counted from the journal, protected, kept in vintages, released."""

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
    Protection,
    Release,
    ReleaseState,
    Vintage,
    VintageStatus,
)

__all__ = [
    "LANGUAGES",
    "Breakdown",
    "Cell",
    "Change",
    "Finding",
    "Flag",
    "Indicator",
    "IndicatorKind",
    "Issue",
    "Measure",
    "Protection",
    "Release",
    "ReleaseState",
    "Vintage",
    "VintageStatus",
]
