"""Messages of document registries and repositories: ebXML as the XDS profiles of IHE use it (ITI TF-3, 4.2)."""

from esante.core.xds.metadata import read_associations, read_documents, write_association, write_document
from esante.core.xds.model import (
    Association,
    Coded,
    DocumentEntry,
    DocumentRequest,
    Listing,
    RegistryError,
    RetrievedDocument,
    StoredQuery,
)
from esante.core.xds.names import APPROVED, DOCUMENT_PATIENT_ID, FIND_DOCUMENTS, RIM, RS, TRANSFORMS, XDSB
from esante.core.xds.provision import Provision, read_response, write_provision
from esante.core.xds.query import read_listing, read_query, write_listing, write_query
from esante.core.xds.response import read_errors, registry_response
from esante.core.xds.retrieval import Retrieved, read_requests, read_retrieved, write_requests, write_retrieved

__all__ = [
    "APPROVED",
    "DOCUMENT_PATIENT_ID",
    "FIND_DOCUMENTS",
    "RIM",
    "RS",
    "TRANSFORMS",
    "XDSB",
    "Association",
    "Coded",
    "DocumentEntry",
    "DocumentRequest",
    "Listing",
    "Provision",
    "RegistryError",
    "Retrieved",
    "RetrievedDocument",
    "StoredQuery",
    "read_associations",
    "read_documents",
    "read_errors",
    "read_listing",
    "read_query",
    "read_requests",
    "read_response",
    "read_retrieved",
    "registry_response",
    "write_association",
    "write_document",
    "write_listing",
    "write_provision",
    "write_query",
    "write_requests",
    "write_retrieved",
]
