"""The fee note (mémoire d'honoraires): its model, in national XML, FHIR and PDF."""
