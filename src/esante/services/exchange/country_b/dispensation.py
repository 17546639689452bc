"""Prescriptions of other countries, read for their items; the dispensation of one of them, written (CDA R2, eHDSI)."""

import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from lxml import etree

from esante.core.storage import uuid7
from esante.services.exchange.cda import PHARM, V3, local_name, read_checked
from esante.services.exchange.country_b.model import DISPENSATION, Patient

_NS = {"v3": V3}
_ISCO = "2.16.840.1.113883.2.9.6.2.7"
_LOINC = "2.16.840.1.113883.6.1"
_SECTION = "57828-6"


@dataclass(frozen=True, slots=True)
class PrescriptionItem:
    """An item of a prescription: its identifier (root and extension), the name of the medicine, the quantity."""

    root: str
    extension: str
    medicine: str
    quantity: str
    unit: str

    @property
    def id(self) -> str:
        """The identifier as one text."""
        return f"{self.root}^{self.extension}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispenser:
    """Who dispenses: a professional of this country with their organisation; `home`: the OID of our community."""

    name: str
    given: str
    family: str
    number: str
    role: str
    organization: str
    organization_number: str
    home: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensed:
    """What is dispensed: the number of packages, the name of the product, whether it replaces the one prescribed."""

    quantity: Decimal
    product: str
    is_substituted: bool


def read_items(data: bytes) -> list[PrescriptionItem]:
    """Return the items of a prescription that can be dispensed one by one. Raises: `NotUsable`.

    Where they have no identifiers of their own, the prescription is one item, under the identifier of the document.
    """
    root = read_checked(data)
    administrations = _administrations(root)
    items = [item for one in administrations if (item := _item(one)) is not None]
    if items or not administrations:
        return items
    own = root.find("v3:id", _NS)
    names = ", ".join(filter(None, map(_medicine, administrations)))
    return [PrescriptionItem(own.get("root", ""), own.get("extension", ""), names[:200], "", "")]


def write_dispensation(
    prescription: bytes, item: PrescriptionItem, dispensed: Dispensed, patient: Patient, by: Dispenser, at: datetime
) -> tuple[str, bytes]:
    """Return the identifier (OID^extension) and the bytes of the dispensation of an item. Raises: `NotUsable`.

    It points at the prescription in three places, which countries compare: the order, the parent document, and the
    substance administration of the item.
    """
    source = read_checked(prescription)
    prescribed = [one for one in _administrations(source) if _item(one) in (item, None)]
    extension, moment = str(uuid7()), at.strftime("%Y%m%d%H%M%S+0000")
    root = etree.Element(_v3("ClinicalDocument"), nsmap={None: V3, "pharm": PHARM})
    _add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    _add(root, "templateId", root="1.3.6.1.4.1.12559.11.10.1.3.1.1.2")
    _add(root, "id", root=by.home, extension=extension)
    _add(
        root, "code", code=DISPENSATION, codeSystem=_LOINC, codeSystemName="LOINC", displayName="Medication dispensed"
    )
    _add(root, "title", "Medication dispensed")
    _add(root, "effectiveTime", value=moment)
    _add(root, "confidentialityCode", code="N", codeSystem="2.16.840.1.113883.5.25", displayName="normal")
    _add(root, "languageCode", code="en")
    root.append(_record_target(source, patient))
    _add_author(root, by, moment)
    custodian = _add(_add(_add(root, "custodian"), "assignedCustodian"), "representedCustodianOrganization")
    _add(custodian, "id", root=by.home)
    _add(custodian, "name", f"National contact point of {by.country}")
    _add(custodian, "telecom", nullFlavor="NI")
    _add(_add(custodian, "addr"), "country", by.country)
    legal = _add(root, "legalAuthenticator")
    _add(legal, "time", value=moment)
    _add(legal, "signatureCode", code="S")
    _add_person(_add(legal, "assignedEntity"), by, "assignedPerson")
    _add(_add(_add(root, "inFulfillmentOf"), "order"), "id", root=item.root, extension=item.extension)
    parent = _add(_add(root, "relatedDocument", typeCode="XFRM"), "parentDocument")
    _add(parent, "id", root=item.root, extension=item.extension)
    section = _add(_add(_add(_add(root, "component"), "structuredBody"), "component"), "section")
    _add(section, "templateId", root="1.3.6.1.4.1.12559.11.10.1.3.1.2.2")
    _add(section, "id", root=by.home, extension=f"{extension}.1")
    _add(
        section, "code", code="60590-7", codeSystem=_LOINC, codeSystemName="LOINC", displayName="Medication dispensed"
    )
    _add(section, "title", "Medication dispensed")
    text = _add(section, "text")
    _add(text, "paragraph", f"{dispensed.product}: {dispensed.quantity}")
    for number, administration in enumerate(prescribed, 2):
        supply = _add(_add(section, "entry", typeCode="COMP"), "supply", classCode="SPLY", moodCode="EVN")
        _add(supply, "templateId", root="1.3.6.1.4.1.12559.11.10.1.3.1.3.3")
        _add(supply, "id", root=by.home, extension=f"{extension}.{number}")
        _add(supply, "quantity", value=str(dispensed.quantity), unit="1")
        _add_product(supply, administration, dispensed.product if len(prescribed) == 1 else "")
        performer = _add(supply, "performer", typeCode="PRF")
        _add(performer, "time", value=moment)
        _add_person(_add(performer, "assignedEntity"), by, "assignedPerson")
        _add_reference(supply, item)
        if dispensed.is_substituted:
            _add_substitution(supply)
    return f"{by.home}^{extension}", etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _administrations(root: Any) -> list[Any]:
    return [
        one
        for section in root.iter(_v3("section"))
        if (code := section.find("v3:code", _NS)) is not None and code.get("code") == _SECTION
        for one in section.iterfind("v3:entry/v3:substanceAdministration", _NS)
    ]


def _item(administration: Any) -> PrescriptionItem | None:
    found = administration.find("v3:id", _NS)
    if found is None or not found.get("root"):
        return None
    quantity = administration.find(".//v3:supply/v3:quantity", _NS)
    return PrescriptionItem(
        found.get("root"),
        found.get("extension", ""),
        _medicine(administration),
        "" if quantity is None else quantity.get("value", ""),
        "" if quantity is None else quantity.get("unit", ""),
    )


def _medicine(administration: Any) -> str:
    """Return the name of the medicine, else that of its active ingredient."""
    material = administration.find("v3:consumable/v3:manufacturedProduct/v3:manufacturedMaterial", _NS)
    if material is None:
        return ""
    for one in material.iter():
        if (
            isinstance(one.tag, str)
            and local_name(one) == "name"
            and (text := " ".join("".join(one.itertext()).split()))
        ):
            return text[:200]
    coded = (
        one.get("displayName", "") for one in material.iter() if isinstance(one.tag, str) and local_name(one) == "code"
    )
    return next(filter(None, coded), "")[:200]


def _record_target(source: Any, patient: Patient) -> Any:
    """Return the patient of the prescription, with the identifier by which their country answers."""
    target = copy.deepcopy(source.find("v3:recordTarget", _NS))
    role = target.find("v3:patientRole", _NS)
    extension, _, rest = patient.cx.partition("^^^&")
    domain = rest.removesuffix("&ISO")
    known = {(one.get("root"), one.get("extension")) for one in role.iterfind("v3:id", _NS)}
    if (domain, extension) not in known:
        role.insert(0, etree.Element(_v3("id"), root=domain, extension=extension))
    return target


def _add_author(root: Any, by: Dispenser, moment: str) -> None:
    author = _add(root, "author", typeCode="AUT")
    _add(author, "functionCode", code=by.role, codeSystem=_ISCO, codeSystemName="ISCO")
    _add(author, "time", value=moment)
    _add_person(_add(author, "assignedAuthor"), by, "assignedPerson")


def _add_person(holder: Any, by: Dispenser, name: str) -> None:
    _add(holder, "id", root=by.home, extension=by.number)
    _add(_add(holder, "addr"), "country", by.country)
    _add(holder, "telecom", nullFlavor="NI")
    named = _add(_add(holder, name), "name")
    _add(named, "family", by.family)
    _add(named, "given", by.given)
    organization = _add(holder, "representedOrganization")
    _add(organization, "id", root=by.home, extension=by.organization_number)
    _add(organization, "name", by.organization)
    _add(organization, "telecom", nullFlavor="NI")
    _add(_add(organization, "addr"), "country", by.country)


def _add_product(supply: Any, administration: Any, name_of_product: str) -> None:
    """Add the product: the one prescribed, under the name of the one that was handed out ("": its own)."""
    product = _add(supply, "product")
    prescribed = administration.find("v3:consumable/v3:manufacturedProduct", _NS)
    if prescribed is None:
        material = _add(_add(product, "manufacturedProduct", classCode="MANU"), "manufacturedMaterial")
        _add(material, "name", name_of_product or _medicine(administration))
        return
    made = copy.deepcopy(prescribed)
    name = made.find("v3:manufacturedMaterial/v3:name", _NS)
    if name is not None and name_of_product:
        for child in list(name):
            name.remove(child)
        name.attrib.pop("nullFlavor", None)
        name.text = name_of_product
    product.append(made)


def _add_reference(supply: Any, item: PrescriptionItem) -> None:
    holder = _add(_add(supply, "entryRelationship", typeCode="REFR"), "substanceAdministration")
    holder.set("classCode", "SBADM")
    holder.set("moodCode", "INT")
    _add(holder, "id", root=item.root, extension=item.extension)
    material = _add(_add(_add(holder, "consumable"), "manufacturedProduct"), "manufacturedMaterial")
    material.set("nullFlavor", "NA")


def _add_substitution(supply: Any) -> None:
    act = _add(_add(supply, "entryRelationship", typeCode="COMP"), "act", classCode="ACT", moodCode="EVN")
    _add(act, "code", code="G", codeSystem="2.16.840.1.113883.5.1070", displayName="generic composition")


def _add(parent: Any, name: str, text: str = "", **attributes: str) -> Any:
    element = etree.SubElement(parent, _v3(name), {key: value for key, value in attributes.items() if value})
    if text:
        element.text = text
    return element


def _v3(name: str) -> str:
    return f"{{{V3}}}{name}"
