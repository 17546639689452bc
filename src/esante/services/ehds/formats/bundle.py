"""A document Bundle out of selected facts: its Composition, entries, and the provenance of its lines (pure)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.fhir.narrative import render_section
from esante.core.fhir.view import ReferenceLibrary
from esante.core.storage import uuid8
from esante.core.types import Json
from esante.core.web import N_, current_agency, translator
from esante.services.ehds.formats.facts import Fact
from esante.services.ehds.formats.kinds import DocumentKind, SectionRule
from esante.services.ehds.formats.model import BuiltSection, LineSource
from esante.services.ehds.formats.references import with_addresses

LOINC = "http://loinc.org"
NO_INFORMATION = N_("The record holds no information about this.")
OMITTED = N_("%(count)s older entries are not listed here; the record holds them.")
NOT_AVAILABLE: Json = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
            "code": "unavailable",
            "display": "Unavailable",
        }
    ]
}
"""The reason of a section without entries: there is no information for who reads it."""
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_AUTHOR_ROLE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_REQUIRED = {
    "MedicationStatement": "effective",
    "Observation": "effective",
    "DeviceUseStatement": "timing",
    "Procedure": "performed",
}
"""Elements that IPS demands of a type, a choice with dateTime: where one is missing it is said to be unknown."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a document says of itself; `identifier` a UUID from which the addresses of its own entries follow.

    `base_url`: the address of the FHIR API.
    """

    kind: DocumentKind
    patient: Json
    language: str
    at: datetime
    identifier: UUID
    base_url: str

    def url(self, name: str) -> str:
        """Return the fullUrl of an entry that only this document has."""
        number = self.identifier.int ^ int.from_bytes(name.encode()[:16].ljust(16, b"\0"), "big")
        return f"urn:uuid:{uuid8(number.to_bytes(16, 'big'))}"

    @property
    def gettext(self) -> Callable[[str], str]:
        """The texts of its language."""
        return translator(self.language).gettext


def assemble(
    frame: Frame, sections: Sequence[BuiltSection], facts: Mapping[str, Fact], focus: Fact | None = None
) -> Json:
    """Return the Bundle of sections; `facts`: the lines and what they refer to, by address."""
    patient_url = f"{frame.base_url}/Patient/{frame.patient['id']}"
    addresses = {fact.address: f"{frame.base_url}/{fact.address}" for fact in facts.values()}
    addresses[f"Patient/{frame.patient['id']}"] = patient_url
    resources = {
        addresses[fact.address]: _complete(with_addresses(fact.resource, addresses)) for fact in facts.values()
    }
    entries = [(patient_url, frame.patient), (frame.url("author"), _agency(frame)), *resources.items()]
    library = ReferenceLibrary({"entry": [_entry(url, resource) for url, resource in entries]})
    composition = _composition(frame, patient_url, focus, addresses) | {
        "section": [_section(frame, one, addresses, library, focus) for one in sections]
    }
    provenances = _provenances(frame, sections, addresses)
    profile = frame.kind.profiles[0]
    return {
        "resourceType": "Bundle",
        **({"meta": {"profile": [profile]}} if profile else {}),
        "language": frame.language,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{frame.identifier}"},
        "type": "document",
        "timestamp": frame.at.isoformat(timespec="seconds"),
        "entry": [_entry(frame.url("composition"), composition), *(_entry(*one) for one in [*entries, *provenances])],
    }


def _entry(url: str, resource: Json) -> Json:
    return {"fullUrl": url, "resource": resource}


def _complete(resource: Json) -> Json:
    """Return a resource in which a moment that IPS demands, and nobody gave, is said to be unknown."""
    stem = _REQUIRED.get(str(resource["resourceType"]))
    if (
        stem is None
        or any(name.startswith(stem) for name in resource)
        or any(name.startswith(f"_{stem}") for name in resource)
    ):
        return resource
    return resource | {f"_{stem}DateTime": {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}}


def _agency(frame: Frame) -> Json:
    return {"resourceType": "Organization", "name": current_agency().agency_name.of(frame.language)}


def _composition(frame: Frame, patient_url: str, focus: Fact | None, addresses: Mapping[str, str]) -> Json:
    kind, profile = frame.kind, frame.kind.profiles[1]
    composition: Json = {
        "resourceType": "Composition",
        **({"meta": {"profile": [profile]}} if profile else {}),
        "language": frame.language,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{frame.identifier}"},
        "status": "final",
        "type": {"coding": [{"system": LOINC, "code": kind.loinc, "display": kind.standard}]},
        "subject": {"reference": patient_url},
        "date": frame.at.isoformat(timespec="seconds"),
        "author": [{"reference": frame.url("author")}],
        "title": frame.gettext(kind.label),
        "confidentiality": "N",
        "custodian": {"reference": frame.url("author")},
    }
    if focus is not None:
        composition |= _header_of(focus, addresses)
    return composition


def _header_of(focus: Fact, addresses: Mapping[str, str]) -> Json:
    """Return the elements of a Composition that repeat those of what it is about, as the guides demand."""
    said: Json = {}
    resource = focus.resource
    if focus.type == "DiagnosticReport":
        said |= {name: resource[name] for name in ("category",) if name in resource}
        if identifiers := resource.get("identifier"):
            said["identifier"] = identifiers[0]
        if isinstance(resource.get("encounter"), dict):
            said["encounter"] = with_addresses(resource["encounter"], addresses)
        if codings := resource.get("code", {}).get("coding"):
            said["type"] = {"coding": codings}
    if focus.type == "Encounter":
        said["encounter"] = {"reference": addresses[focus.address]}
    said["event"] = [{"detail": [{"reference": addresses[focus.address]}]}]
    return said


def _section(
    frame: Frame, section: BuiltSection, addresses: Mapping[str, str], library: ReferenceLibrary, focus: Fact | None
) -> Json:
    rule, title = section.rule, frame.gettext(section.rule.label)
    made: Json = {"title": title, "code": _code(rule)}
    urls = [addresses[line.address] for line in section.lines]
    words = _narrative_of(rule, focus)
    empty = words or frame.gettext(NO_INFORMATION)
    shown = list(library.find_all([{"reference": url} for url in urls]))
    div = render_section(title, shown, library, frame.language, empty=empty)
    if section.omitted:
        note = frame.gettext(OMITTED) % {"count": section.omitted}
        div = div.removesuffix("</div>") + f"<p>{note}</p></div>"
    made["text"] = {"status": "generated", "div": div}
    if urls:
        made["entry"] = [{"reference": url} for url in urls]
    elif not words:
        made["emptyReason"] = NOT_AVAILABLE
    return made


def _code(rule: SectionRule) -> Json:
    return {"coding": [{"system": LOINC, "code": rule.code, "display": rule.standard}]}


def _narrative_of(rule: SectionRule, focus: Fact | None) -> str:
    """Return the words of the focus that a section holds; "" for none."""
    return str(focus.resource.get(rule.narrative, "")) if rule.narrative and focus is not None else ""


def _provenances(
    frame: Frame, sections: Sequence[BuiltSection], addresses: Mapping[str, str]
) -> list[tuple[str, Json]]:
    """Return a Provenance for each set of sources, with the lines that have them."""
    targets: dict[tuple[LineSource, ...], list[str]] = {}
    for section in sections:
        for line in section.lines:
            targets.setdefault(line.sources, []).append(addresses[line.address])
    return [
        (frame.url(f"provenance {number}"), _provenance(frame, sources, urls))
        for number, (sources, urls) in enumerate(targets.items())
        if sources
    ]


def _provenance(frame: Frame, sources: Sequence[LineSource], urls: Sequence[str]) -> Json:
    author = {"coding": [{"system": _AUTHOR_ROLE, "code": "author", "display": "Author"}]}
    agents = dict.fromkeys((source.author, source.organization) for source in sources)
    made: Json = {
        "resourceType": "Provenance",
        "target": [{"reference": url} for url in dict.fromkeys(urls)],
        "recorded": frame.at.isoformat(timespec="seconds"),
        "agent": [_agent(author, name, organization) for name, organization in agents],
    }
    person = UUID(frame.patient["id"]).hex
    documents = dict.fromkeys(one.document_id for one in sources if one.document_id)
    if documents:
        made["entity"] = [
            {"role": "source", "what": {"reference": f"{frame.base_url}/DocumentReference/{person}{key.hex}"}}
            for key in documents
        ]
    return made


def _agent(role: Json, name: str, organization: str) -> Json:
    agent: Json = {"type": role, "who": {"display": name or organization or "unknown"}}
    if organization and organization != name:
        agent["onBehalfOf"] = {"display": organization}
    return agent
