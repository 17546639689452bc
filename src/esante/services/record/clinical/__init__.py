"""Clinical resources over the FHIR REST API."""
