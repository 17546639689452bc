"""A document of FHIR R4 (IPS, EPS, a converted one) as a clinical document (CDA R2), with the fate of every leaf."""

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from esante.core.fhir import NotJson, check, decode
from esante.core.types import Json
from esante.services.exchange.cda import PHARM, V3, XSI, Paths, local_name
from esante.services.exchange.conversion.datatypes import Concept, Ident, Words, WriteContext, sub
from esante.services.exchange.conversion.entries import entry_of_resource, mark_category
from esante.services.exchange.conversion.fields import Field
from esante.services.exchange.conversion.header import (
    COMPOSITION,
    CONTACTS,
    PATIENT_ROLE,
    SECTION_ID,
    write_confidentiality,
)
from esante.services.exchange.conversion.ledger import (
    DERIVABLE,
    NO_COUNTERPART,
    STRUCTURE,
    Fate,
    LeafFate,
    Ledger,
    LossReport,
)
from esante.services.exchange.conversion.narrative import from_xhtml
from esante.services.exchange.conversion.order import sort_children
from esante.services.exchange.conversion.paths import Writer
from esante.services.exchange.conversion.terms import DOCUMENT_TEMPLATES, SECTION_TEMPLATES
from esante.services.exchange.model import Fault, NotUsable

MAX_BYTES = 20 << 20
_BUNDLE_REMEDY = "Send a Bundle of the type document, whose first entry is a Composition"
_TAG = re.compile(r"<[^>]*>")
_STRUCTURE = re.compile(r"(^|\.)(Bundle\.type|resourceType|profile|id|fullUrl|versionId|lastUpdated|status)$")


@dataclass(frozen=True, slots=True)
class CdaDocument:
    """The clinical document, and its source, from which the report is made."""

    root: Any
    _bundle: Json
    _ledger: Ledger

    def encoded(self) -> bytes:
        """Return the document as XML in UTF-8."""
        data: bytes = etree.tostring(self.root, encoding="UTF-8", xml_declaration=True)
        return data

    def report(self) -> LossReport:
        """Return the fate of every leaf of the Bundle."""
        texts = self.root.iterfind(f".//{{{V3}}}section/{{{V3}}}text")
        words = " ".join(" ".join("".join(text.itertext()) for text in texts).split())
        return LossReport(tuple(_leaves(self._bundle, self._ledger, words)))


def fhir_to_cda(data: bytes) -> CdaDocument:
    """Return a Bundle of the type document as a clinical document.

    Raises: `NotUsable` for bytes that are no such Bundle.
    """
    return write_bundle(_bundle(data))


def write_bundle(bundle: Json) -> CdaDocument:
    """Return a valid Bundle of the type document, whose entries all have a resource, as a clinical document.

    Raises: `NotUsable` when it names no patient.
    """
    ledger = Ledger()
    resources = {str(entry.get("fullUrl", "")): (entry, entry["resource"]) for entry in bundle["entry"]}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        resources.setdefault(f"{resource['resourceType']}/{resource.get('id', '')}", (entry, resource))
    composition: Json = bundle["entry"][0]["resource"]
    context = WriteContext(ledger, Writer(), resources, str((composition.get("subject") or {}).get("reference", "")))
    root = etree.Element(f"{{{V3}}}ClinicalDocument", nsmap={None: V3, "xsi": XSI, "pharm": PHARM})
    root.set("classCode", "DOCCLIN")
    root.set("moodCode", "EVN")
    _identify(bundle, composition, root, context)
    patient = _patient(composition, root, context)
    for one in COMPOSITION:
        one.write(composition, root, context)
    write_confidentiality(composition, root, context)
    CONTACTS.write(patient, root, context)
    _complete(root)
    body = sub(sub(root, "component"), "structuredBody")
    for section in composition.get("section", ()):
        _section(section, sub(body, "component"), context)
    sort_children(root)
    return CdaDocument(root, bundle, ledger)


def _bundle(data: bytes) -> Json:
    """Return a document that has all that this module relies on. Raises: `NotUsable`."""
    if len(data) > MAX_BYTES:
        raise NotUsable(Fault(f"the document is larger than {MAX_BYTES >> 20} MiB", "", "Send a smaller document"))
    try:
        bundle: Json = decode(data)
    except NotJson as error:
        raise NotUsable(Fault(f"the document is no JSON ({error})", "", _BUNDLE_REMEDY)) from error
    kind = bundle.get("resourceType") if isinstance(bundle, dict) else None
    if kind != "Bundle" or bundle.get("type") != "document":
        raise NotUsable(Fault(f"the document is no Bundle of the type document, but {kind}", "", _BUNDLE_REMEDY))
    issues = [issue for issue in check(data).issues if issue.severity in ("error", "fatal")]
    if issues:
        remedy = "Mend it; esante fhir validate names every fault with its line"
        raise NotUsable(*(Fault(issue.diagnostics.rstrip("."), issue.expression, remedy) for issue in issues[:50]))
    entries = bundle.get("entry") or [{}]
    if entries[0].get("resource", {}).get("resourceType") != "Composition":
        raise NotUsable(Fault("the first entry is no Composition", "Bundle.entry[0]", _BUNDLE_REMEDY))
    bundle["entry"] = [entry for entry in entries if "resource" in entry]
    return bundle


def _identify(bundle: Json, composition: Json, root: Any, context: WriteContext) -> None:
    """Write what every document begins with; one that has no identifier gets one."""
    sub(root, "realmCode").set("code", "EU")
    kind = sub(root, "typeId")
    kind.set("root", "2.16.840.1.113883.1.3")
    kind.set("extension", "POCD_HD000040")
    for coding in (composition.get("type") or {}).get("coding", ())[:1]:
        template = DOCUMENT_TEMPLATES.get(coding.get("code", ""))
        if template:
            sub(root, "templateId").set("root", template)
    Field("id", "identifier", Ident()).write(bundle, root, context)
    if root.find(f"{{{V3}}}id") is None:
        sub(root, "id").set("root", str(uuid.uuid5(uuid.NAMESPACE_URL, str(composition.get("id", "")))))


def _patient(composition: Json, root: Any, context: WriteContext) -> Json:
    role = sub(sub(root, "recordTarget"), "patientRole")
    patient = context.resolve(composition.get("subject") or {}, role)
    if patient is None or patient["resourceType"] != "Patient":
        remedy = "Let Composition.subject refer to the Patient of the Bundle"
        raise NotUsable(Fault("the document names no patient", "Bundle.entry[0].resource.subject", remedy))
    for one in PATIENT_ROLE:
        one.write(patient, role, context)
    if role.find(f"{{{V3}}}id") is None:
        sub(role, "id").set("nullFlavor", "NI")
    return patient


def _complete(root: Any) -> None:
    """Write what CDA requires and the document lacks, as unknown."""
    for name in ("code", "effectiveTime"):
        if root.find(f"{{{V3}}}{name}") is None:
            sub(root, name).set("nullFlavor", "NI")
    if root.find(f"{{{V3}}}author") is None:
        author = sub(root, "author")
        sub(author, "time").set("nullFlavor", "NI")
        sub(sub(author, "assignedAuthor"), "id").set("nullFlavor", "NI")
    for author in root.iterfind(f"{{{V3}}}author"):
        if author.find(f"{{{V3}}}time") is None:
            sub(author, "time").set("nullFlavor", "NI")
    if root.find(f"{{{V3}}}custodian") is None:
        organization = sub(sub(sub(root, "custodian"), "assignedCustodian"), "representedCustodianOrganization")
        sub(organization, "id").set("nullFlavor", "NI")
    roles = ("assignedAuthor", "assignedEntity", "representedCustodianOrganization")
    for role in root.iter(*(f"{{{V3}}}{name}" for name in roles)):
        if role.find(f"{{{V3}}}id") is None:
            sub(role, "id").set("nullFlavor", "NI")


def _section(section: Json, component: Any, context: WriteContext) -> None:
    """Write a section with its entries and the sections in it."""
    made = sub(component, "section")
    codings = (section.get("code") or {}).get("coding", ())
    code = next((one.get("code", "") for one in codings if one.get("system") == "http://loinc.org"), "")
    if code in SECTION_TEMPLATES:
        sub(made, "templateId").set("root", SECTION_TEMPLATES[code])
    SECTION_ID.write(section, made, context)
    Field("code", "code", Concept()).write(section, made, context)
    Field("title", "title", Words()).write(section, made, context)
    _narrative(section, made, context)
    for holder in section.get("entry", ()):
        entry = sub(made, "entry")
        resource = context.resolve(holder, entry)
        kind = entry_of_resource(resource) if resource is not None else None
        if resource is None or kind is None or not kind.write(resource, entry, context):
            made.remove(entry)
            continue
        mark_category(resource, code, context)
    for inner in section.get("section", ()):
        _section(inner, sub(made, "component"), context)


def _narrative(section: Json, made: Any, context: WriteContext) -> None:
    text = sub(made, "text")
    narrative = section.get("text") or {}
    if "div" in narrative and from_xhtml(narrative["div"], text):
        context.take(narrative, "div", text)
    elif section.get("entry"):
        items = [_display(context.resources.get(str(one.get("reference")))) for one in section["entry"]]
        listed = sub(text, "list")
        for item in items:
            sub(listed, "item").text = item or "-"


def _display(found: tuple[Json, Json] | None) -> str:
    """Return the words for an entry whose section has no narrative."""
    if found is None:
        return ""
    for key in ("code", "vaccineCode", "medicationCodeableConcept", "type"):
        concept = found[1].get(key)
        if isinstance(concept, dict):
            codings = concept.get("coding") or [{}]
            return str(concept.get("text") or codings[0].get("display") or codings[0].get("code") or "")
    return ""


def _leaves(bundle: Json, ledger: Ledger, words: str) -> Iterator[LeafFate]:
    """Yield the fate of every primitive."""
    paths = Paths()
    waiting: list[tuple[str, str, Any]] = [("Bundle", "Bundle", bundle)]
    while waiting:
        place, model, at = waiting.pop()
        inner: list[tuple[str, str, Any]] = []
        pairs: Sequence[tuple[Any, Any]] = (
            list(at.items()) if isinstance(at, dict) else list(enumerate(at)) if isinstance(at, list) else []
        )
        for key, value in pairs:
            where = f"{place}[{key}]" if isinstance(at, list) else f"{place}.{key}"
            below = model if isinstance(at, list) else f"{model}.{key}"
            if isinstance(value, dict | list):
                inner.append((where, below, value))
            else:
                yield _fate(where, below, value, ledger.marks.get((id(at), key)), paths, words)
        waiting.extend(reversed(inner))


def _fate(place: str, model: str, value: Any, mark: Any, paths: Paths, words: str) -> LeafFate:
    shown = str(value)
    if mark is not None:
        fate, target, reason = mark
        if isinstance(target, tuple):
            element, attribute = target
            if _in_document(element):
                target = paths.of(element) + (f"/@{attribute}" if attribute else "")
                return LeafFate(place, shown, fate, target, reason)
        else:
            return LeafFate(place, shown, fate, str(target), reason)
    if _STRUCTURE.search(model) and (".text.status" in model or not model.endswith("status")):
        return LeafFate(place, shown, Fate.DROPPED, "", STRUCTURE)
    if model.endswith((".subject.display", ".patient.display", "Bundle.timestamp")):
        return LeafFate(place, shown, Fate.DROPPED, "", DERIVABLE)
    plain = " ".join(_TAG.sub(" ", shown).split()) if model.endswith(".div") else " ".join(shown.split())
    if isinstance(value, str) and len(plain) > 2 and plain in words:
        return LeafFate(place, shown, Fate.TEXT_ONLY, "section/text", NO_COUNTERPART)
    return LeafFate(place, shown, Fate.DROPPED, "", NO_COUNTERPART)


def _in_document(element: Any) -> bool:
    while element.getparent() is not None:
        element = element.getparent()
    return local_name(element) == "ClinicalDocument"
