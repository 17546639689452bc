"""Metadata of documents in ebXML: ExtrinsicObject and Association (IHE ITI TF-3, 4.2.3 and 4.2.5)."""

from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from esante.core.soap import Malformed
from esante.core.storage import uuid7
from esante.core.xds.model import Association, Coded, DocumentEntry
from esante.core.xds.names import (
    AUTHOR,
    CLASSIFICATIONS,
    DOCUMENT_PATIENT_ID,
    DOCUMENT_UNIQUE_ID,
    RIM,
    STABLE_DOCUMENT,
)

MAX_DOCUMENTS = 10_000
_DIGITS_OF_SIZE = 19
"""The most digits of a size in bytes: those of 64 bits."""
_SLOTS = {
    "repository_id": "repositoryUniqueId",
    "source_patient_id": "sourcePatientId",
    "created": "creationTime",
    "language": "languageCode",
    "sha1": "hash",
    "started": "serviceStartTime",
}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MANY = frozenset({"confidentiality", "events"})


def read_documents(root: etree._Element) -> list[DocumentEntry]:
    """Return the documents below an element. Raises: `Malformed` for one that lacks what every document has."""
    objects = list(root.iter(f"{{{RIM}}}ExtrinsicObject"))
    if len(objects) > MAX_DOCUMENTS:
        raise Malformed(f"ExtrinsicObject: there are more than {MAX_DOCUMENTS:,}")
    return [_read_document(one) for one in objects]


def read_associations(root: etree._Element) -> list[Association]:
    """Return the associations below an element."""
    names = ("associationType", "sourceObject", "targetObject", "id")
    return [Association(*(one.get(name, "") for name in names)) for one in root.iter(f"{{{RIM}}}Association")]


def write_document(entry: DocumentEntry) -> etree._Element:
    """Return the ExtrinsicObject of a document."""
    root = etree.Element(f"{{{RIM}}}ExtrinsicObject", nsmap={None: RIM})
    attributes = {"home": entry.home, "mimeType": entry.mime_type, "status": entry.status}
    for name, value in {"id": entry.entry_uuid, "objectType": STABLE_DOCUMENT, **attributes}.items():
        if value:
            root.set(name, value)
    for name, slot in _SLOTS.items():
        add_slot(root, slot, [value] if (value := getattr(entry, name)) else [])
    add_slot(root, "size", [] if entry.size is None else [str(entry.size)])
    add_slot(root, "sourcePatientInfo", entry.source_patient_info)
    add_text(root, "Name", entry.title)
    add_text(root, "Description", entry.description)
    for name, scheme in CLASSIFICATIONS.items():
        value = getattr(entry, name)
        for coded in value if name in _MANY else filter(None, [value]):
            add_code(root, entry.entry_uuid, scheme, coded)
    if entry.authors or entry.institutions:
        author = _add(root, "Classification", classificationScheme=AUTHOR, classifiedObject=entry.entry_uuid)
        author.set("id", uuid7().urn)
        author.set("nodeRepresentation", "")
        add_slot(author, "authorPerson", entry.authors)
        add_slot(author, "authorInstitution", entry.institutions)
    for scheme, label, value in (
        (DOCUMENT_PATIENT_ID, "XDSDocumentEntry.patientId", entry.patient_id),
        (DOCUMENT_UNIQUE_ID, "XDSDocumentEntry.uniqueId", entry.unique_id),
    ):
        add_identifier(root, entry.entry_uuid, scheme, label, value)
    return root


def write_association(found: Association) -> etree._Element:
    """Return an Association."""
    root = etree.Element(f"{{{RIM}}}Association", nsmap={None: RIM})
    root.set("id", found.entry_uuid or uuid7().urn)
    root.set("associationType", found.type)
    root.set("sourceObject", found.source)
    root.set("targetObject", found.target)
    return root


def write_reference(entry_uuid: str) -> etree._Element:
    """Return an ObjectRef."""
    return etree.Element(f"{{{RIM}}}ObjectRef", id=entry_uuid, nsmap={None: RIM})


def slot_values(root: etree._Element, name: str) -> list[str]:
    """Return the values of a slot of an object."""
    return [
        (value.text or "").strip()
        for slot in root.findall(f"{{{RIM}}}Slot")
        if slot.get("name") == name
        for value in slot.iter(f"{{{RIM}}}Value")
    ]


def _read_document(root: etree._Element) -> DocumentEntry:
    uuid = root.get("id", "")
    codes = {name: list(read_codes(root, scheme)) for name, scheme in CLASSIFICATIONS.items()}
    for name in ("class_code", "format_code"):
        if not codes[name]:
            raise Malformed(f"ExtrinsicObject {uuid[:60]}: the classification {CLASSIFICATIONS[name]} is missing")
    codes["type_code"] = codes["type_code"] or codes["class_code"]
    values: dict[str, Any] = {
        name: found if name in _MANY else next(iter(found), None) for name, found in codes.items()
    }
    values |= {name: _first(slot_values(root, slot)) for name, slot in _SLOTS.items()}
    size = _first(slot_values(root, "size"))
    if size and not (size.isascii() and size.isdigit() and len(size) <= _DIGITS_OF_SIZE):
        raise Malformed(f"ExtrinsicObject {uuid[:60]}: the slot size is no number")
    authors = [one for one in root.findall(f"{{{RIM}}}Classification") if one.get("classificationScheme") == AUTHOR]
    return DocumentEntry(
        entry_uuid=uuid,
        unique_id=identifier_of(root, DOCUMENT_UNIQUE_ID),
        patient_id=identifier_of(root, DOCUMENT_PATIENT_ID),
        mime_type=root.get("mimeType", ""),
        home=root.get("home", ""),
        status=root.get("status", ""),
        size=int(size) if size else None,
        source_patient_info=slot_values(root, "sourcePatientInfo"),
        title=text_of(root, "Name"),
        description=text_of(root, "Description"),
        authors=[person for one in authors for person in slot_values(one, "authorPerson")],
        institutions=[name for one in authors for name in slot_values(one, "authorInstitution")],
        **values,
    )


def read_codes(root: etree._Element, scheme: str) -> Iterator[Coded]:
    """Yield the codes of an object by a scheme."""
    for one in root.findall(f"{{{RIM}}}Classification"):
        if one.get("classificationScheme") == scheme:
            system = _first(slot_values(one, "codingScheme"))
            yield Coded(one.get("nodeRepresentation", ""), system, text_of(one, "Name"))


def identifier_of(root: etree._Element, scheme: str) -> str:
    """Return the identifier of an object by a scheme, "" where there is none. Raises: `Malformed` for two."""
    found = [
        one.get("value", "")
        for one in root.findall(f"{{{RIM}}}ExternalIdentifier")
        if one.get("identificationScheme") == scheme
    ]
    if len(found) > 1:
        raise Malformed(
            f"{etree.QName(root).localname} {root.get('id', '')[:60]}: the identifier {scheme} occurs twice"
        )
    return found[0] if found else ""


def text_of(root: etree._Element, name: str) -> str:
    """Return the text of an element such as Name."""
    found = root.find(f"{{{RIM}}}{name}/{{{RIM}}}LocalizedString")
    return "" if found is None else found.get("value", "")


def _first(values: Sequence[str]) -> str:
    return values[0] if values else ""


def _add(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{RIM}}}{tag}", attributes)


def add_identifier(root: etree._Element, uuid: str, scheme: str, label: str, value: str) -> None:
    """Add an ExternalIdentifier to an object."""
    identifier = _add(root, "ExternalIdentifier", identificationScheme=scheme, value=value)
    identifier.set("id", uuid7().urn)
    identifier.set("registryObject", uuid)
    add_text(identifier, "Name", label)


def add_slot(parent: etree._Element, name: str, values: Sequence[str]) -> None:
    """Add a slot with values, where there are any."""
    if values:
        holder = _add(_add(parent, "Slot", name=name), "ValueList")
        for value in values:
            _add(holder, "Value").text = value


def add_text(parent: etree._Element, name: str, text: str) -> None:
    """Add a text such as Name, where there is one."""
    if text:
        _add(_add(parent, name), "LocalizedString", value=text).set(_LANG, "en")


def add_code(root: etree._Element, uuid: str, scheme: str, coded: Coded) -> None:
    """Add the classification of an object by a code."""
    holder = _add(root, "Classification", classificationScheme=scheme, classifiedObject=uuid, id=uuid7().urn)
    holder.set("nodeRepresentation", coded.code)
    add_slot(holder, "codingScheme", [coded.system])
    add_text(holder, "Name", coded.display)
