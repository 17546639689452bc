"""What depositors send over FHIR, taken apart: ITI-65 Provide Document Bundle and ITI-105 Simplified Publish.

Source: IHE MHD 4.2, ITI-65 (2:3.65) and ITI-105 (2:3.105).
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from esante.core.fhir import check, parse_logical_id
from esante.core.storage import NIL
from esante.core.web import N_, Problem
from esante.identity.access import Confidentiality
from esante.identity.directory import Directory, Practitioner
from esante.services.record import audit
from esante.services.record.categories import LOINC, category_of_type
from esante.services.record.documents.document_reference import LABEL_SYSTEM, LEVELS, LIST_SYSTEM, Resource
from esante.services.record.documents.validation import IN_THREAD, check_elements
from esante.services.record.documents.validation_messages import InvalidContent
from esante.services.record.model import FORMAT_BY_MIME_TYPE, Deposit, Entry

_NOT_KEPT = {
    "transforms": "PartialTransformContentNotProcessed: that it transforms another document is not kept.",
    "appends": "PartialAppendContentNotProcessed: that it is appended to another document is not kept.",
}


class _RawEntry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _RawBundle(msgspec.Struct):
    entry: list[_RawEntry] = []


_WHITE_SPACE = " \t\r\n"
_raw = msgspec.json.Decoder(_RawBundle)


@dataclass(frozen=True, slots=True)
class Submission:
    """What one request hands in: the person, the documents, and where in the request each one stood.

    `places` are the indexes of the DocumentReferences among the entries of the Bundle, in the order of
    `entries`; `contents` those of the Binary or Bundle of each (None: the bytes stood in the reference).
    """

    person_id: UUID
    entries: tuple[Entry, ...]
    places: tuple[int, ...] = ()
    contents: tuple[int | None, ...] = ()
    warnings: tuple[str, ...] = ()


class Decoder:
    """Takes requests apart; who is named in them is looked up in the directory."""

    def __init__(self, directory: Directory, base_url: str) -> None:
        self._directory, self._base_url = directory, base_url

    async def simplified(self, body: bytes) -> Submission:
        """The document in a DocumentReference that carries its bytes (ITI-105)."""
        reference = await _checked(body, "DocumentReference")
        attachment = _attachment(reference, "DocumentReference")
        if "data" not in attachment:
            raise malformed(
                N_("The document's bytes are missing."),
                "DocumentReference.content[0].attachment.data",
                N_("Put them there in base64, or send a transaction to /fhir."),
            )
        content = _decoded(attachment["data"], "DocumentReference.content[0].attachment.data")
        person_id = await self._person(reference.get("subject"), reference, {}, "DocumentReference.subject")
        entry, warnings = await self._entry(reference, content, person_id, "DocumentReference")
        return Submission(person_id, (entry,), warnings=warnings)

    async def provided(self, body: bytes, submission_id: UUID) -> Submission:
        """The documents of a transaction (ITI-65): a SubmissionSet, DocumentReferences, and their bytes."""
        bundle = await _checked(body, "Bundle")
        if bundle.get("type") != "transaction":
            raise malformed(
                N_("The Bundle is not a transaction."), "Bundle.type", N_("Send a Bundle of type transaction.")
            )
        entries = bundle.get("entry", [])
        raw = _raw.decode(body).entry
        by_url = {entry["fullUrl"]: index for index, entry in enumerate(entries) if "fullUrl" in entry}
        found = list(_document_references(entries))
        persons = await self._persons_of_lists(entries)
        made: list[Entry] = []
        contents: list[int | None] = []
        warnings: list[str] = []
        for index in found:
            reference, path = entries[index]["resource"], f"Bundle.entry[{index}].resource"
            content, at = _content_of(reference, entries, raw, by_url, path)
            if at is not None:  # taken: of a large document this is the largest part of the memory
                entries[at]["resource"] = {"resourceType": entries[at]["resource"]["resourceType"]}
            person_id = await self._person(reference.get("subject"), reference, _resources(entries), f"{path}.subject")
            entry, told = await self._entry(reference, content, person_id, path, submission_id)
            persons.add(person_id)
            made.append(entry)
            contents.append(at)
            warnings += told
        if len(persons) != 1:
            raise malformed(
                N_("The documents are of more than one patient."),
                "Bundle.entry",
                N_("Send a transaction of its own for each patient."),
            )
        _check_others(entries, found, contents, made)
        return Submission(persons.pop(), tuple(made), tuple(found), tuple(contents), tuple(warnings))

    async def _persons_of_lists(self, entries: list[Resource]) -> set[UUID]:
        lists = [
            (index, entry["resource"])
            for index, entry in enumerate(entries)
            if entry.get("resource", {}).get("resourceType") == "List"
        ]
        if len(lists) != 1 or not _is_submission_set(lists[0][1]):
            raise malformed(
                N_("The transaction must hold one SubmissionSet and no other List."),
                "Bundle.entry",
                N_("Add a List with code submissionset; folders are not kept here."),
            )
        index, found = lists[0]
        if "subject" not in found:
            return set()
        path = f"Bundle.entry[{index}].resource.subject"
        return {await self._person(found["subject"], found, _resources(entries), path)}

    async def _entry(
        self,
        reference: Resource,
        content: bytes,
        person_id: UUID,
        path: str,
        submission_id: UUID | None = None,
    ) -> tuple[Entry, tuple[str, ...]]:
        attachment = _attachment(reference, path)
        _check_measures(attachment, content, path)
        if reference.get("status") != "current":
            raise malformed(N_("A new document must be current."), f"{path}.status", N_("Send status current."))
        identifiers = [reference.get("masterIdentifier"), *reference.get("identifier", ())]
        author = await self._author(reference)
        meta = Deposit(
            type=_type(reference),
            title=attachment.get("title") or reference.get("description") or "",
            language=attachment.get("language") or reference.get("language") or "",
            event_date=_event_date(reference, attachment),
            media_type=attachment.get("contentType", ""),
            format=(reference["content"][0].get("format") or {}).get("code") or FORMAT_BY_MIME_TYPE,
            confidentiality=_level(reference, path),
            author_id=author.id if author else None,
            identifiers=tuple(
                (identifier["system"], identifier["value"])
                for identifier in identifiers
                if identifier and identifier.get("system") and identifier.get("value")
            ),
            submission_id=submission_id,
        )
        replaced, warnings = self._relations(reference, person_id, path)
        return Entry(content=content, meta=meta, replaces=replaced), warnings

    def _relations(self, reference: Resource, person_id: UUID, path: str) -> tuple[UUID | None, tuple[str, ...]]:
        """The document that is replaced, and a warning for each relation that is not kept."""
        replaced, warnings = [], []
        for relation in reference.get("relatesTo", ()):
            if relation.get("code") == "replaces":
                replaced.append(self._document(relation.get("target") or {}, person_id))
            else:
                warnings.append(_NOT_KEPT.get(relation.get("code", ""), "Only the relation replaces is kept."))
        if len(replaced) > 1:
            raise malformed(
                N_("A document replaces at most one other."), f"{path}.relatesTo", N_("Name one document to replace.")
            )
        return (replaced[0] if replaced else None), tuple(warnings)

    def _document(self, target: Resource, person_id: UUID) -> UUID:
        """The key in a reference to a document; one that cannot be of this record is a key of nothing."""
        keys = parse_logical_id(self._relative(target.get("reference", "")).removeprefix("DocumentReference/"))
        return keys[1] if keys and keys[0] == person_id else NIL

    async def _person(
        self, subject: Resource | None, holder: Resource, entries: Mapping[str, Resource], place: str
    ) -> UUID:
        """The person that a subject means: by reference, by identifier, or by a Patient that came along."""
        if not subject:
            raise malformed(N_("The patient is missing."), place, N_("Name the patient by reference or identifier."))
        reference = subject.get("reference", "")
        patient = _along(reference, holder, entries)
        identifiers = [subject.get("identifier"), *(patient or {}).get("identifier", ())]
        for identifier in identifiers:
            if identifier and identifier.get("system") and identifier.get("value"):
                found = await self._directory.find_person(identifier["system"], identifier["value"])
                if found is not None:
                    return found.id
        try:
            return UUID(self._relative(reference).removeprefix("Patient/"))
        except ValueError:
            raise audit.unknown_person(place) from None

    async def _author(self, reference: Resource) -> Practitioner | None:
        """The first practitioner among the authors whom the directory knows."""
        for author in reference.get("author", ()):
            target = author.get("reference", "")
            contained = _along(target, reference, {})
            identifiers = [author.get("identifier"), *(contained or {}).get("identifier", ())]
            for identifier in identifiers:
                if identifier and identifier.get("system") and identifier.get("value"):
                    found = await self._directory.find_practitioner(identifier["system"], identifier["value"])
                    if found is not None:
                        return found
            type_, _, key = self._relative(target).rpartition("/")
            if type_ == "Practitioner" and (found := await self._practitioner(key)) is not None:
                return found
        return None

    async def _practitioner(self, key: str) -> Practitioner | None:
        try:
            return await self._directory.practitioner(UUID(key))
        except ValueError:
            return None

    def _relative(self, reference: str) -> str:
        return reference.removeprefix(f"{self._base_url}/")


async def _checked(body: bytes, expect: str) -> Resource:
    """As `checked`, for what may be large."""
    return await asyncio.to_thread(checked, body, expect) if len(body) > IN_THREAD else checked(body, expect)


def checked(body: bytes, expect: str) -> Resource:
    """A request's resource after the check of R4; raises `InvalidContent` with every problem."""
    check_elements(body)
    found = check(body, expect=expect)
    if not found.ok:
        raise InvalidContent("request", issues=found.issues)
    return found.resource


def malformed(title: str, place: str, remedy: str, code: str = "invalid") -> Problem:
    """A request that is right FHIR and yet not what the transaction asks for."""
    return Problem(422, code, title, place=place, remedy=remedy)


def _document_references(entries: list[Resource]) -> Iterator[int]:
    """The indexes of the DocumentReferences to create; there must be one."""
    found = [
        index
        for index, entry in enumerate(entries)
        if entry.get("resource", {}).get("resourceType") == "DocumentReference"
        and entry.get("request", {}).get("method") == "POST"
    ]
    if not found:
        raise malformed(
            N_("The transaction holds no document."), "Bundle.entry", N_("Add a DocumentReference with method POST.")
        )
    yield from found


def _content_of(
    reference: Resource, entries: list[Resource], raw: list[_RawEntry], by_url: Mapping[str, int], path: str
) -> tuple[bytes, int | None]:
    """The bytes of a document and the index of the entry that held them; a FHIR document exactly as it was sent."""
    attachment = _attachment(reference, path)
    if "data" in attachment:
        return _decoded(attachment["data"], f"{path}.content[0].attachment.data"), None
    index = by_url.get(attachment.get("url", ""))
    resource = entries[index].get("resource", {}) if index is not None else {}
    if index is not None and resource.get("resourceType") == "Bundle":
        return bytes(raw[index].resource), index
    if index is not None and resource.get("resourceType") == "Binary":
        named, own = attachment.get("contentType"), resource.get("contentType")
        if named and own and named.partition(";")[0].strip() != own.partition(";")[0].strip():
            raise InvalidContent("media-type-differs", place=f"{path}.content[0].attachment.contentType")
        return _decoded(resource.get("data", ""), f"Bundle.entry[{index}].resource.data"), index
    raise malformed(
        N_("The document's bytes are missing."),
        f"{path}.content[0].attachment.url",
        N_("Name the fullUrl of a Binary or Bundle in the transaction."),
    )


def _check_others(
    entries: list[Resource], documents: list[int], contents: list[int | None], made: list[Entry]
) -> None:
    """Every other entry must belong to the documents: bytes, SubmissionSet, patient, or what they replace."""
    used = {*documents, *(index for index in contents if index is not None)}
    replaced = {entry.replaces.hex for entry in made if entry.replaces}
    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        type_, request = resource.get("resourceType"), entry.get("request", {})
        fine = index in used or type_ in ("List", "Patient")
        if request.get("method") in ("PUT", "PATCH"):
            fine = str(request.get("url", ""))[-32:] in replaced
        if not fine:
            raise malformed(
                N_("This does not belong into a transaction with documents."),
                f"Bundle.entry[{index}]",
                N_("Send a SubmissionSet, DocumentReferences, and the Binary or Bundle of each."),
                "not-supported",
            )


def _resources(entries: list[Resource]) -> dict[str, Resource]:
    return {entry["fullUrl"]: entry.get("resource", {}) for entry in entries if "fullUrl" in entry}


def _along(reference: str, holder: Resource, entries: Mapping[str, Resource]) -> Resource | None:
    """The resource that a reference means within the holder (contained) or the request."""
    if reference.startswith("#"):
        return next((one for one in holder.get("contained", ()) if one.get("id") == reference[1:]), None)
    return entries.get(reference)


def _attachment(reference: Resource, path: str) -> Resource:
    contents = reference.get("content", [])
    if len(contents) != 1:
        raise malformed(
            N_("A DocumentReference must hold one content."),
            f"{path}.content",
            N_("Send a DocumentReference for each document."),
        )
    attachment: Resource = contents[0].get("attachment", {})
    return attachment


def _decoded(data: str, place: str) -> bytes:
    try:
        # Strict reading knows no white space, which base64Binary may have and most senders do not put.
        compact = "".join(data.split()) if any(sign in data for sign in _WHITE_SPACE) else data
        return binascii.a2b_base64(compact, strict_mode=True)
    except (binascii.Error, ValueError):
        raise malformed(N_("This is not base64."), place, N_("Encode the bytes in base64."), "value") from None


def _check_measures(attachment: Resource, content: bytes, path: str) -> None:
    """Size and hash, where they are given, must be those of the bytes (hash: SHA-1, in base64 or hexadecimal)."""
    place = f"{path}.content[0].attachment"
    if "size" in attachment and attachment["size"] != len(content):
        raise malformed(
            N_("The size is not that of the bytes: the document is incomplete or another one."),
            f"{place}.size",
            N_("Send the whole document with its own size."),
            "value",
        )
    if "hash" in attachment:
        digest = hashlib.sha1(content, usedforsecurity=False)
        if attachment["hash"] not in (base64.b64encode(digest.digest()).decode(), digest.hexdigest()):
            raise malformed(
                N_("The hash is not that of the bytes: the document was changed on its way or is another one."),
                f"{place}.hash",
                N_("Send the document with its own SHA-1 in base64."),
                "value",
            )


def _type(reference: Resource) -> str:
    """The LOINC type that is named: one of our list if there is one; empty when none is named."""
    codings = (reference.get("type") or {}).get("coding", ())
    codes = [coding.get("code", "") for coding in codings if coding.get("system") == LOINC]
    if codings and not codes:
        return f"{codings[0].get('system', '')}|{codings[0].get('code', '')}"
    return next((code for code in codes if category_of_type(code)), codes[0] if codes else "")


def _event_date(reference: Resource, attachment: Resource) -> date | None:
    """The day of the event: the start of the service, else the document's creation."""
    period = (reference.get("context") or {}).get("period") or {}
    text = period.get("start") or attachment.get("creation") or ""
    try:
        return date.fromisoformat((text + "-01-01")[:10]) if text else None
    except ValueError:
        return None


def _level(reference: Resource, path: str) -> Confidentiality:
    """How far the document goes, from its securityLabel (v3 Confidentiality N, R, V); without one: normal."""
    for label in reference.get("securityLabel", ()):
        for coding in label.get("coding", ()):
            if coding.get("system") == LABEL_SYSTEM:
                if coding.get("code") not in LEVELS:
                    raise malformed(
                        N_("This confidentiality is not known."),
                        f"{path}.securityLabel",
                        N_("Send N, R or V of v3-Confidentiality."),
                        "code-invalid",
                    )
                return LEVELS[coding["code"]]
    return Confidentiality.NORMAL


def _is_submission_set(found: Resource) -> bool:
    codings: Any = (found.get("code") or {}).get("coding", ())
    return any(coding.get("system") == LIST_SYSTEM and coding.get("code") == "submissionset" for coding in codings)
