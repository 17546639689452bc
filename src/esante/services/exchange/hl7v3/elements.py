"""Elements that all messages of HL7 version 3 share."""

from collections.abc import Iterator

from lxml import etree

from esante.core import clock
from esante.core.soap import Malformed
from esante.services.exchange.hl7v3.model import InstanceId

V3 = "urn:hl7-org:v3"
INTERACTIONS = "2.16.840.1.113883.1.6"


def find(parent: etree._Element, path: str) -> etree._Element | None:
    """Return the first element at a path of names of HL7 v3."""
    return parent.find("/".join(f"{{{V3}}}{name}" for name in path.split("/")))


def find_all(parent: etree._Element, path: str) -> list[etree._Element]:
    """Return the elements at a path of names of HL7 v3."""
    return parent.findall("/".join(f"{{{V3}}}{name}" for name in path.split("/")))


def value_of(parent: etree._Element, path: str, attribute: str) -> str:
    """Return an attribute of the first element at a path, "" where there is none."""
    found = find(parent, path)
    return "" if found is None else found.get(attribute, "")


def text_of(parent: etree._Element, path: str) -> str:
    """Return the text of the first element at a path."""
    found = find(parent, path)
    return "" if found is None else " ".join("".join(map(str, found.itertext())).split())


def id_of(parent: etree._Element, path: str = "id") -> InstanceId:
    """Return the identifier at a path, empty where there is none."""
    return InstanceId(value_of(parent, path, "root"), value_of(parent, path, "extension"))


def add(parent: etree._Element, name: str, text: str = "", **attributes: str) -> etree._Element:
    """Add an element; attributes without a value are left out."""
    element = etree.SubElement(parent, f"{{{V3}}}{name}", {key: value for key, value in attributes.items() if value})
    if text:
        element.text = text
    return element


def add_id(parent: etree._Element, name: str, value: InstanceId) -> etree._Element:
    """Add an identifier."""
    return add(parent, name, root=value.root, extension=value.extension)


def new_message(
    interaction: str, message_id: InstanceId, sender: str, receiver: str, *, acknowledge: str
) -> etree._Element:
    """Return a message with its transmission wrapper, without what follows sender and receiver."""
    root = etree.Element(f"{{{V3}}}{interaction}", nsmap={None: V3}, ITSVersion="XML_1.0")
    add_id(root, "id", message_id)
    add(root, "creationTime", value=clock.now().strftime("%Y%m%d%H%M%S+0000"))
    add(root, "interactionId", root=INTERACTIONS, extension=interaction)
    add(root, "processingCode", code="P")
    add(root, "processingModeCode", code="T")
    add(root, "acceptAckCode", code=acknowledge)
    for name, type_code, oid in (("receiver", "RCV", receiver), ("sender", "SND", sender)):
        device = add(add(root, name, typeCode=type_code), "device", classCode="DEV", determinerCode="INSTANCE")
        add(device, "id", root=oid)
        agent = add(device, "asAgent", classCode="AGNT")
        organization = add(agent, "representedOrganization", classCode="ORG", determinerCode="INSTANCE")
        add(organization, "id", root=oid)
    return root


def check_interaction(content: etree._Element, interaction: str) -> None:
    """Refuse a message that is of another kind. Raises: `Malformed`."""
    if content.tag != f"{{{V3}}}{interaction}":
        raise Malformed(f"Body: {interaction} is needed")


def community_of(content: etree._Element, role: str) -> str:
    """Return the OID of sender or receiver: of its organisation, or else of its device."""
    organization = value_of(content, f"{role}/device/asAgent/representedOrganization/id", "root")
    return organization or value_of(content, f"{role}/device/id", "root")


def parts(parent: etree._Element) -> Iterator[etree._Element]:
    """Yield the child elements."""
    for child in parent:
        if isinstance(child.tag, str):
            yield child
