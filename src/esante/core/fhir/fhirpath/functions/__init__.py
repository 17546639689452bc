"""The functions of FHIRPath, and those that FHIR adds; importing them registers them."""

from esante.core.fhir.fhirpath.functions import collections, conversions, fhir, numbers, references, texts

__all__ = ["collections", "conversions", "fhir", "numbers", "references", "texts"]
