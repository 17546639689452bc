"""What FHIR R4 endpoints over HTTP share: responses, negotiation, preconditions, parameters."""

from esante.core.fhir.rest.capability_statement import merge_capabilities

__all__ = ["merge_capabilities"]
