"""International search masks: by what a country identifies its patients (MyHealth@EU, `ehncp/ism`)."""

import re2
from lxml import etree

from esante.services.exchange.contact_points.model import FieldKind, MaskField
from esante.services.exchange.model import Fault, NotUsable

ISM = "http://ec.europa.eu/sante/ehncp/ism"
SMP = "http://docs.oasis-open.org/bdxr/ns/SMP/2016/05"
_KINDS = {
    f"{{{ISM}}}id": FieldKind.ID,
    f"{{{ISM}}}textField": FieldKind.TEXT,
    f"{{{ISM}}}birthDate": FieldKind.BIRTH_DATE,
    f"{{{ISM}}}sex": FieldKind.SEX,
}
_TAGS = {kind: tag for tag, kind in _KINDS.items()}
MAX_FIELDS = 20
MAX_PATTERN = 200
PLACE = "searchFields"


def read_mask(root: etree._Element, country: str) -> list[MaskField]:
    """Return the fields of the mask of a country. Raises: `NotUsable`."""
    if root.tag != f"{{{ISM}}}searchFields":
        raise NotUsable(Fault("this is no search mask", PLACE, "Give the file with searchFields"))
    holders = [one for one in root.findall(f"{{{ISM}}}country") if one.get("code") == country]
    if len(holders) != 1:
        raise NotUsable(Fault(f"one country {country} is needed", PLACE, "Give the mask of that country"))
    fields = [_field(one) for one in holders[0].iter(*_KINDS)]
    if not 0 < len(fields) <= MAX_FIELDS:
        raise NotUsable(Fault(f"1 to {MAX_FIELDS} fields are needed", PLACE, "Ask the country for its mask"))
    return fields


def write_mask(fields: list[MaskField], country: str) -> etree._Element:
    """Return the mask of a country."""
    root = etree.Element(f"{{{ISM}}}searchFields", nsmap={"ism": ISM})
    holder = etree.SubElement(root, f"{{{ISM}}}country", code=country, label="label.ism.addressCountry")
    search = etree.SubElement(holder, f"{{{ISM}}}patientSearch", friendlyName="Patient search", scope="ALL")
    ids: etree._Element | None = None
    for one in fields:
        parent = search
        if one.kind is FieldKind.ID:
            ids = etree.SubElement(search, f"{{{ISM}}}identifier", type="NORMAL") if ids is None else ids
            parent = ids
        element = etree.SubElement(parent, _TAGS[one.kind], label=one.label)
        element.set("mandatory", "true" if one.is_mandatory else "false")
        for name, value in (("domain", one.domain), ("format", one.pattern)):
            if value:
                element.set(name, value)
    return root


def matches(field: MaskField, value: str) -> bool:
    """Return whether a value has the form that a field asks for."""
    return not field.pattern or re2.fullmatch(field.pattern, value) is not None


def _field(element: etree._Element) -> MaskField:
    kind, pattern = _KINDS[str(element.tag)], element.get("format", "")
    place = f"{etree.QName(element).localname} {element.get('label', '')[:60]}"
    if len(pattern) > MAX_PATTERN or not _compiles(pattern):
        raise NotUsable(Fault("the pattern is no regular expression", place, "Ask the country for its mask"))
    if kind is FieldKind.ID and not element.get("domain"):
        raise NotUsable(Fault("the domain of the identifier is missing", place, "Ask the country for its mask"))
    return MaskField(
        kind=kind,
        label=element.get("label", ""),
        domain=element.get("domain", "") if kind is FieldKind.ID else "",
        pattern=pattern,
        is_mandatory=element.get("mandatory") == "true",
    )


def _compiles(pattern: str) -> bool:
    try:
        re2.compile(pattern)
    except re2.error:
        return False
    return True
