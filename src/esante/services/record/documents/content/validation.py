"""Validation of deposited documents: media type, size, content, metadata, and the patient they name."""

import asyncio
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import date

import msgspec

from esante.core.fhir import MAX_ELEMENTS, check, count_elements, decode
from esante.core.fhir.rest import require_whole
from esante.core.time_zone import today
from esante.core.types import Json
from esante.services.record.categories import CATEGORIES, LOINC, Category, category_of_type, display_of_type
from esante.services.record.documents.content.media_types import require_media_type
from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.identification.model import Demographics, PersonName
from esante.services.record.identification.page_text import MAX_TEXT as MAX_TEXT_COMPARED
from esante.services.record.identification.patient_resource import patient_demographics
from esante.services.record.model import KINDS, MAX_CONTENT, Deposit, Finding
from esante.services.record.rendering.worker_pool import WorkerFailure, WorkerPool

MAX_TITLE = 200
MAX_TEXT = 200
MAX_IDENTIFIERS = 20
MAX_REASON = 500
"""Characters of a reason."""
IN_THREAD = 256 * 1024
"""The size in bytes from which a FHIR document is validated in a thread and not in the event loop."""

_BEGINNING = 4096
"""Bytes in which a file that is no text has a zero byte, as good as always."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The result of the validation of a document.

    `subject` is what it says of its patient in coded form, None where it names none; `text` that of the first page of
    a PDF, or of a text document.
    """

    media_type: str
    category: Category
    type: str
    title: str
    language: str
    event_date: date
    subject: Demographics | None
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Embedded:
    """The metadata that a document itself holds; empty where it holds none."""

    type: str = ""
    title: str = ""
    language: str = ""
    date: str = ""
    subject: Demographics | None = None
    text: str = ""
    findings: tuple[Finding, ...] = ()


async def examine(content: bytes, meta: Deposit, workers: WorkerPool, client: Hashable = None) -> Examination:
    """Validate a document of a client and its metadata. Raises: `InvalidContent` when they are refused."""
    _check_meta(meta)
    if not content:
        raise InvalidContent("empty")
    if len(content) > MAX_CONTENT:
        raise InvalidContent("too-large", detail=f"{MAX_CONTENT:,} bytes are allowed.")
    media_type = require_media_type(content, meta.media_type)
    embedded = await _inspect(KINDS[media_type], content, workers, client)
    category, type_ = _type(meta.type, embedded.type)
    return Examination(
        media_type=media_type,
        category=category,
        type=type_,
        title=meta.title.strip() or _title(embedded.title) or display_of_type(type_),
        language=meta.language or (embedded.language if _LANGUAGE.fullmatch(embedded.language) else ""),
        event_date=meta.event_date or _past_day(embedded.date) or today(),
        subject=embedded.subject,
        text=embedded.text,
        findings=embedded.findings,
    )


async def read_subject(
    content: bytes, media_type: str, workers: WorkerPool, client: Hashable = None
) -> tuple[Demographics | None, str]:
    """Return what a stored document says of its patient, and its text (as `Examination.subject` and `.text`)."""
    embedded = await _inspect(KINDS[media_type], content, workers, client)
    return embedded.subject, embedded.text


def _check_meta(meta: Deposit) -> None:
    texts = [("title", meta.title, MAX_TITLE), ("format", meta.format, MAX_TEXT)]
    texts += [("identifier", text, MAX_TEXT) for pair in meta.identifiers for text in pair]
    for place, text, max_length in texts:
        if len(text) > max_length or not text.isprintable():
            raise InvalidContent("bad-text", place=place)
    if len(meta.identifiers) > MAX_IDENTIFIERS:
        raise InvalidContent("bad-text", place="identifier", detail=f"{MAX_IDENTIFIERS} are allowed.")
    if meta.language and not _LANGUAGE.fullmatch(meta.language):
        raise InvalidContent("bad-language", place="language")
    if meta.event_date and meta.event_date > today():
        raise InvalidContent("future-date", place="date", detail=meta.event_date.isoformat())
    if meta.type and category_of_type(meta.type) is None:
        raise _unknown_type(meta.type)


async def _inspect(kind: str, content: bytes, workers: WorkerPool, client: Hashable) -> _Embedded:
    match kind:
        case "fhir" if len(content) > IN_THREAD:
            return await asyncio.to_thread(_inspect_fhir, content)
        case "fhir":
            return _inspect_fhir(content)
        case "text":
            return _inspect_text(content)
        case _:
            return await _inspect_in_worker(kind, content, workers, client)


async def _inspect_in_worker(kind: str, content: bytes, workers: WorkerPool, client: Hashable) -> _Embedded:
    try:
        answer, _ = await workers.run({"task": "inspect", "kind": kind}, content, client=client)
    except WorkerFailure as error:
        raise InvalidContent("too-complex", place="content") from error
    if refused := answer.get("refused"):
        raise InvalidContent(refused[0], place="content", detail=refused[1])
    result = answer["result"]
    findings = tuple(Finding(key, "", detail) for key, detail in result.get("findings", ()))
    header = result["meta"]
    if kind != "cda":
        text = await _page_text(content, workers, client) if kind == "pdf" else ""
        return _Embedded(text=text, language=header.get("language", ""), findings=findings)
    return _Embedded(
        type=header["type"],
        title=header["title"],
        language=header["language"],
        date=header["date"],
        subject=_cda_subject(header),
        findings=findings,
    )


async def _page_text(content: bytes, workers: WorkerPool, client: Hashable) -> str:
    """Return the text of a PDF's first page; "" where reading it costs too much."""
    try:
        answer, _ = await workers.run({"task": "inspect", "kind": "page_text"}, content, client=client)
    except WorkerFailure:
        return ""
    return str(answer.get("result", {}).get("text", ""))


def _cda_subject(header: Json) -> Demographics:
    names = (PersonName(**name | {"given": tuple(name["given"])}) for name in header["names"])
    return Demographics(
        identifiers=tuple((system, value) for system, value in header["identifiers"]),
        names=tuple(name for name in names if name.whole),
        birth_date=header["birth_date"],
        sex=header["sex"],
    )


def _inspect_text(content: bytes) -> _Embedded:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\x00" in content[:_BEGINNING]:
            raise InvalidContent("media-type-unknown", place="content") from None
        raise InvalidContent("text-not-utf8", place="content", detail=f"byte {error.start + 1}") from None
    if not text.strip():
        raise InvalidContent("empty", place="content")
    if any(ord(char) < 32 and char not in "\t\n\r\f" for char in set(text)):
        raise InvalidContent("text-not-utf8", place="content")
    return _Embedded(text=text[:MAX_TEXT_COMPARED])


def check_elements(content: bytes, place: str = "") -> None:
    """Raise `InvalidContent` for JSON of more elements than are validated."""
    if count_elements(content) > MAX_ELEMENTS:
        raise InvalidContent("too-complex", place=place, detail=f"{MAX_ELEMENTS:,} elements are allowed.")


def parse_resource(body: bytes, expect: str) -> Json:
    """Return the resource of a request, of the type `expect`.

    Raises: `InvalidContent` with every issue when it does not conform to FHIR R4; `Problem` 422 for a part of a
    resource (SUBSETTED).
    """
    check_elements(body)
    checked = check(body, expect=expect)
    if not checked.ok:
        raise InvalidContent("request", issues=checked.issues)
    resource = checked.resource
    require_whole(resource)
    return resource


def _inspect_fhir(content: bytes) -> _Embedded:
    check_elements(content, "content")
    checked = check(content, expect="Bundle")
    if not checked.ok:
        raise InvalidContent("fhir", issues=checked.issues)
    bundle = _bundles.decode(content)
    composition = decode(bytes(bundle.entry[0].resource)) if bundle.entry else {}
    if bundle.type != "document" or composition.get("resourceType") != "Composition":
        place = "Bundle.type" if bundle.type != "document" else "Bundle.entry[0].resource"
        raise InvalidContent("not-a-document", place=place)
    return _Embedded(
        type=_loinc(composition.get("type") or {}),
        title=composition.get("title", ""),
        language=composition.get("language") or bundle.language,
        date=composition.get("date", ""),
        subject=_subject(bundle.entry, composition),
        findings=tuple(Finding("fhir-warning", issue.expression, issue.diagnostics) for issue in checked.issues),
    )


class _Entry(msgspec.Struct):
    fullUrl: str = ""
    resource: msgspec.Raw = msgspec.Raw(b"{}")


class _Bundle(msgspec.Struct):
    """A FHIR document whose resources stay encoded: most need not be decoded for the validation."""

    type: str = ""
    language: str = ""
    entry: list[_Entry] = []


_bundles = msgspec.json.Decoder(_Bundle)


def _loinc(concept: Json) -> str:
    """Return the LOINC code of a concept: one that the record accepts if there is one, else the first."""
    codes = [coding.get("code", "") for coding in concept.get("coding", ()) if coding.get("system") == LOINC]
    return next((code for code in codes if category_of_type(code)), codes[0] if codes else "")


def _subject(entries: list[_Entry], composition: Json) -> Demographics | None:
    reference = (composition.get("subject") or {}).get("reference")
    patient = next(_patients(entries, reference), None) if reference else None
    return patient_demographics(patient) if patient else None


def _patients(entries: list[_Entry], reference: str) -> Iterator[Json]:
    """Yield the Patients in the document that match a reference: by full URL, or by type and id at its end."""
    for entry in entries:
        if b'"Patient"' not in bytes(entry.resource):
            continue
        resource = decode(bytes(entry.resource))
        if resource.get("resourceType") != "Patient":
            continue
        url = entry.fullUrl
        if reference == url or reference == f"Patient/{resource.get('id')}" or url.endswith(f"/{reference}"):
            yield resource


def _type(declared: str, embedded: str) -> tuple[Category, str]:
    """Return the category and LOINC type: the declared and the embedded type must be of one category."""
    code = declared or embedded
    if not code:
        raise InvalidContent("type-missing", place="type", detail=_accepted_types())
    category = category_of_type(code)
    if category is None:
        raise _unknown_type(code)
    own = category_of_type(embedded) if embedded else None
    if own is not None and own.key != category.key:
        raise InvalidContent("category-differs", place="type", detail=f"{declared}, {embedded}")
    return category, code


def check_reason(reason: str) -> str:
    """Return a reason with single spaces. Raises: `InvalidContent` when it is missing, too long or not printable."""
    text = " ".join(reason.split())
    if not text:
        raise InvalidContent("reason-missing", place="reason")
    if len(text) > MAX_REASON or not text.isprintable():
        raise InvalidContent("bad-text", place="reason")
    return text


def _unknown_type(code: str) -> InvalidContent:
    return InvalidContent("type-unknown", place="type", detail=f"{code[:40]!r} is not one of {_accepted_types()}.")


def _accepted_types() -> str:
    types = (type_ for category in CATEGORIES.values() for type_ in category.types)
    return ", ".join(f"{type_.code} ({type_.display})" for type_ in types)


def _title(text: str) -> str:
    return " ".join(text.split())[:MAX_TITLE] if text.isprintable() else ""


def _past_day(text: str) -> date | None:
    """Return the day of a FHIR date of any precision, or None when it is none.

    Raises: `InvalidContent` when the day is in the future.
    """
    try:
        day = date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return None
    if day > today():
        raise InvalidContent("future-date", place="date", detail=day.isoformat())
    return day
