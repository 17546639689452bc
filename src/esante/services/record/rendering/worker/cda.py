"""A CDA R2 document as a page shows it: header, sections with their narrative as HTML, and what is embedded.

Pure functions of bytes. The narrative is converted by `narrative.py`, which callers hand in: a module of this folder
cannot import another one, as a script and as a part of a package.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from lxml import etree

MAX_HTML = 1_000_000
"""Characters of a narrative as HTML that a page may hold."""
MAX_DEPTH = 12
"""Sections within sections."""
H = "{urn:hl7-org:v3}"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_MOMENT = re.compile(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?(?:\.\d+)?([+-]\d{4}|Z)?)?")
_NAME_PARTS = ("prefix", "given", "family", "suffix")


class Unreadable(Exception):
    """The document cannot be displayed: it is broken or too large. It can still be downloaded."""


def view(data: bytes, make_narrative: Callable[[Any, Callable[[Any], bool]], Any]) -> dict[str, Any]:
    """Return the header, the sections in order, and the `attachment` of a document without structured body.

    `make_narrative` is the class `Narrative`. Raises: `Unreadable`.

    Source: CDA R2, 4.2 (header), 4.3.1 (nonXMLBody), 4.3.4 (section), 4.3.5 (narrative block).
    """
    root = parse(data)
    narrative = make_narrative(root, _is_picture)
    sections: list[dict[str, Any]] = []
    for section in root.iterfind(f"{H}component/{H}structuredBody/{H}component/{H}section"):
        _collect(section, 2, sections, narrative)
    # A part of a report could mislead, so one that is too long is not displayed at all.
    if sum(len(section["body"]) for section in sections) > MAX_HTML:
        raise Unreadable
    return {"header": _header(root), "sections": sections, "attachment": _attachment(root)}


def embedded(data: bytes, number: int) -> bytes | None:
    """Return an embedded file: the body (number 0), or a picture by its marker's number; None when there is none.

    Raises: `Unreadable`.
    """
    root = parse(data)
    if number == 0:
        return _bytes(root.find(f"{H}component/{H}nonXMLBody/{H}text"))
    media = list(root.iter(f"{H}observationMedia"))
    return _bytes(media[number - 1].find(f"{H}value")) if 1 <= number <= len(media) else None


def parse(data: bytes) -> Any:
    """Return the root of a document: no DTD, no entity, no network, limited depth and size. Raises: `Unreadable`."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        # A text of over 10 MB, such as an embedded PDF, is one more syntax error without huge_tree.
        raise Unreadable from error
    if root is None:
        raise Unreadable
    return root


def _bytes(value: Any) -> bytes | None:
    """Return the bytes of an ED value inside the document; None when it is elsewhere, compressed or not base 64."""
    if value is None or value.get("compression"):
        return None
    text = "".join(value.itertext())
    if value.get("representation") != "B64":
        return text.encode() if text.strip() else None
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _kind(data: bytes | None, media_type: str) -> str:
    """Return how a file can be shown: pdf, image, text, or "" for not at all; its bytes count before its label."""
    if data is None:
        return ""
    if data.startswith(b"%PDF-"):
        return "pdf"
    if data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        return "image"
    return "text" if media_type.startswith("text/plain") or not media_type else ""


def _is_picture(value: Any) -> bool:
    return _kind(_bytes(value), "other") == "image"


def _attachment(root: Any) -> dict[str, Any] | None:
    """Return the body that is not XML (CDA R2, 4.3.1): its kind, its media type, and the text of a text."""
    value = root.find(f"{H}component/{H}nonXMLBody/{H}text")
    if value is None:
        return None
    media_type, data = _squeeze(value.get("mediaType", ""))[:100].lower(), _bytes(value)
    kind = _kind(data, media_type)
    text = (data or b"").decode("utf-8", "replace") if kind == "text" else ""
    if len(text) > MAX_HTML:
        raise Unreadable
    return {"kind": kind, "media_type": media_type, "text": text}


def _header(root: Any) -> dict[str, Any]:
    role = root.find(f"{H}recordTarget/{H}patientRole")
    patient = role.find(f"{H}patient") if role is not None else None
    signer = root.find(f"{H}legalAuthenticator/{H}assignedEntity")
    return {
        "patient": _name(patient),
        "birth_date": _moment(patient.find(f"{H}birthTime")) if patient is not None else "",
        "date": _moment(root.find(f"{H}effectiveTime")),
        "authors": _authors(root),
        "signed_by": _party(signer),
        "custodian": _name(
            root.find(f"{H}custodian/{H}assignedCustodian/{H}representedCustodianOrganization"),
        ),
        "confidentiality": _code(root.find(f"{H}confidentialityCode")),
    }


def _authors(container: Any) -> list[str]:
    found = [_party(author.find(f"{H}assignedAuthor")) for author in container.iterfind(f"{H}author")]
    return list(dict.fromkeys(name for name in found if name))


def _party(entity: Any) -> str:
    """Return the person (or the software) in a role, and their organisation."""
    if entity is None:
        return ""
    device = entity.find(f"{H}assignedAuthoringDevice")
    software = "" if device is None else _text(device, "softwareName") or _text(device, "manufacturerModelName")
    name = _name(entity.find(f"{H}assignedPerson")) or software
    organisation = _name(entity.find(f"{H}representedOrganization"))
    return ", ".join(part for part in (name, organisation) if part)


def _name(entity: Any) -> str:
    """Return the first name of a person or organisation: given names before the family name, whatever the order."""
    name = entity.find(f"{H}name") if entity is not None else None
    if name is None:
        return ""
    parts = [each for tag in _NAME_PARTS for each in name.iterfind(f"{H}{tag}")]
    return _squeeze(" ".join(text for part in parts or [name] for text in part.itertext()))[:300]


def _text(parent: Any, name: str) -> str:
    """Return the text of a child, its parts separated by blanks."""
    child = parent.find(f"{H}{name}")
    return _squeeze(" ".join(child.itertext()))[:300] if child is not None else ""


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _code(element: Any) -> str:
    return _squeeze(element.get("code", ""))[:50] if element is not None else ""


def _moment(element: Any) -> str:
    """Return a TS value as a FHIR date or dateTime; a time without zone is left out."""
    found = _MOMENT.fullmatch(element.get("value", "")) if element is not None else None
    if found is None:
        return ""
    year, month, day, hour, minute, second, zone = found.groups()
    date = "-".join(part for part in (year, month, day) if part)
    if not (day and zone):
        return date
    offset = zone if zone == "Z" else f"{zone[:3]}:{zone[3:]}"
    return f"{date}T{hour}:{minute}:{second or '00'}{offset}"


def _language(element: Any) -> str:
    """Return the language of a section; "" when it is that of the document."""
    found = _code(element.find(f"{H}languageCode"))
    return found if _LANGUAGE.fullmatch(found) else ""


def _collect(section: Any, level: int, sections: list[dict[str, Any]], narrative: Any) -> None:
    """Append a section and the sections within it (CDA R2, 4.3.4)."""
    if level > MAX_DEPTH:
        raise Unreadable
    text, code = section.find(f"{H}text"), section.find(f"{H}code")
    body = narrative.convert(text) if text is not None else ""
    inner = section.findall(f"{H}component/{H}section")
    if len(body) > MAX_HTML:
        raise Unreadable
    empty = "" if body or inner else _absence(section, text)
    sections.append(
        {
            "level": min(level, 6),
            "title": _text(section, "title"),
            "code": _code(code),
            "code_name": _code_name(code),
            "language": _language(section),
            "confidentiality": _code(section.find(f"{H}confidentialityCode")),
            "about": _subject(section),
            "authors": _authors(section),
            "body": body,
            "empty": empty,
            "anchor": narrative.anchor(section),
        }
    )
    for each in inner:
        _collect(each, level + 1, sections, narrative)


def _code_name(code: Any) -> str:
    """Return the words for the code of a section: its display name, its original text, or that of a translation."""
    if code is None:
        return ""
    names = [code.get("displayName", ""), _text(code, "originalText")]
    names += [each.get("displayName", "") for each in code.iterfind(f"{H}translation")]
    return next((_squeeze(name)[:300] for name in names if name.strip()), "")


def _absence(section: Any, text: Any) -> str:
    """Return why a section shows nothing: a null flavour, `coded` when only its entries speak, or `nothing`."""
    flavours = [element.get("nullFlavor", "") for element in (text, section) if element is not None]
    flavour = next((each for each in flavours if each), "")
    return flavour[:10] or ("coded" if section.find(f"{H}entry") is not None else "nothing")


def _subject(section: Any) -> str:
    """Return whom a section is about, where this is not the patient, such as a foetus (CDA R2, 4.3.4.2)."""
    related = section.find(f"{H}subject/{H}relatedSubject")
    if related is None:
        return ""
    parts = [_code_name(related.find(f"{H}code")), _name(related.find(f"{H}subject"))]
    return ", ".join(part for part in parts if part)
