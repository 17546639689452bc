"""The foundation: storage, the journal, HTTP and FHIR R4; knows no service."""
