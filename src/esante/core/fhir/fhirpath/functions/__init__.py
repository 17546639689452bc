"""The functions of FHIRPath and those that FHIR adds, registered by importing their modules."""

from esante.core.fhir.fhirpath.functions import collections, conversions, fhir, keys, numbers, references, texts

__all__ = ["collections", "conversions", "fhir", "keys", "numbers", "references", "texts"]
