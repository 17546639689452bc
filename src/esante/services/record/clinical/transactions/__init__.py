"""Batch and transaction Bundles (FHIR R4, http.html, "batch/transaction")."""
