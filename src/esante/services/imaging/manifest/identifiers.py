"""UIDs that are derived, and the issuers of identifiers in DICOM and FHIR."""

import hashlib
from uuid import NAMESPACE_OID, NAMESPACE_URL, uuid5

from esante.core.storage import uuid8

_KINDS = {"ISO": "urn:oid:", "UUID": "urn:uuid:"}


def derived_uid(*parts: str) -> str:
    """Return the UID that belongs to some texts: the same for the same ones (PS3.5, B.2)."""
    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    return f"2.25.{uuid8(digest[:16]).int}"


def location_uid(url: str) -> str:
    """Return the Retrieve Location UID of the platform's own DICOMweb at an address."""
    return f"2.25.{uuid5(NAMESPACE_URL, url).int}"


def entry_url(manifest_uid: str, name: str) -> str:
    """Return the fullUrl of a part of a manifest."""
    return uuid5(NAMESPACE_OID, f"{manifest_uid}/{name}").urn


def entity_of(system: str) -> tuple[str, str]:
    """Return the Universal Entity ID and its type for a FHIR system (PS3.3, table 10-17)."""
    for kind, prefix in _KINDS.items():
        if system.startswith(prefix):
            return system.removeprefix(prefix), kind
    return system, "URI"


def system_of(entity: str, kind: str) -> str:
    """Return the FHIR system of a Universal Entity ID."""
    return f"{_KINDS.get(kind, '')}{entity}"
