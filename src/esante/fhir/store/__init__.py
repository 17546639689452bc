"""Clinical resources of a person in PostgreSQL."""

from esante.fhir.store.table import RESOURCE
from esante.fhir.store.versions import (
    START,
    Key,
    Place,
    Version,
    after,
    current,
    deleted,
    end,
    history,
    instant,
    lock,
    new,
    now,
    of_ids,
    row,
    version_of,
)

__all__ = [
    "RESOURCE",
    "START",
    "Key",
    "Place",
    "Version",
    "after",
    "current",
    "deleted",
    "end",
    "history",
    "instant",
    "lock",
    "new",
    "now",
    "of_ids",
    "row",
    "version_of",
]
