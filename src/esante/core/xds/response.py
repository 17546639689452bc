"""The answers of registries (IHE ITI TF-3, 4.2.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

XDSB = "urn:ihe:iti:xds-b:2007"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
_STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
_ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"


@dataclass(frozen=True, slots=True)
class RegistryError:
    """An error in an answer: its code, what it is about, and its place (such as a UID)."""

    code: str
    context: str
    location: str = ""


def registry_response(errors: Sequence[RegistryError], *, is_partial: bool = False) -> etree._Element:
    """Return a RegistryResponse: success without errors, failure with them, or partial success."""
    status = f"{_STATUS}Success" if not errors else _PARTIAL if is_partial else f"{_STATUS}Failure"
    response = etree.Element(f"{{{RS}}}RegistryResponse", nsmap={"rs": RS}, status=status)
    if errors:
        found = etree.SubElement(response, f"{{{RS}}}RegistryErrorList", highestSeverity=_ERROR)
        for one in errors:
            attributes = {"errorCode": one.code, "codeContext": one.context, "severity": _ERROR}
            etree.SubElement(found, f"{{{RS}}}RegistryError", attributes | {"location": one.location})
    return response
