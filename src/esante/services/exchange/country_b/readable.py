"""What a received document says, in its own words and translated, side by side.

A document that is about somebody else than the patient is not shown.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from esante.core.fhir import DocumentView, build_document_view, decode
from esante.services.exchange.cda import V3, read_checked
from esante.services.exchange.conversion import cda_to_fhir, fhir_to_cda
from esante.services.exchange.country_b.model import Patient
from esante.services.exchange.model import Fault, NotUsable
from esante.services.exchange.terminology import CodeCatalogue
from esante.services.exchange.translation import CodedElement, Outcome, Translation, translate

_NS = {"v3": V3}
MAX_PDF = 15 << 20
_OPEN_OUTCOMES = (Outcome.UNTRANSLATED, Outcome.NOT_IN_CATALOGUE, Outcome.ERROR)
"""What the reader should know of: codes that stayed in the words of the other country."""


class OfAnother(Exception):
    """The document is about somebody else than the patient."""


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of a section: translated, and as it was written; each its subject and further words."""

    translated: Any
    original: Any
    kind: str


@dataclass(frozen=True, slots=True)
class ReadSection:
    """A section: the code of its kind, its title as it was written, its entries and its own words."""

    code: str
    title: str
    lines: Sequence[Line]
    narrative: Any


@dataclass(frozen=True, slots=True)
class Readable:
    """A document to show. `pdf`: its printable form, b"" for none; `open_codes`: those that were not translated."""

    title: str
    language: str
    author: str
    created: str
    sections: Sequence[ReadSection]
    counts: dict[str, int]
    open_codes: Sequence[CodedElement]
    pdf: bytes


def as_cda(data: bytes) -> bytes:
    """Return a received document as CDA: one of FHIR is converted. Raises: `NotUsable`."""
    return fhir_to_cda(data).encoded() if data.lstrip()[:1] == b"{" else data


def check_patient(data: bytes, patient: Patient) -> None:
    """Check that a document is about the patient who was found.

    One of its identifiers is that of the patient, or its patient has the same family name and day of birth: countries
    put identifiers into documents that they do not use in discoveries. Raises: `NotUsable`, `OfAnother`.
    """
    role = read_checked(as_cda(data)).find("v3:recordTarget/v3:patientRole", _NS)
    found = {f"{one.get('extension', '')}^^^&{one.get('root', '')}&ISO" for one in role.iterfind("v3:id", _NS)}
    if patient.cx in found:
        return
    person = role.find("v3:patient", _NS)
    birth = _value(person, "v3:birthTime")[:8]
    family = _text(person, "v3:name/v3:family")
    if not (
        len(birth) == 8 and birth == patient.birth[:8] and family and family.casefold() == patient.family.casefold()
    ):
        raise OfAnother("the document is about another patient")


def read_document(data: bytes, language: str, catalogue: CodeCatalogue) -> Readable:
    """Return a document in a language beside its own words. Raises: `NotUsable`."""
    data = as_cda(data)
    root = read_checked(data)
    pdf = _pdf(root)
    translation = translate(data, language, catalogue)
    sections: Sequence[ReadSection] = () if pdf else tuple(_sections(_view(data), _view(translation.document)))
    return Readable(
        title=_text(root, "v3:title")[:200],
        language=_value(root, "v3:languageCode", "code")[:20],
        author=_author(root),
        created=_value(root, "v3:effectiveTime")[:20],
        sections=sections,
        counts=translation.counts,
        open_codes=_open_codes(translation),
        pdf=pdf,
    )


def _open_codes(translation: Translation) -> list[CodedElement]:
    """Return the codes that were not translated, each once."""
    found = {one.before: one for one in translation.elements if one.outcome in _OPEN_OUTCOMES}
    return list(found.values())


def _view(data: bytes) -> DocumentView:
    return build_document_view(decode(cda_to_fhir(data).encoded()))


def _sections(original: DocumentView, translated: DocumentView) -> Iterator[ReadSection]:
    """Yield the sections of both views; their entries have the same order, since only words differ."""
    for one, other in zip(_flat(original.sections), _flat(translated.sections), strict=True):
        lines = [
            Line(row, before, table.kind)
            for table, table_before in zip(other.tables, one.tables, strict=True)
            for row, before in zip(table.rows, table_before.rows, strict=True)
        ]
        yield ReadSection(one.code, one.title, lines, one.narrative)


def _flat(sections: Sequence[Any]) -> Iterator[Any]:
    for one in sections:
        yield one
        yield from _flat(one.sections)


def _pdf(root: Any) -> bytes:
    """Return the PDF in a document without a structured body. Raises: `NotUsable` for one that is none."""
    held = root.find("v3:component/v3:nonXMLBody/v3:text", _NS)
    if held is None:
        return b""
    try:
        data = base64.b64decode("".join("".join(held.itertext()).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_pdf() from error
    if held.get("mediaType") != "application/pdf" or not data.startswith(b"%PDF-") or len(data) > MAX_PDF:
        raise _no_pdf()
    return data


def _no_pdf() -> NotUsable:
    place = "/ClinicalDocument/component/nonXMLBody/text"
    return NotUsable(Fault("the body is no PDF", place, "Ask the country for the structured form"))


def _author(root: Any) -> str:
    person = root.find("v3:author/v3:assignedAuthor/v3:assignedPerson/v3:name", _NS)
    parts = () if person is None else (person.iterfind(f"v3:{one}", _NS) for one in ("prefix", "given", "family"))
    name = " ".join(" ".join("".join(one.itertext()).split()) for each in parts for one in each)
    if not name and person is not None:
        name = " ".join("".join(person.itertext()).split())
    organization = _text(root, "v3:author/v3:assignedAuthor/v3:representedOrganization/v3:name")
    return ", ".join(filter(None, (name, organization)))[:200]


def _text(parent: Any, path: str) -> str:
    found = None if parent is None else parent.find(path, _NS)
    return "" if found is None else " ".join("".join(found.itertext()).split())


def _value(parent: Any, path: str, attribute: str = "value") -> str:
    found = None if parent is None else parent.find(path, _NS)
    return "" if found is None else str(found.get(attribute, ""))
