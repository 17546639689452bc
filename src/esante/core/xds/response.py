"""The answers of registries (IHE ITI TF-3, 4.2.4)."""

from collections.abc import Sequence

from lxml import etree

from esante.core.soap import Malformed
from esante.core.xds.model import RegistryError
from esante.core.xds.names import RS

_STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
_SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"


def registry_response(
    errors: Sequence[RegistryError] = (), *, is_partial: bool = False, is_failure: bool = False
) -> etree._Element:
    """Return a RegistryResponse: success without errors, failure with them, or partial success.

    Warnings alone leave it a success, unless it is a failure by what the profile says.
    """
    status = status_of(errors, is_failure=is_failure, is_partial=is_partial)
    response = etree.Element(f"{{{RS}}}RegistryResponse", nsmap={"rs": RS}, status=status)
    add_errors(response, errors)
    return response


def status_of(errors: Sequence[RegistryError], *, is_failure: bool, is_partial: bool) -> str:
    """Return the status of an answer."""
    if is_failure:
        return f"{_STATUS}Failure"
    if all(one.is_warning for one in errors):
        return f"{_STATUS}Success"
    return _PARTIAL if is_partial else f"{_STATUS}Failure"


def add_errors(response: etree._Element, errors: Sequence[RegistryError]) -> None:
    """Add the list of errors to an answer, where there are any."""
    if not errors:
        return
    highest = "Warning" if all(one.is_warning for one in errors) else "Error"
    found = etree.SubElement(response, f"{{{RS}}}RegistryErrorList", highestSeverity=_SEVERITY + highest)
    for one in errors:
        severity = _SEVERITY + ("Warning" if one.is_warning else "Error")
        attributes = {"errorCode": one.code, "codeContext": one.context, "severity": severity}
        etree.SubElement(found, f"{{{RS}}}RegistryError", attributes | {"location": one.location})


def read_response(content: etree._Element) -> tuple[bool, Sequence[RegistryError]]:
    """Return whether a submission succeeded, and the errors and warnings.

    Raises: `Malformed` for what says neither success nor failure.
    """
    status = content.get("status", "").rpartition(":")[2]
    if content.tag != f"{{{RS}}}RegistryResponse" or status not in ("Success", "Failure"):
        raise Malformed("Body: RegistryResponse with Success or Failure is needed")
    return status == "Success", read_errors(content)


def read_errors(content: etree._Element) -> list[RegistryError]:
    """Return the errors below an element."""
    return [
        RegistryError(
            one.get("errorCode", ""),
            one.get("codeContext", ""),
            one.get("location", ""),
            is_warning=one.get("severity", "").endswith(":Warning"),
        )
        for one in content.iter(f"{{{RS}}}RegistryError")
    ]
