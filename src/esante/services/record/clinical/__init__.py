"""Clinical resources over the FHIR R4 REST API (http.html)."""
