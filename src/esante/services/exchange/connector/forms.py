"""The forms in which documents of the record cross a border: coded (L3), and a PDF in CDA (L1).

Each form is a document of its own, with an id of its own, that says of which document it is a transform (XFRM); the
deposited document stays as it is.
"""

import base64
import copy
import re
from typing import Any
from uuid import UUID

from lxml import etree

from esante.core.storage import NIL
from esante.identity.directory import Person
from esante.services.exchange.cda import TYPE, V3, XSI, read_checked
from esante.services.exchange.connector.model import Form
from esante.services.exchange.connector.narrative import print_document
from esante.services.exchange.connector.offers import Offer
from esante.services.exchange.conversion import fhir_to_cda
from esante.services.exchange.conversion.order import sort_children
from esante.services.exchange.model import Fault, NotUsable
from esante.services.exchange.terminology import CodeCatalogue
from esante.services.exchange.translation import Translation, translate
from esante.services.record import Document

PIVOT_LANGUAGE = "en"
CODED_KINDS = ("fhir", "cda")
"""Kinds of documents that have a coded form."""
_UID = re.compile(r"2\.25\.(0|[1-9]\d{0,38})\^(L1|L3|FHIR)")
_PDF_TEMPLATES = {"60591-5": "1.3.6.1.4.1.12559.11.10.1.3.1.1.7"}
_LOINC = "2.16.840.1.113883.6.1"
_GENDERS = {"male": ("M", "Male"), "female": ("F", "Female"), "other": ("UN", "Undifferentiated")}
_IMAGES = ("image/png", "image/jpeg")


def unique_id(document_id: UUID, form: Form) -> str:
    """Return the unique id of a document in one of its forms: the OID of its key (ITU-T X.667), and the form."""
    return f"{oid_of_key(document_id)}^{form}"


def oid_of_key(key: UUID) -> str:
    """Return a key as an OID (ITU-T X.667)."""
    return f"2.25.{key.int}"


def parse_unique_id(text: str) -> tuple[UUID, Form]:
    """Return the key and the form of a unique id; the nil key for one that is not ours."""
    found = _UID.fullmatch(text)
    if found is None or int(found[1]) >= 1 << 128:
        return NIL, Form.CODED
    return UUID(int=int(found[1])), Form(found[2])


def coded_form(document: Document, content: bytes) -> Any:
    """Return a document as a clinical document under its own id, with its codes. Raises: `NotUsable`."""
    if document.kind == "fhir":
        root = fhir_to_cda(content).root
    elif document.kind == "cda":
        root = read_checked(content)
    else:
        raise NotUsable(Fault("the document has no coded form", "", "Ask for the PDF"))
    _identify(root, document.id, Form.CODED)
    return root


def to_pivot(root: Any, catalogue: CodeCatalogue) -> Translation:
    """Return a clinical document with the codes of the pivot. Raises: `NotUsable` with the codes not understood."""
    done = translate(_encoded(root), PIVOT_LANGUAGE, catalogue)
    if done.faults:
        raise NotUsable(*done.faults)
    return done


def pdf_form(document: Document, content: bytes, person: Person, offer: Offer, custodian: str) -> bytes:
    """Return a document as a clinical document whose body is a PDF, or the deposited image.

    `custodian`: who answers for it. Raises: `NotUsable`, and as `typeset_pdf`.
    """
    media_type = document.media_type
    if document.kind in CODED_KINDS:
        coded = coded_form(document, content)
        patient = f"{person.name} · {person.birth_date.isoformat()}"
        author = " · ".join(dict.fromkeys(filter(None, (document.author, document.organization))))
        media_type, content = "application/pdf", print_document(coded, patient, author, document.deposited_at)
    elif media_type != "application/pdf" and media_type not in _IMAGES:
        raise NotUsable(Fault(f"{media_type} does not cross borders", "", "Ask its author for a PDF"))
    return _encoded(_wrapped(document, person, offer, custodian, media_type, content))


def format_of_pdf(offer: Offer, media_type: str) -> str:
    """Return the format code of the form for people; that of images names their kind."""
    if media_type in _IMAGES:
        return offer.pdf.replace(":pdf:", f":{media_type.removeprefix('image/')}:")
    return offer.pdf


def _identify(root: Any, key: UUID, form: Form) -> None:
    """Give a clinical document the id of a form, and say of which document it is a transform."""
    own = root.find(f"{{{V3}}}id")
    former = copy.deepcopy(own)
    own.attrib.clear()
    own.set("root", oid_of_key(key))
    own.set("extension", form)
    for one in root.findall(f"{{{V3}}}relatedDocument"):
        if one.get("typeCode") == "XFRM":
            root.remove(one)
    _add_transform(root, former)
    sort_children(root)


def _add_transform(root: Any, former: Any) -> None:
    parent = _sub(_sub(root, "relatedDocument", typeCode="XFRM"), "parentDocument")
    parent.set("classCode", "DOCCLIN")
    parent.set("moodCode", "EVN")
    parent.append(former)


def _wrapped(document: Document, person: Person, offer: Offer, custodian: str, media_type: str, content: bytes) -> Any:
    root = etree.Element(f"{{{V3}}}ClinicalDocument", nsmap={None: V3, "xsi": XSI})
    root.set("classCode", "DOCCLIN")
    root.set("moodCode", "EVN")
    _sub(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    if template := _PDF_TEMPLATES.get(offer.class_code):
        _sub(root, "templateId", root=template)
    _sub(root, "id", root=oid_of_key(document.id), extension=Form.PDF)
    _sub(root, "code", code=offer.class_code, codeSystem=_LOINC, codeSystemName="LOINC", displayName=offer.display)
    _sub(root, "title").text = document.title or offer.display
    moment = document.deposited_at.strftime("%Y%m%d%H%M%S+0000")
    _sub(root, "effectiveTime", value=moment)
    _sub(root, "confidentialityCode", code="N", codeSystem="2.16.840.1.113883.5.25", displayName="normal")
    _sub(root, "languageCode", code=document.language or "fr")
    _add_patient(root, person)
    author = _sub(root, "author")
    _sub(author, "time", value=moment)
    assigned = _sub(author, "assignedAuthor")
    _sub(assigned, "id", nullFlavor="UNK")
    _sub(_sub(_sub(assigned, "assignedPerson"), "name"), "family").text = document.author
    if document.organization:
        _sub(_sub(assigned, "representedOrganization"), "name").text = document.organization
    holder = _sub(_sub(_sub(root, "custodian"), "assignedCustodian"), "representedCustodianOrganization")
    _sub(holder, "id", root=custodian)
    if document.kind in CODED_KINDS:
        former = etree.Element(f"{{{V3}}}id", root=oid_of_key(document.id), extension=Form.CODED)
        _add_transform(root, former)
    text = _sub(_sub(_sub(root, "component"), "nonXMLBody"), "text", mediaType=media_type, representation="B64")
    text.set(TYPE, "ED")
    text.text = base64.b64encode(content).decode("ascii")
    sort_children(root)
    return root


def _add_patient(root: Any, person: Person) -> None:
    role = _sub(_sub(root, "recordTarget"), "patientRole")
    for one in person.identifiers:
        if one.system.startswith("urn:oid:"):
            _sub(role, "id", root=one.system.removeprefix("urn:oid:"), extension=one.value)
    if role.find(f"{{{V3}}}id") is None:
        _sub(role, "id", nullFlavor="UNK")
    patient = _sub(role, "patient")
    name = _sub(patient, "name")
    _sub(name, "family").text = person.family
    for given in person.given:
        _sub(name, "given").text = given
    if person.sex in _GENDERS:
        code, display = _GENDERS[person.sex]
        _sub(patient, "administrativeGenderCode", code=code, codeSystem="2.16.840.1.113883.5.1", displayName=display)
    _sub(patient, "birthTime", value=person.birth_date.strftime("%Y%m%d"))


def _sub(parent: Any, name: str, **attributes: str) -> Any:
    return etree.SubElement(parent, f"{{{V3}}}{name}", attributes)


def _encoded(root: Any) -> bytes:
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
