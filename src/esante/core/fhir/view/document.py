"""A document Bundle as a page to read."""

from collections import Counter
from typing import Any

from esante.core.fhir.view import text
from esante.core.fhir.view.model import DocumentView, Identifier, Omission, Party, Section, Subject, Table
from esante.core.fhir.view.narrative import sanitised
from esante.core.fhir.view.reference_library import SUPPORTING, Library
from esante.core.fhir.view.tables import tables
from esante.core.fhir.view.text import Json

_SECTION_DEPTH = 12


def view(bundle: dict[str, Any]) -> DocumentView:
    """The view of a document Bundle that `check` has accepted. Never raises; what it cannot show it
    counts."""
    library = Library(bundle)
    composition = next((r for r in library.resources if r.get("resourceType") == "Composition"), {})
    library.use(composition)
    subject = library.find(composition.get("subject"), composition)
    authors = tuple(_party(reference, composition, library) for reference in text.items(composition.get("author")))
    custodian = composition.get("custodian")
    narrative = _narrative(composition, library.lost)
    sections = _sections(composition, library, 0)
    return DocumentView(
        title=text.string(composition.get("title")) or text.concept(composition.get("type")),
        type=text.concept(composition.get("type")),
        type_code=text.code(composition.get("type")),
        date=text.string(composition.get("date")) or text.string(bundle.get("timestamp")),
        status=text.string(composition.get("status")),
        language=text.string(composition.get("language")) or text.string(bundle.get("language")),
        subject=_subject(subject, composition),
        authors=authors,
        custodian=_party(custodian, composition, library) if custodian else None,
        narrative=narrative,
        sections=sections,
        further=_further(library),
        omissions=tuple(Omission(what, count) for what, count in sorted(library.lost.items())),
    )


def _subject(patient: Json | None, composition: Json) -> Subject:
    """The subject; where the reference leads nowhere, the name that it carries."""
    if patient is None:
        return Subject(name=text.anything(composition.get("subject")))
    identifiers = [i for i in text.items(patient.get("identifier")) if isinstance(i, dict)]
    return Subject(
        name=text.person_name(patient.get("name")) or text.string(patient.get("name")),
        birth_date=text.string(patient.get("birthDate")),
        sex=text.string(patient.get("gender")),
        identifiers=tuple(
            Identifier(text.string(i.get("system")), text.string(i.get("value")))
            for i in identifiers
            if text.string(i.get("value"))
        ),
    )


def _party(reference: Any, composition: Json, library: Library) -> Party:
    """An author or the custodian; of a role the person and the organisation apart."""
    found = library.find(reference, composition)
    if found is None:
        return Party(text.anything(reference))
    if found.get("resourceType") != "PractitionerRole":
        return Party(library.label(found))
    person = library.find(found.get("practitioner"), found)
    organisation = library.find(found.get("organization"), found)
    place = library.label(organisation) if organisation else text.anything(found.get("organization"))
    name = library.label(person) if person else text.anything(found.get("practitioner"))
    return Party(name or place, place if name else "")


def _sections(holder: Json, library: Library, depth: int) -> tuple[Section, ...]:
    listed = [s for s in text.items(holder.get("section")) if isinstance(s, dict)]
    if depth >= _SECTION_DEPTH:
        library.lost["section nested too deeply"] += len(listed)
        return ()
    return tuple(_section(section, library, depth) for section in listed)


def _section(section: Json, library: Library, depth: int) -> Section:
    return Section(
        title=text.string(section.get("title")) or text.concept(section.get("code")),
        code=text.code(section.get("code")),
        narrative=_narrative(section, library.lost),
        tables=tables(library.all(section.get("entry")), library),
        sections=_sections(section, library, depth + 1),
        empty_reason=text.concept(section.get("emptyReason")),
    )


def _narrative(holder: Json, lost: Counter[str]) -> Any:
    narrative = holder.get("text")
    div = narrative.get("div") if isinstance(narrative, dict) else None
    return sanitised(div, lost) if isinstance(div, str) else None


def _further(library: Library) -> tuple[Table, ...]:
    """What no section has shown. Reports and panels go first, since they stand for their results; people,
    places and things go last, when it is known which of them the rows have named."""
    told = [r for r in library.unused() if r.get("resourceType") not in SUPPORTING]
    leading = [r for r in told if r.get("resourceType") == "DiagnosticReport" or r.get("hasMember")]
    found = tables([*leading, *told], library, only_new=True)
    return found + tables(library.unused(), library, only_new=True)
