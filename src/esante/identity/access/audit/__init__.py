"""The access log of a person, in plain words and as FHIR AuditEvent."""
