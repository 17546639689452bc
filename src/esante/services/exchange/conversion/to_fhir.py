"""A clinical document (CDA R2) as a document of FHIR R4 (IPS, EPS and the like), with the fate of every leaf."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from esante.core.fhir import encode
from esante.core.types import Json
from esante.services.exchange.cda import Paths, read_checked
from esante.services.exchange.conversion.datatypes import Concept, Ident, Words, fhir_time
from esante.services.exchange.conversion.entries import entry_of_statement
from esante.services.exchange.conversion.fields import Field
from esante.services.exchange.conversion.header import (
    COMPOSITION,
    CONTACTS,
    PATIENT_ROLE,
    SECTION_ID,
    read_confidentiality,
)
from esante.services.exchange.conversion.ledger import (
    DERIVABLE,
    NO_COUNTERPART,
    STRUCTURE,
    Fate,
    LeafFate,
    LossReport,
)
from esante.services.exchange.conversion.narrative import NarrativeIndex, narrative_leaves, to_xhtml
from esante.services.exchange.conversion.nodes import TEXT, Node, read_nodes
from esante.services.exchange.conversion.terms import ORIGINAL_VALUE
from esante.services.exchange.model import Fault, NotUsable

_NAMESPACE = uuid.UUID("6f0a4c3e-7d57-5b1e-9c56-2b8b0f3f0d11")
_STRUCTURE = {
    "classCode",
    "moodCode",
    "determinerCode",
    "contextControlCode",
    "inversionInd",
    "typeCode",
    "type",
    "contextConductionInd",
    "operator",
    "negationInd",
    "mediaType",
    "representation",
    "nullFlavor",
}
_DERIVABLE = {"codeSystemName"}
_NO_IDENTIFIER = "no identifier of a document without a system and a value"


@dataclass(slots=True)
class _Reading:
    """A Bundle that is being made."""

    narrative: NarrativeIndex
    document: str
    section: str = ""
    entries: list[Json] = field(default_factory=list)
    patient: str = ""
    """The reference to the patient."""
    _known: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give the patient a reference."""
        self.patient = self.reference("patient")

    def reference(self, name: str) -> str:
        """Return the reference to a resource of this document: the same in each conversion."""
        return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{self.document}/{name}')}"

    def add(self, resource: Json, *, shared: bool = False) -> str:
        """Add a resource and return the reference to it; `shared`: one for all of the same content."""
        key = encode(resource) if shared else b""
        known = self._known.get(key) if shared else None
        if known is not None:
            return known
        reference = self.reference(str(len(self.entries)))
        self.put(reference, resource)
        if shared:
            self._known[key] = reference
        return reference

    def put(self, reference: str, resource: Json) -> None:
        """Add a resource under a reference."""
        resource["id"] = reference[9:]
        self.entries.append({"fullUrl": reference, "resource": resource})


@dataclass(frozen=True, slots=True)
class FhirDocument:
    """The document in FHIR, and its source, from which the report is made."""

    bundle: Json
    _root: Node
    _narratives: dict[Any, bool]

    def encoded(self) -> bytes:
        """Return the document as JSON."""
        return encode(self.bundle)

    def report(self) -> LossReport:
        """Return the fate of every leaf of the CDA."""
        words = " ".join("".join(element.itertext()) for element, carried in self._narratives.items() if carried)
        return LossReport(tuple(_leaves(self._root, " ".join(words.split()), self._narratives)))


def cda_to_fhir(data: bytes) -> FhirDocument:
    """Return a clinical document as a Bundle of the type document.

    Raises: `NotUsable` for bytes that are no usable CDA.
    """
    element = read_checked(data)
    root = read_nodes(element)
    context = _Reading(NarrativeIndex(element), "|".join(_identifying(root)))
    composition: Json = {"resourceType": "Composition", "status": "final"}
    patient: Json = {"resourceType": "Patient"}
    role = next(one for target in root.all("recordTarget") for one in target.all("patientRole"))
    for patient_field in PATIENT_ROLE:
        patient_field.read(role, patient, "Patient", context)
    CONTACTS.read(root, patient, "Patient", context)
    read_confidentiality(root, composition, context)
    for one in COMPOSITION:
        one.read(root, composition, "Composition", context)
    composition["subject"] = {"reference": context.patient}
    _complete(composition)
    narratives: dict[Any, bool] = {}
    sections = [
        made
        for component in root.all("component")
        for body in component.all("structuredBody")
        for inner in body.all("component")
        for section in inner.all("section")
        if (made := _section(section, context, narratives))
    ]
    if sections:
        composition["section"] = sections
    context.put(context.patient, patient)
    context.put(context.reference("composition"), composition)
    context.entries.reverse()
    bundle: Json = {"resourceType": "Bundle", "type": "document"}
    _read_identifier(root, bundle, context)
    _stamp(root, bundle)
    bundle["entry"] = context.entries
    return FhirDocument(bundle, root, narratives)


def _read_identifier(root: Node, bundle: Json, context: _Reading) -> None:
    """Read the identifier of the document; one without a system or a value is replaced, and lost (bdl-9)."""
    Field("id", "identifier", Ident()).read(root, bundle, "Bundle", context)
    if {"system", "value"} <= bundle.get("identifier", {}).keys():
        return
    bundle["identifier"] = {"system": "urn:ietf:rfc:3986", "value": context.reference("bundle")}
    if (found := root.child("id")) is not None:
        found.marks.update(dict.fromkeys(found.attributes, (Fate.DROPPED, "", _NO_IDENTIFIER)))


def _identifying(root: Node) -> Iterator[str]:
    identifier = root.child("id")
    if identifier is not None:
        yield identifier.get("root") or ""
        yield identifier.get("extension") or ""


def _complete(composition: Json) -> None:
    """Give the Composition what FHIR requires and the document lacks, as absent."""
    unknown = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    if "title" not in composition:
        concept = composition.get("type", {})
        shown = next((one["display"] for one in concept.get("coding", ()) if "display" in one), "Clinical document")
        composition["title"] = shown
        composition.pop("_title", None)
    if "date" not in composition and "_date" not in composition:
        composition["_date"] = {"extension": [unknown]}
    composition.setdefault("type", {"extension": [unknown]})
    composition.setdefault("author", [{"extension": [unknown]}])


def _stamp(root: Node, bundle: Json) -> None:
    """Write when the document was made into the Bundle, which needs a time with its zone: else the day begins in UTC.

    Raises: `NotUsable` when the document does not say when it was made.
    """
    stated = root.child("effectiveTime")
    text = (stated.get("value") or "") if stated is not None else ""
    value = fhir_time(text)
    if value is None:
        remedy = "Write it as YYYYMMDDHHMMSS+ZZZZ"
        raise NotUsable(
            Fault("the time of the document is missing or no time", "/ClinicalDocument/effectiveTime", remedy)
        )
    if "T" in value:
        bundle["timestamp"] = value
    else:
        bundle["timestamp"] = f"{(value + '-01-01')[:10]}T00:00:00Z"
        bundle["_timestamp"] = {"extension": [{"url": ORIGINAL_VALUE, "valueString": text.strip()}]}


def _section(node: Node, context: _Reading, narratives: dict[Any, bool]) -> Json:
    """Return a section with its narrative, its entries and the sections in it."""
    found: Json = {}
    SECTION_ID.read(node, found, "Composition.section", context)
    Field("code", "code", Concept()).read(node, found, "Composition.section", context)
    Field("title", "title", Words()).read(node, found, "Composition.section", context)
    text = node.child("text")
    if text is not None:
        div = to_xhtml(text.element)
        narratives[text.element] = div is not None
        if div is not None:
            found["text"] = {"status": "generated", "div": div}
    code = node.child("code")
    context.section = (code.get("code") or "") if code is not None else ""
    references = []
    for entry in node.all("entry"):
        for statement in entry.children:
            kind = entry_of_statement(statement, context.section)
            for resource in kind.read(statement, context.section, context) if kind is not None else ():
                references.append({"reference": context.add(resource)})  # noqa: PERF401
    if references:
        found["entry"] = references
    inner = [
        made
        for component in node.all("component")
        for section in component.all("section")
        if (made := _section(section, context, narratives))
    ]
    if inner:
        found["section"] = inner
    if not any(key in found for key in ("text", "entry", "section")):
        found["emptyReason"] = {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/list-empty-reason", "code": "unavailable"}]
        }
    return found


def _leaves(root: Node, words: str, narratives: dict[Any, bool]) -> Iterator[LeafFate]:
    """Yield the fate of every attribute and text."""
    paths = Paths()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.narrative:
            yield from narrative_leaves(node.element, paths, narratives.get(node.element, False))
            continue
        place = paths.of(node.element)
        for name, value in node.attributes.items():
            yield _fate(
                node, name, f"{place}/@{name if name != 'type' else 'xsi:type'}".replace("@{", "@"), value, words
            )
        if node.text:
            yield _fate(node, TEXT, f"{place}/text()", " ".join(node.text.split()), words)
        waiting.extend(reversed(node.children))


def _fate(node: Node, name: str, place: str, value: str, words: str) -> LeafFate:
    mark = node.marks.get(name)
    if mark is not None and mark[0] is not Fate.DROPPED:
        return LeafFate(place, value, mark[0], str(mark[1]), mark[2])
    reason = mark[2] if mark is not None else NO_COUNTERPART
    if mark is None:
        if (
            (node.name, name, value) == ("statusCode", "code", "completed")
            or node.name in ("templateId", "typeId", "realmCode", "signatureCode")
            or name in _STRUCTURE - {"nullFlavor"}
        ):
            reason = STRUCTURE
        elif name in _DERIVABLE:
            reason = DERIVABLE
        elif name in ("displayName", TEXT) and len(value) > 2 and value in words:
            return LeafFate(place, value, Fate.TEXT_ONLY, "Composition.section.text.div", reason)
    return LeafFate(place, value, Fate.DROPPED, "", reason)
