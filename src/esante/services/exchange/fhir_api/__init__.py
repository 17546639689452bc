"""The FHIR interface of a contact point, beside SOAP: patients, lists of documents, documents as Bundles."""
