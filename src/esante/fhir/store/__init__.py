"""Clinical resources of a person in PostgreSQL."""

from esante.fhir.store.table import RESOURCE

__all__ = ["RESOURCE"]
