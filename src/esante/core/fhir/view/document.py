"""The view of a document Bundle."""

from collections import Counter
from typing import Any

from esante.core.fhir.view import text
from esante.core.fhir.view.model import (
    DocumentView,
    Omission,
    Party,
    PatientIdentifier,
    ResourceTable,
    Section,
    Subject,
)
from esante.core.fhir.view.narrative import sanitise_narrative
from esante.core.fhir.view.reference_library import SUPPORTING, ReferenceLibrary
from esante.core.fhir.view.tables import build_tables
from esante.core.types import Json

_SECTION_DEPTH = 12
_OF_ITS_OWN = ("conclusionCode", "presentedForm", "media", "imagingStudy", "modifierExtension")


def build_document_view(bundle: Json) -> DocumentView:
    """Return the view of a document Bundle that `check` has accepted.

    Never raises; what the view cannot show is counted in its `omissions`.
    """
    library = ReferenceLibrary(bundle)
    composition = next((r for r in library.resources if r.get("resourceType") == "Composition"), {})
    library.mark_shown(composition)
    subject = library.find(composition.get("subject"), composition)
    authors = tuple(_party(reference, composition, library) for reference in text.items(composition.get("author")))
    custodian = composition.get("custodian")
    narrative = _narrative(composition, library.omitted)
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
        further=_further_tables(library, _narrative_text(sections)),
        omissions=tuple(Omission(what, count) for what, count in sorted(library.omitted.items())),
    )


def _subject(patient: Json | None, composition: Json) -> Subject:
    """Return the subject; of a reference without a target, its display."""
    if patient is None:
        return Subject(name=text.describe(composition.get("subject")))
    identifiers = [i for i in text.items(patient.get("identifier")) if isinstance(i, dict)]
    return Subject(
        name=text.person_name(patient.get("name")) or text.string(patient.get("name")),
        birth_date=text.string(patient.get("birthDate")),
        sex=text.string(patient.get("gender")),
        identifiers=tuple(
            PatientIdentifier(text.string(i.get("system")), text.string(i.get("value")))
            for i in identifiers
            if text.string(i.get("value"))
        ),
    )


def _party(reference: Any, composition: Json, library: ReferenceLibrary) -> Party:
    """Return an author or the custodian; of a role the person and the organisation separately."""
    found = library.find(reference, composition)
    if found is None:
        return Party(text.describe(reference))
    if found.get("resourceType") != "PractitionerRole":
        return Party(library.label(found))
    person = library.find(found.get("practitioner"), found)
    organisation = library.find(found.get("organization"), found)
    place = library.label(organisation) if organisation else text.describe(found.get("organization"))
    name = library.label(person) if person else text.describe(found.get("practitioner"))
    return Party(name or place, place if name else "")


def _sections(container: Json, library: ReferenceLibrary, depth: int) -> tuple[Section, ...]:
    listed = [s for s in text.items(container.get("section")) if isinstance(s, dict)]
    if depth >= _SECTION_DEPTH:
        library.omitted["section nested too deeply"] += len(listed)
        return ()
    return tuple(_section(section, library, depth) for section in listed)


def _section(section: Json, library: ReferenceLibrary, depth: int) -> Section:
    return Section(
        title=text.string(section.get("title")) or text.concept(section.get("code")),
        code=text.code(section.get("code")),
        narrative=_narrative(section, library.omitted),
        tables=build_tables(library.find_all(section.get("entry")), library),
        sections=_sections(section, library, depth + 1),
        empty_reason=text.concept(section.get("emptyReason")),
    )


def _narrative(container: Json, omitted: Counter[str]) -> Any:
    narrative = container.get("text")
    div = narrative.get("div") if isinstance(narrative, dict) else None
    return sanitise_narrative(div, omitted) if isinstance(div, str) else None


def _further_tables(library: ReferenceLibrary, narrative: str) -> tuple[ResourceTable, ...]:
    """Return tables of the resources that no section has shown.

    Reports and panels come first, since their rows include their results; people, places and things come last, when it
    is known which of them the rows have named.
    """
    for report in [r for r in library.not_shown() if _adds_nothing(r, library, narrative)]:
        library.mark_shown(report)
        library.with_names(report, report)  # the people and things that it names
    others = [r for r in library.not_shown() if r.get("resourceType") not in SUPPORTING]
    leading = [r for r in others if r.get("resourceType") == "DiagnosticReport" or r.get("hasMember")]
    found = build_tables([*leading, *others], library, only_new=True)
    return found + build_tables(library.not_shown(), library, only_new=True)


def _adds_nothing(report: Json, library: ReferenceLibrary, narrative: str) -> bool:
    """Return whether a report only repeats: its results were shown, and its conclusion is in the narrative."""
    if report.get("resourceType") != "DiagnosticReport" or any(report.get(key) for key in _OF_ITS_OWN):
        return False
    conclusion = " ".join(text.string(report.get("conclusion")).split())
    shown = library.shown_ids()
    found = [library.look_up(reference, report) for reference in text.items(report.get("result"))]
    if not (found or conclusion) or conclusion not in narrative:
        return False
    return all(result is not None and id(result) in shown for result in found)


def _narrative_text(sections: tuple[Section, ...]) -> str:
    """Return the words of the narratives of sections and of those within them."""
    return " ".join(
        f"{section.narrative.striptags() if section.narrative else ''} {_narrative_text(section.sections)}"
        for section in sections
    )
