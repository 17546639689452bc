"""Views of FHIR resources as rows (HL7 SQL on FHIR 2.0)."""
