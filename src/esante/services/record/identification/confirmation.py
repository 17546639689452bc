"""The FHIR extension by which software confirms that what differs from the person of the record is about them."""

from collections.abc import Mapping
from typing import Any

from esante.core.types import Json
from esante.core.web import N_, bad_request
from esante.services.record.documents.content.validation import check_reason
from esante.services.record.documents.content.validation_messages import InvalidContent

CONFIRMATION_EXTENSION = "https://esante.lu/fhir/StructureDefinition/patient-confirmed"
"""An extension of a DocumentReference or of the Patient of a transaction; its valueString is the reason."""


def read_confirmation(resource: Mapping[str, Any], path: str) -> str | None:
    """Return the reason in the extension of a resource at `path`, or None where it has no such extension.

    Raises: `Problem` 422 for an extension without a valueString, or one that is too long.
    """
    extensions = (one for one in resource.get("extension", ()) if isinstance(one, Mapping))
    found = next((one for one in extensions if one.get("url") == CONFIRMATION_EXTENSION), None)
    if found is None:
        return None
    place = f"{path}.extension"
    if not isinstance(found.get("valueString"), str):
        raise bad_request(
            place, N_("Enter a reason."), N_("Send the reason as valueString."), status=422, code="value"
        )
    try:
        return check_reason(found["valueString"])
    except InvalidContent as invalid:
        invalid.place = place
        raise


def confirmation_extension(reason: str) -> Json:
    """Return the extension with a reason."""
    return {"url": CONFIRMATION_EXTENSION, "valueString": reason}
