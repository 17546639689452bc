"""The check of what comes in: whether bytes are what they are said to be, safe to keep, and whose they are."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from esante.core.fhir import MAX_ELEMENTS, check, count_elements, decode
from esante.core.web import TIME_ZONE
from esante.services.record.categories import CATEGORIES, LOINC, Category, category_of_type, display_of_type
from esante.services.record.documents.validation_messages import InvalidContent
from esante.services.record.model import KINDS, MAX_CONTENT, Deposit, Finding
from esante.services.record.rendering.worker_pool import Sandbox, Unopened

MAX_TITLE = 200
MAX_TEXT = 200
MAX_IDENTIFIERS = 20
IN_THREAD = 256 * 1024
"""Bytes from which a FHIR document is checked beside the loop and not in it."""

_ALIASES = {
    "application/xml": "application/hl7-cda+xml",
    "text/xml": "application/hl7-cda+xml",
    "image/jpg": "image/jpeg",
    "application/json": "application/fhir+json",
}
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_ZONE = ZoneInfo(TIME_ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The patient that a document names."""

    identifiers: tuple[tuple[str, str], ...] = ()
    family: str = ""
    birth_date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What is known of a document after the check; `subject` is None where it names nobody."""

    media_type: str
    category: Category
    type: str
    title: str
    language: str
    event_date: date
    subject: Subject | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inside:
    """What a document says of itself; empty where it says nothing."""

    type: str = ""
    title: str = ""
    language: str = ""
    date: str = ""
    subject: Subject | None = None
    findings: tuple[Finding, ...] = ()


async def examine(content: bytes, meta: Deposit, sandbox: Sandbox) -> Examined:
    """Check the bytes against what is said of them; raises `InvalidContent` for what cannot be taken in."""
    _check_meta(meta)
    if not content:
        raise InvalidContent("empty")
    if len(content) > MAX_CONTENT:
        raise InvalidContent("too-large", detail=f"{MAX_CONTENT:,} bytes are allowed.")
    media_type = _media_type(content, meta.media_type)
    inside = await _look_inside(KINDS[media_type], content, sandbox)
    category, type_ = _type(meta.type, inside.type)
    return Examined(
        media_type=media_type,
        category=category,
        type=type_,
        title=meta.title.strip() or _title(inside.title) or display_of_type(type_),
        language=meta.language or (inside.language if _LANGUAGE.fullmatch(inside.language) else ""),
        event_date=meta.event_date or _past_day(inside.date) or today(),
        subject=inside.subject,
        findings=inside.findings,
    )


def today() -> date:
    """The day in Luxembourg."""
    return datetime.now(_ZONE).date()


async def subject_of(content: bytes, media_type: str, sandbox: Sandbox) -> Subject | None:
    """The patient that a document which was taken in names."""
    return (await _look_inside(KINDS[media_type], content, sandbox)).subject


def _check_meta(meta: Deposit) -> None:
    texts = [("title", meta.title, MAX_TITLE), ("format", meta.format, MAX_TEXT)]
    texts += [("identifier", text, MAX_TEXT) for pair in meta.identifiers for text in pair]
    for place, text, longest in texts:
        if len(text) > longest or not text.isprintable():
            raise InvalidContent("bad-text", place=place)
    if len(meta.identifiers) > MAX_IDENTIFIERS:
        raise InvalidContent("bad-text", place="identifier", detail=f"{MAX_IDENTIFIERS} are allowed.")
    if meta.language and not _LANGUAGE.fullmatch(meta.language):
        raise InvalidContent("bad-language", place="language")
    if meta.event_date and meta.event_date > today():
        raise InvalidContent("future-date", place="date", detail=meta.event_date.isoformat())
    if meta.type and category_of_type(meta.type) is None:
        raise _unknown_type(meta.type)


def _media_type(content: bytes, named: str) -> str:
    """The media type of the bytes, which must be the one that is named, if one is."""
    name = named.partition(";")[0].strip().lower()
    name = _ALIASES.get(name, name)
    if name and name not in KINDS:
        raise InvalidContent("media-type-unknown", place="contentType", detail=name[:100])
    shown = _shown(content)
    if name == "text/plain" and shown in ("application/fhir+json", "application/hl7-cda+xml"):
        return name
    if name and name != shown:
        raise InvalidContent("media-type-differs", place="contentType", detail=f"{shown} was found.")
    return shown


def _shown(content: bytes) -> str:
    """The media type that the first bytes show."""
    for signature, media_type in _SIGNATURES:
        if content.startswith(signature):
            return media_type
    match content[:200].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]:
        case b"{":
            return "application/fhir+json"
        case b"<":
            return "application/hl7-cda+xml"
        case _:
            return "text/plain"


_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


async def _look_inside(kind: str, content: bytes, sandbox: Sandbox) -> _Inside:
    match kind:
        case "fhir" if len(content) > IN_THREAD:
            return await asyncio.to_thread(_look_into_fhir, content)
        case "fhir":
            return _look_into_fhir(content)
        case "text":
            return _look_into_text(content)
        case _:
            return await _look_by_sandbox(kind, content, sandbox)


async def _look_by_sandbox(kind: str, content: bytes, sandbox: Sandbox) -> _Inside:
    try:
        answer, _ = await sandbox.ask({"task": "look", "kind": kind}, content)
    except Unopened as error:
        raise InvalidContent("too-complex", place="content") from error
    if refused := answer.get("refused"):
        raise InvalidContent(refused[0], place="content", detail=refused[1])
    found = answer["result"]
    findings = tuple(Finding(key, "", detail) for key, detail in found.get("findings", ()))
    if kind != "cda":
        return _Inside(findings=findings)
    header = found["meta"]
    subject = Subject(
        identifiers=tuple((system, value) for system, value in header["identifiers"]),
        family=header["family"],
        birth_date=header["birth_date"],
    )
    return _Inside(
        type=header["type"],
        title=header["title"],
        language=header["language"],
        date=header["date"],
        subject=subject,
        findings=findings,
    )


def _look_into_text(content: bytes) -> _Inside:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidContent("text-not-utf8", place="content", detail=f"byte {error.start + 1}") from None
    if not text.strip():
        raise InvalidContent("empty", place="content")
    if any(ord(sign) < 32 and sign not in "\t\n\r\f" for sign in set(text)):
        raise InvalidContent("text-not-utf8", place="content")
    return _Inside()


def check_elements(content: bytes, place: str = "") -> None:
    """Raises `InvalidContent` for JSON of more elements than are looked into."""
    if count_elements(content) > MAX_ELEMENTS:
        raise InvalidContent("too-complex", place=place, detail=f"{MAX_ELEMENTS:,} elements are allowed.")


def _look_into_fhir(content: bytes) -> _Inside:
    check_elements(content, "content")
    checked = check(content, expect="Bundle")
    if not checked.ok:
        raise InvalidContent("fhir", issues=checked.issues)
    bundle = _bundles.decode(content)
    composition = decode(bytes(bundle.entry[0].resource)) if bundle.entry else {}
    if bundle.type != "document" or composition.get("resourceType") != "Composition":
        place = "Bundle.type" if bundle.type != "document" else "Bundle.entry[0].resource"
        raise InvalidContent("not-a-document", place=place)
    return _Inside(
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
    """A document whose resources are left as they are: most need not be decoded here."""

    type: str = ""
    language: str = ""
    entry: list[_Entry] = []


_bundles = msgspec.json.Decoder(_Bundle)


def _loinc(concept: dict[str, Any]) -> str:
    """The LOINC code of a concept: one of our list if there is one, else the first."""
    codes = [coding.get("code", "") for coding in concept.get("coding", ()) if coding.get("system") == LOINC]
    return next((code for code in codes if category_of_type(code)), codes[0] if codes else "")


def _subject(entries: list[_Entry], composition: dict[str, Any]) -> Subject | None:
    reference = (composition.get("subject") or {}).get("reference")
    patient = next(_patients(entries, reference), None) if reference else None
    if patient is None:
        return None
    names = patient.get("name") or [{}]
    return Subject(
        identifiers=tuple(
            (identifier["system"], identifier["value"])
            for identifier in patient.get("identifier", ())
            if "system" in identifier and "value" in identifier
        ),
        family=names[0].get("family", ""),
        birth_date=patient.get("birthDate", ""),
    )


def _patients(entries: list[_Entry], reference: str) -> Iterator[dict[str, Any]]:
    """The Patient in the document that a reference means: by full URL, or by type and id at its end."""
    for entry in entries:
        if b'"Patient"' not in bytes(entry.resource):
            continue
        resource = decode(bytes(entry.resource))
        if resource.get("resourceType") != "Patient":
            continue
        url = entry.fullUrl
        if reference == url or reference == f"Patient/{resource.get('id')}" or url.endswith(f"/{reference}"):
            yield resource


def _type(named: str, inside: str) -> tuple[Category, str]:
    """The category and LOINC type: what is named and what stands inside must be of one category."""
    code = named or inside
    if not code:
        raise InvalidContent("type-missing", place="type", detail=_allowed())
    category = category_of_type(code)
    if category is None:
        raise _unknown_type(code)
    own = category_of_type(inside) if inside else None
    if own is not None and own.key != category.key:
        raise InvalidContent("category-differs", place="type", detail=f"{named}, {inside}")
    return category, code


def _unknown_type(code: str) -> InvalidContent:
    return InvalidContent("type-unknown", place="type", detail=f"{code[:40]!r} is not one of {_allowed()}.")


def _allowed() -> str:
    types = (type_ for category in CATEGORIES.values() for type_ in category.types)
    return ", ".join(f"{type_.code} ({type_.display})" for type_ in types)


def _title(text: str) -> str:
    return " ".join(text.split())[:MAX_TITLE] if text.isprintable() else ""


def _past_day(text: str) -> date | None:
    """The day of a FHIR date of any precision, None when there is none; Problem when it is still to come."""
    try:
        day = date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return None
    if day > today():
        raise InvalidContent("future-date", place="date", detail=day.isoformat())
    return day
