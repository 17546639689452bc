"""XDS-I.b for software that does not speak DICOMweb: RAD-68 and RAD-69 over SOAP, an adapter of the same archive."""
