"""Validation of FHIR R4 resources: structure, cross-element rules, invariants."""
