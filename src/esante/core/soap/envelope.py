"""Envelopes of SOAP 1.2 with WS-Addressing (IHE ITI TF-2, appendix V): reading within limits, writing."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from esante.core.plain_xml import BrokenXml, parse_xml
from esante.core.storage import uuid7

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
MEDIA_TYPE = "application/soap+xml"
MAX_MARKUP = 200_000
"""Tags and attributes of a message."""
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class Malformed(Exception):
    """A message that is not understood: what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its MessageID, the element in its body, its header (None without one), what it answers.

    `relates_to`: the MessageID that it answers; "" for what is not said.
    """

    message_id: str
    content: etree._Element
    header: etree._Element | None = None
    relates_to: str = ""


def parse_message(data: bytes) -> Message:
    """Return the message of an envelope without a DTD; nothing is fetched. Raises: `Malformed`."""
    try:
        root = parse_xml(data, max_markup=MAX_MARKUP)
    except BrokenXml as error:
        raise Malformed(f"Envelope: {error}") from error
    bodies = root.findall(f"{{{SOAP}}}Body")
    contents = [one for one in bodies[0] if isinstance(one.tag, str)] if len(bodies) == 1 else []
    if root.tag != f"{{{SOAP}}}Envelope" or len(contents) != 1:
        raise Malformed("Envelope: one body of SOAP 1.2 with one element in it is needed")
    header = f"{{{SOAP}}}Header"
    return Message(
        root.findtext(f"{header}/{{{WSA}}}MessageID", "").strip(),
        contents[0],
        root.find(header),
        root.findtext(f"{header}/{{{WSA}}}RelatesTo", "").strip(),
    )


def write_message(action: str, relates_to: str, content: etree._Element, message_id: str = "") -> bytes:
    """Return the envelope of an answer; `message_id`: its own, "" for a new one."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    etree.SubElement(header, f"{{{WSA}}}Action").text = action
    etree.SubElement(header, f"{{{WSA}}}MessageID").text = message_id or uuid7().urn
    if relates_to:
        etree.SubElement(header, f"{{{WSA}}}RelatesTo").text = relates_to
    etree.SubElement(root, f"{{{SOAP}}}Body").append(content)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def write_request(
    action: str, to: str, message_id: str, content: etree._Element, security: Sequence[etree._Element] = ()
) -> bytes:
    """Return the envelope of a request; `security`: assertions for its header (WS-Security), signed already."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    named = etree.SubElement(header, f"{{{WSA}}}Action")
    named.text = action
    named.set(f"{{{SOAP}}}mustUnderstand", "1")
    etree.SubElement(header, f"{{{WSA}}}MessageID").text = message_id
    etree.SubElement(header, f"{{{WSA}}}To").text = to
    reply = etree.SubElement(header, f"{{{WSA}}}ReplyTo")
    etree.SubElement(reply, f"{{{WSA}}}Address").text = f"{WSA}/anonymous"
    if security:
        etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE}).extend(security)
    etree.SubElement(root, f"{{{SOAP}}}Body").append(content)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def read_fault(content: etree._Element) -> tuple[str, str] | None:
    """Return code and reason of a fault (SOAP 1.2, part 1, 5.4), None for content that is no fault."""
    if content.tag != f"{{{SOAP}}}Fault":
        return None
    code = content.findtext(f"{{{SOAP}}}Code/{{{SOAP}}}Value", "").strip().rpartition(":")[2]
    return code, " ".join(content.findtext(f"{{{SOAP}}}Reason/{{{SOAP}}}Text", "").split())


def write_fault(reason: str) -> bytes:
    """Return the envelope of the fault of a sender."""
    fault = etree.Element(f"{{{SOAP}}}Fault")
    code = etree.SubElement(fault, f"{{{SOAP}}}Code")
    etree.SubElement(code, f"{{{SOAP}}}Value").text = "soap:Sender"
    text = etree.SubElement(etree.SubElement(fault, f"{{{SOAP}}}Reason"), f"{{{SOAP}}}Text")
    text.set(_XML_LANG, "en")
    text.text = "".join(char for char in reason if char.isprintable())[:500]
    return write_message(f"{WSA}/soap/fault", "", fault)
