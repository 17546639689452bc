"""What FHIR R4 endpoints over HTTP share: responses, negotiation, preconditions, parameters."""
