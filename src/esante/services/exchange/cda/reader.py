"""Reads CDA R2 from bytes that nobody has checked: well-formed, without a document type, of bounded size and depth.

`check_structure` finds what a document lacks that every clinical document has (POCD_HD000040); it is no schema.
"""

import re
from typing import Any

from lxml import etree

from esante.services.exchange.model import Fault, NotUsable

V3 = "urn:hl7-org:v3"
PHARM = "urn:hl7-org:pharm"
"""The namespace of the medicine in CDA since 2018; before it was `urn:epsos-org:ep:medication`."""
XSI = "http://www.w3.org/2001/XMLSchema-instance"
TYPE = f"{{{XSI}}}type"
MAX_BYTES = 20 << 20
MAX_DEPTH = 100
"""Levels of elements; real documents stay below 30."""
MAX_ELEMENTS = 200_000
_COUNT: Any = etree.XPath("count(//*)")
_TOO_DEEP: Any = etree.XPath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")")
_IN_ASCII = re.compile(
    rb"""(?:\xef\xbb\xbf)?\s*(?:<\?xml\s[^>]*?encoding\s*=\s*["'](?i:utf-8|us-ascii|iso-8859-\d+)["'][^>]*\?>|<(?!\?xml\s))"""
)
"""The beginning of a document in whose encoding a document type would be seen as the bytes of ASCII."""
_REQUIRED = (
    ("typeId", 'Write <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'),
    ("id", "Give the document its identifier"),
    ("code", "Give the kind of the document"),
    ("effectiveTime", "Say when the document was made"),
    ("confidentialityCode", "Give its confidentiality"),
    ("recordTarget/patientRole/id", "Name the patient"),
    ("author", "Name its author"),
    ("custodian", "Name its custodian"),
    ("component", "Add the body"),
)


class _Prologue:
    """Stops at a document type, before its entities are read, and at the first element."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise _HasDoctype

    def start(self, tag: str, attributes: Any) -> None:
        raise _AtRoot

    def close(self) -> None:
        pass


class _HasDoctype(Exception):
    pass


class _AtRoot(Exception):
    pass


def read_cda(data: bytes) -> Any:
    """Return the root element of a clinical document.

    Raises: `NotUsable` when the bytes are too many, no XML, have a document type, are too deep, or are no CDA.
    """
    if len(data) > MAX_BYTES:
        raise _refuse(f"the document is larger than {MAX_BYTES >> 20} MiB", "", "Send a smaller document")
    if b"<!DOCTYPE" in data or not _IN_ASCII.match(data):
        _refuse_doctype(data)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True, remove_comments=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise _not_xml(error) from error
    name = etree.QName(root)
    if name.namespace != V3 or name.localname != "ClinicalDocument":
        found = f"{name.localname[:60]} of {(name.namespace or 'no namespace')[:100]}"
        remedy = f"Send a document whose root is ClinicalDocument of {V3}"
        raise _refuse(f"the document is no CDA: its root is {found}", f"/{name.localname[:60]}", remedy)
    _check_size(root)
    return root


def check_structure(root: Any) -> list[Fault]:
    """Return what a document lacks that every clinical document has."""
    names = {"v3": V3}
    faults = [
        Fault(f"the element {path} is missing", "/ClinicalDocument", remedy)
        for path, remedy in _REQUIRED
        if root.find("/".join(f"v3:{step}" for step in path.split("/")), names) is None
    ]
    body = root.find("v3:component", names)
    if (
        body is not None
        and body.find("v3:structuredBody", names) is None
        and body.find("v3:nonXMLBody", names) is None
    ):
        remedy = "Add structuredBody, or nonXMLBody with a PDF"
        faults.append(Fault("the body is empty", "/ClinicalDocument/component", remedy))
    return faults


def read_checked(data: bytes) -> Any:
    """Return the root of a clinical document whose structure is complete. Raises: `NotUsable`."""
    root = read_cda(data)
    faults = check_structure(root)
    if faults:
        raise NotUsable(*faults)
    return root


def local_name(element: Any) -> str:
    """Return the name of an element without its namespace."""
    tag: str = element.tag
    return tag[tag.index("}") + 1 :] if tag[0] == "{" else tag


def _refuse_doctype(data: bytes) -> None:
    parser: Any = etree.XMLParser(  # type: ignore[call-overload]
        target=_Prologue(), resolve_entities=False, no_network=True, load_dtd=False
    )
    try:
        etree.fromstring(data, parser)
    except _AtRoot:
        return
    except _HasDoctype as error:
        raise _refuse("the document has a document type", "", "Send it without <!DOCTYPE") from error
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise _not_xml(error) from error


def _check_size(root: Any) -> None:
    if _COUNT(root) > MAX_ELEMENTS:
        raise _refuse(f"the document has more than {MAX_ELEMENTS:,} elements", "", "Send a smaller document")
    if _TOO_DEEP(root):
        raise _refuse(f"the elements are nested in more than {MAX_DEPTH} levels", "", "Flatten the document")


def _not_xml(error: Exception) -> NotUsable:
    line = getattr(error, "lineno", None)
    place = f"line {line}" if line else ""
    return _refuse(f"the document is no well-formed XML ({error})", place, "Check its encoding and its tags")


def _refuse(message: str, place: str, remedy: str) -> NotUsable:
    return NotUsable(Fault(message, place, remedy))
