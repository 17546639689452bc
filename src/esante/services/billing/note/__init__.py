"""The fee note (mémoire d'honoraires): its model and its faces in national XML, FHIR and PDF."""
