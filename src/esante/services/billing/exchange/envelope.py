"""SOAP envelopes: reading within limits, writing."""

from dataclasses import dataclass

from lxml import etree

from esante.core import plain_xml
from esante.services.billing.exchange.faults import fault
from esante.services.billing.exchange.names import DS, SOAP_11, SOAP_12, WSSE, WSU, WSU_ID

MESSAGE_LIMIT = 8 * 1024 * 1024 + 64 * 1024
"""Bytes of a message: a fee note with its PDF, and the envelope around it."""
MAX_MARKUP = 60_000
"""Tags and attributes of a message: a tree takes many times the memory of its text."""
CONTENT_TYPES = {SOAP_11: "text/xml; charset=utf-8", SOAP_12: "application/soap+xml; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it came: `data`, and its parts, none of which is to be believed before it is verified.

    `soap`: the namespace of its version. `security`: the one header of WS-Security.
    """

    data: bytes
    soap: str
    security: etree._Element
    body: etree._Element

    @property
    def signature(self) -> etree._Element | None:
        """The one signature in the header, None when there is none, or several."""
        return _only(self.security.findall(f"{{{DS}}}Signature"))

    @property
    def timestamp(self) -> etree._Element | None:
        """The one timestamp in the header, None when there is none, or several."""
        return _only(self.security.findall(f"{{{WSU}}}Timestamp"))

    def tokens(self, value_type: str) -> list[etree._Element]:
        """Return the binary security tokens in the header whose type ends in `value_type`."""
        found = self.security.findall(f"{{{WSSE}}}BinarySecurityToken")
        return [one for one in found if str(one.get("ValueType", "")).endswith(value_type)]


def parse_xml(data: bytes, place: str) -> etree._Element:
    """Return the root of XML without a DTD; no entity is resolved and nothing fetched. Raises: `Problem`."""
    try:
        return plain_xml.parse_xml(data, max_markup=MAX_MARKUP)
    except plain_xml.BrokenXml as error:
        raise fault("malformed", place, str(error)) from error


def parse_envelope(data: bytes) -> Envelope:
    """Return the message of a request. Raises: `Problem`, which names the part that is missing, or is there twice."""
    root = parse_xml(data, "Envelope")
    soap = etree.QName(root).namespace or ""
    if soap not in CONTENT_TYPES or etree.QName(root).localname != "Envelope":
        raise fault("malformed", "Envelope", "The root is no envelope of SOAP 1.1 or 1.2.")
    header = _only(root.findall(f"{{{soap}}}Header"))
    body = _only(root.findall(f"{{{soap}}}Body"))
    if header is None or body is None:
        raise fault("malformed", "Envelope", "One header and one body are needed.")
    security = _only(header.findall(f"{{{WSSE}}}Security"))
    if security is None:
        raise fault("signature-missing", "Header/Security")
    return Envelope(data=data, soap=soap, security=security, body=body)


def soap_version(data: bytes, content_type: str) -> str:
    """Return the namespace of the version of SOAP in which to answer a message that may be unreadable."""
    head = data[:4096]
    if SOAP_12.encode() in head or content_type.startswith("application/soap+xml"):
        return SOAP_12
    return SOAP_11


def new_envelope(soap: str) -> tuple[etree._Element, etree._Element, etree._Element]:
    """Return an empty envelope with its header of WS-Security and its body."""
    root = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap, "wsse": WSSE, "wsu": WSU})
    header = etree.SubElement(root, f"{{{soap}}}Header")
    security = etree.SubElement(header, f"{{{WSSE}}}Security")
    security.set(f"{{{soap}}}mustUnderstand", "1" if soap == SOAP_11 else "true")
    return root, security, etree.SubElement(root, f"{{{soap}}}Body")


def fault_envelope(element: etree._Element, soap: str) -> bytes:
    """Return the bytes of an envelope with a fault; it is not signed."""
    root = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap})
    etree.SubElement(root, f"{{{soap}}}Body").append(element)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def part_id(element: etree._Element) -> str:
    """Return the Id (wsu) of a part, "" for none."""
    return str(element.get(WSU_ID, ""))


def _only(found: list[etree._Element]) -> etree._Element | None:
    return found[0] if len(found) == 1 else None
