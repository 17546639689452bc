"""Indexing: the resources of deposited FHIR documents, their sources and their provenance."""
