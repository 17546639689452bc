"""SOAP 1.2 messages of XDS-I.b: reading within limits, writing, and the answers of ebXML (IHE ITI TF-3, 4.2.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from esante.core.storage import uuid7

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
XOP = "http://www.w3.org/2004/08/xop/include"
XDSB, XDSI = "urn:ihe:iti:xds-b:2007", "urn:ihe:rad:xdsi-b:2009"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
MEDIA_TYPE = "application/soap+xml"
MAX_MARKUP = 200_000
"""Tags and attributes of a message."""
_STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
_ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class Malformed(Exception):
    """A message that is not understood: what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its MessageID ("" without one), and the element in its body."""

    message_id: str
    content: etree._Element


@dataclass(frozen=True, slots=True)
class RegistryError:
    """An error in an answer: its code, what it is about, and its place (such as a UID)."""

    code: str
    context: str
    location: str = ""


def parse_message(data: bytes) -> Message:
    """Return the message of an envelope without a DTD; nothing is fetched. Raises: `Malformed`."""
    if data.count(b"<") + data.count(b"=") > MAX_MARKUP:
        raise Malformed(f"more than {MAX_MARKUP:,} tags and attributes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Malformed(f"Envelope: {error}") from error
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise Malformed("a document type declaration is not allowed")
    bodies = root.findall(f"{{{SOAP}}}Body")
    contents = [one for one in bodies[0] if isinstance(one.tag, str)] if len(bodies) == 1 else []
    if root.tag != f"{{{SOAP}}}Envelope" or len(contents) != 1:
        raise Malformed("Envelope: one body of SOAP 1.2 with one element in it is needed")
    return Message(root.findtext(f"{{{SOAP}}}Header/{{{WSA}}}MessageID", "").strip(), contents[0])


def write_message(action: str, relates_to: str, content: etree._Element) -> bytes:
    """Return the envelope of an answer."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    etree.SubElement(header, f"{{{WSA}}}Action").text = action
    etree.SubElement(header, f"{{{WSA}}}MessageID").text = uuid7().urn
    if relates_to:
        etree.SubElement(header, f"{{{WSA}}}RelatesTo").text = relates_to
    etree.SubElement(root, f"{{{SOAP}}}Body").append(content)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def write_fault(reason: str) -> bytes:
    """Return the envelope of the fault of a sender."""
    fault = etree.Element(f"{{{SOAP}}}Fault")
    code = etree.SubElement(fault, f"{{{SOAP}}}Code")
    etree.SubElement(code, f"{{{SOAP}}}Value").text = "soap:Sender"
    text = etree.SubElement(etree.SubElement(fault, f"{{{SOAP}}}Reason"), f"{{{SOAP}}}Text")
    text.set(_XML_LANG, "en")
    text.text = "".join(char for char in reason if char.isprintable())[:500]
    return write_message(f"{WSA}/soap/fault", "", fault)


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
