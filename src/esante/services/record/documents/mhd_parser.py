"""Parsing of submissions over FHIR: ITI-65 Provide Document Bundle and ITI-105 Simplified Publish.

Source: IHE MHD 4.2, ITI-65 (2:3.65) and ITI-105 (2:3.105).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from esante.core.fhir import parse_logical_id
from esante.core.fhir.rest import require_whole
from esante.core.storage import NIL
from esante.core.types import Json
from esante.core.web import N_, bad_request
from esante.identity.access import Confidentiality
from esante.identity.directory import Directory, Practitioner
from esante.services.record.categories import LOINC, category_of_type
from esante.services.record.documents.content.attachments import (
    attachment_of,
    check_size_and_hash,
    decode_base64,
    find_content,
    raw_resources,
)
from esante.services.record.documents.content.validation import IN_THREAD, parse_resource
from esante.services.record.documents.document_reference import LABEL_SYSTEM, LEVELS, LIST_SYSTEM
from esante.services.record.identification.confirmation import read_confirmation
from esante.services.record.identification.model import Demographics
from esante.services.record.identification.patient_resource import patient_demographics
from esante.services.record.model import FORMAT_BY_MIME_TYPE, Deposit, DepositItem

_IGNORED_RELATIONS = {
    "transforms": "PartialTransformContentNotProcessed: the relation to the transformed document is not stored.",
    "appends": "PartialAppendContentNotProcessed: the relation to the document it is appended to is not stored.",
}


@dataclass(frozen=True, slots=True)
class Submission:
    """The content of one request: the person, the documents, and where in the request each document was.

    `reference_indexes` are those of the DocumentReferences among the entries of the Bundle, in the order of `items`
    (empty for ITI-105); `content_indexes` those of the Binary or Bundle of each (None: the reference held the bytes).
    `warnings` are diagnostics for the response.
    """

    person_id: UUID
    items: tuple[DepositItem, ...]
    reference_indexes: tuple[int, ...] = ()
    content_indexes: tuple[int | None, ...] = ()
    warnings: tuple[str, ...] = ()


class SubmissionParser:
    """Parses submissions; persons and practitioners that they name are looked up in the directory."""

    def __init__(self, directory: Directory, base_url: str) -> None:
        self._directory, self._base_url = directory, base_url

    async def parse_iti105(self, body: bytes) -> Submission:
        """Parse a DocumentReference that holds the bytes of its document (ITI-105).

        Raises: `InvalidContent` or `Problem` 422.
        """
        reference = await _parse(body, "DocumentReference")
        attachment = attachment_of(reference, "DocumentReference")
        if "data" not in attachment:
            raise bad_request(
                "DocumentReference.content[0].attachment.data",
                N_("The content of the document is missing."),
                N_("Send the content there in base64, or send a transaction to /fhir."),
                status=422,
            )
        content = decode_base64(attachment["data"], "DocumentReference.content[0].attachment.data")
        person_id = await self._person(reference.get("subject"), reference, {}, "DocumentReference.subject")
        item, warnings = await self._item(reference, content, person_id, {}, "DocumentReference")
        return Submission(person_id, (item,), warnings=warnings)

    async def parse_iti65(self, body: bytes, submission_id: UUID) -> Submission:
        """Parse a transaction (ITI-65): a SubmissionSet, DocumentReferences, and the bytes of their documents.

        Raises: `InvalidContent` or `Problem` 422.
        """
        bundle = await _parse(body, "Bundle")
        if bundle.get("type") != "transaction":
            raise bad_request(
                "Bundle.type",
                N_("The Bundle is not a transaction."),
                N_("Send a Bundle of type transaction."),
                status=422,
            )
        entries = bundle.get("entry", [])
        for index, entry in enumerate(entries):
            require_whole(entry.get("resource", {}), f"Bundle.entry[{index}].resource")
        raw = raw_resources(body)
        by_url = {entry["fullUrl"]: index for index, entry in enumerate(entries) if "fullUrl" in entry}
        reference_indexes = _find_references(entries)
        persons = await self._persons_of_lists(entries)
        items: list[DepositItem] = []
        content_indexes: list[int | None] = []
        warnings: list[str] = []
        for index in reference_indexes:
            reference, path = entries[index]["resource"], f"Bundle.entry[{index}].resource"
            content, at = find_content(reference, entries, raw, by_url, path)
            if at is not None:  # release it: the encoded bytes of a large document take most of the memory
                entries[at]["resource"] = {"resourceType": entries[at]["resource"]["resourceType"]}
            resources = _resources(entries)
            person_id = await self._person(reference.get("subject"), reference, resources, f"{path}.subject")
            item, item_warnings = await self._item(reference, content, person_id, resources, path, submission_id)
            persons.add(person_id)
            items.append(item)
            content_indexes.append(at)
            warnings += item_warnings
        if len(persons) != 1:
            raise bad_request(
                "Bundle.entry",
                N_("The documents are about more than one patient."),
                N_("Send a separate transaction for each patient."),
                status=422,
            )
        _check_other_entries(entries, reference_indexes, content_indexes, items)
        return Submission(
            persons.pop(), tuple(items), tuple(reference_indexes), tuple(content_indexes), tuple(warnings)
        )

    async def _persons_of_lists(self, entries: list[Json]) -> set[UUID]:
        """Return the subject of the one SubmissionSet, if it names one."""
        lists = [
            (index, entry["resource"])
            for index, entry in enumerate(entries)
            if entry.get("resource", {}).get("resourceType") == "List"
        ]
        if len(lists) != 1 or not _is_submission_set(lists[0][1]):
            raise bad_request(
                "Bundle.entry",
                N_("The transaction must contain one SubmissionSet and no other List."),
                N_("Add a List with the code submissionset. Folders are not supported."),
                status=422,
            )
        index, submission_set = lists[0]
        if "subject" not in submission_set:
            return set()
        path = f"Bundle.entry[{index}].resource.subject"
        return {await self._person(submission_set["subject"], submission_set, _resources(entries), path)}

    async def _item(
        self,
        reference: Json,
        content: bytes,
        person_id: UUID,
        entries: Mapping[str, Json],
        path: str,
        submission_id: UUID | None = None,
    ) -> tuple[DepositItem, tuple[str, ...]]:
        """Return the document of a DocumentReference at `path`, and warnings; `entries`: the resources by fullUrl."""
        attachment = attachment_of(reference, path)
        check_size_and_hash(attachment, content, path)
        if reference.get("status") != "current":
            raise bad_request(
                f"{path}.status",
                N_("A new document must have the status current."),
                N_("Use the status current."),
                status=422,
            )
        identifiers = [reference.get("masterIdentifier"), *reference.get("identifier", ())]
        author = await self._author(reference)
        meta = Deposit(
            type=_type(reference),
            title=attachment.get("title") or reference.get("description") or "",
            language=attachment.get("language") or reference.get("language") or "",
            event_date=_event_date(reference, attachment),
            media_type=attachment.get("contentType", ""),
            format=(reference["content"][0].get("format") or {}).get("code") or FORMAT_BY_MIME_TYPE,
            confidentiality=_confidentiality(reference, path),
            author_id=author.id if author else None,
            identifiers=tuple(
                (identifier["system"], identifier["value"])
                for identifier in identifiers
                if identifier and identifier.get("system") and identifier.get("value")
            ),
            submission_id=submission_id,
            patients=_patients(reference, entries),
            confirmation=read_confirmation(reference, path),
        )
        replaced, warnings = self._relations(reference, person_id, path)
        return DepositItem(content=content, meta=meta, replaces=replaced), warnings

    def _relations(self, reference: Json, person_id: UUID, path: str) -> tuple[UUID | None, tuple[str, ...]]:
        """Return the document that is replaced, and a warning for each relation that is not stored."""
        replaced, warnings = [], []
        for relation in reference.get("relatesTo", ()):
            if relation.get("code") == "replaces":
                replaced.append(self._document_id(relation.get("target") or {}, person_id))
            else:
                warnings.append(
                    _IGNORED_RELATIONS.get(
                        relation.get("code", ""), "Only the relation `replaces` is stored; this one was ignored."
                    )
                )
        if len(replaced) > 1:
            raise bad_request(
                f"{path}.relatesTo",
                N_("A document can replace only one other document."),
                N_("Enter one document to replace."),
                status=422,
            )
        return (replaced[0] if replaced else None), tuple(warnings)

    def _document_id(self, target: Json, person_id: UUID) -> UUID:
        """Return the key in a reference to a document; `NIL`, which no document has, for one of another record."""
        keys = parse_logical_id(self._relative(target.get("reference", "")).removeprefix("DocumentReference/"))
        return keys[1] if keys and keys[0] == person_id else NIL

    async def _person(self, subject: Json | None, holder: Json, entries: Mapping[str, Json], place: str) -> UUID:
        """Return the person of a subject: by reference, by identifier, or by a Patient in the request.

        For a person whom the directory does not hold `NIL`: the deposit refuses them only after all else is checked,
        so that a document that cannot be stored tells nobody who is known. Raises: `Problem` 422 without a subject.
        """
        if not subject:
            raise bad_request(
                place, N_("The patient is missing."), N_("Enter the patient by reference or identifier."), status=422
            )
        reference = subject.get("reference", "")
        patient = _find_in_request(reference, holder, entries)
        identifiers = [subject.get("identifier"), *(patient or {}).get("identifier", ())]
        for identifier in identifiers:
            if identifier and identifier.get("system") and identifier.get("value"):
                person = await self._directory.find_person(identifier["system"], identifier["value"])
                if person is not None:
                    return person.id
        try:
            return UUID(self._relative(reference).removeprefix("Patient/"))
        except ValueError:
            return NIL

    async def _author(self, reference: Json) -> Practitioner | None:
        """Return the first author that is a practitioner of the directory, or None."""
        for author in reference.get("author", ()):
            target = author.get("reference", "")
            contained = _find_in_request(target, reference, {})
            identifiers = [author.get("identifier"), *(contained or {}).get("identifier", ())]
            for identifier in identifiers:
                if identifier and identifier.get("system") and identifier.get("value"):
                    practitioner = await self._directory.find_practitioner(identifier["system"], identifier["value"])
                    if practitioner is not None:
                        return practitioner
            type_, _, key = self._relative(target).rpartition("/")
            if type_ == "Practitioner" and (practitioner := await self._practitioner(key)) is not None:
                return practitioner
        return None

    async def _practitioner(self, key: str) -> Practitioner | None:
        try:
            return await self._directory.practitioner(UUID(key))
        except ValueError:
            return None

    def _relative(self, reference: str) -> str:
        return reference.removeprefix(f"{self._base_url}/")


async def _parse(body: bytes, expect: str) -> Json:
    """Parse a resource, in a thread if it is large."""
    if len(body) > IN_THREAD:
        return await asyncio.to_thread(parse_resource, body, expect)
    return parse_resource(body, expect)


def _find_references(entries: list[Json]) -> list[int]:
    """Return the indexes of the DocumentReferences to create. Raises: `Problem` 422 when there is none."""
    indexes = [
        index
        for index, entry in enumerate(entries)
        if entry.get("resource", {}).get("resourceType") == "DocumentReference"
        and entry.get("request", {}).get("method") == "POST"
    ]
    if not indexes:
        raise bad_request(
            "Bundle.entry",
            N_("The transaction does not contain a document."),
            N_("Use POST to add a DocumentReference."),
            status=422,
        )
    return indexes


def _check_other_entries(
    entries: list[Json], reference_indexes: list[int], content_indexes: list[int | None], items: list[DepositItem]
) -> None:
    """Raise `Problem` 422 for an entry that is no part of the submission.

    Allowed are the DocumentReferences and their contents, the SubmissionSet, Patients, and updates of replaced
    documents.
    """
    used = {*reference_indexes, *(index for index in content_indexes if index is not None)}
    replaced = {item.replaces.hex for item in items if item.replaces}
    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        type_, request = resource.get("resourceType"), entry.get("request", {})
        allowed = index in used or type_ in ("List", "Patient")
        if request.get("method") in ("PUT", "PATCH"):
            allowed = str(request.get("url", ""))[-32:] in replaced
        if not allowed:
            raise bad_request(
                f"Bundle.entry[{index}]",
                N_("This cannot be part of a transaction with documents."),
                N_("Send a SubmissionSet, DocumentReferences, and the Binary or Bundle of each."),
                status=422,
                code="not-supported",
            )


def _resources(entries: list[Json]) -> dict[str, Json]:
    return {entry["fullUrl"]: entry.get("resource", {}) for entry in entries if "fullUrl" in entry}


def _find_in_request(reference: str, holder: Json, entries: Mapping[str, Json]) -> Json | None:
    """Return the resource of a reference within the holder (contained) or the request, or None."""
    if reference.startswith("#"):
        return next((one for one in holder.get("contained", ()) if one.get("id") == reference[1:]), None)
    return entries.get(reference)


def _patients(reference: Json, entries: Mapping[str, Json]) -> tuple[Demographics, ...]:
    """Return what a DocumentReference says of its patient: by its subject, and by another source's Patient."""
    subject = reference.get("subject") or {}
    source = (reference.get("context") or {}).get("sourcePatientInfo") or {}
    said = [_said_by(subject, reference, entries)]
    if source and source.get("reference") != subject.get("reference"):
        said.append(_said_by(source, reference, entries))
    return tuple(said)


def _said_by(subject: Json, holder: Json, entries: Mapping[str, Json]) -> Demographics:
    """Return what a Reference to a patient and the Patient in the request say."""
    patient = dict(_find_in_request(subject.get("reference", ""), holder, entries) or {})
    identifier = [subject["identifier"]] if "identifier" in subject else []
    return patient_demographics(patient | {"identifier": [*identifier, *patient.get("identifier", ())]})


def _type(reference: Json) -> str:
    """Return the LOINC type: one that the record accepts if there is one; empty when there is no type.

    For a type without LOINC code: "system|code", which is then refused by that name.
    """
    codings = (reference.get("type") or {}).get("coding", ())
    codes = [coding.get("code", "") for coding in codings if coding.get("system") == LOINC]
    if codings and not codes:
        return f"{codings[0].get('system', '')}|{codings[0].get('code', '')}"
    return next((code for code in codes if category_of_type(code)), codes[0] if codes else "")


def _event_date(reference: Json, attachment: Json) -> date | None:
    """Return the day of the event: the start of the service, else the creation of the document, or None."""
    period = (reference.get("context") or {}).get("period") or {}
    text = period.get("start") or attachment.get("creation") or ""
    try:
        return date.fromisoformat((text + "-01-01")[:10]) if text else None
    except ValueError:
        return None


def _confidentiality(reference: Json, path: str) -> Confidentiality:
    """Return the confidentiality of the securityLabel (v3 Confidentiality N, R, V); without one: normal.

    Raises: `Problem` 422 for an unknown code.
    """
    for label in reference.get("securityLabel", ()):
        for coding in label.get("coding", ()):
            if coding.get("system") == LABEL_SYSTEM:
                if coding.get("code") not in LEVELS:
                    raise bad_request(
                        f"{path}.securityLabel",
                        N_("This confidentiality level does not exist."),
                        N_("Use N, R or V from v3-Confidentiality."),
                        status=422,
                        code="code-invalid",
                    )
                return LEVELS[coding["code"]]
    return Confidentiality.NORMAL


def _is_submission_set(resource: Json) -> bool:
    codings = (resource.get("code") or {}).get("coding", ())
    return any(coding.get("system") == LIST_SYSTEM and coding.get("code") == "submissionset" for coding in codings)
