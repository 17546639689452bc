"""What ITI-41 submits, as deposits of the record: metadata read and compared with the bytes (ITI TF-3, 4.2)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from esante.core.soap import Malformed
from esante.core.xds import HAS_MEMBER, REPLACES, Coded, DocumentEntry, RegistryError, Submission
from esante.identity.access import Confidentiality
from esante.services.exchange.hospital.entries import (
    CONFIDENTIALITY,
    FORMAT_OID,
    identifier_of_unique_id,
    media_type_of,
)
from esante.services.exchange.hospital.model import LOINC_OID
from esante.services.exchange.hospital.patients import read_cx
from esante.services.record import FORMAT_BY_MIME_TYPE, Demographics, Deposit, PersonName

MAX_UNIQUE_ID = 128
_LEVELS = {(one.code, one.system): level for level, one in CONFIDENTIALITY.items()}
_SEXES = {"M": "male", "F": "female", "O": "other", "U": "unknown"}


@dataclass(frozen=True, slots=True)
class Provided:
    """A document that is submitted: its entry, its bytes, and the UUID of the entry that it replaces ("": none)."""

    entry: DocumentEntry
    content: bytes
    replaces: str


class Rejected(Exception):
    """A submission that is refused by an error of the profile."""

    def __init__(self, code: str, context: str, location: str = "") -> None:
        super().__init__(context)
        self.error = RegistryError(code, context, location[:200])


def provided_documents(
    submission: Submission, contents: Mapping[str, bytes]
) -> tuple[Sequence[Provided], Sequence[RegistryError]]:
    """Return the documents of a submission, and warnings of what is not kept. Raises: `Rejected`, `Malformed`."""
    entries = {one.entry_uuid: one for one in submission.documents}
    if not entries or len(entries) != len(submission.documents):
        raise Malformed("ExtrinsicObject: each document needs an id of its own, and one document is needed")
    if contents.keys() - entries.keys():
        raise Malformed("Document: one has no ExtrinsicObject of its id")
    _check_patient(submission)
    members, replaced, warnings = _relations(submission, entries)
    found = []
    for uuid, entry in entries.items():
        if uuid not in members:
            raise Rejected("XDSRegistryMetadataError", "The submission set does not have this document.", uuid)
        if uuid not in contents:
            raise Rejected("XDSMissingDocument", "The bytes of this document are missing.", uuid)
        _check_entry(entry, contents[uuid])
        found.append(Provided(entry, contents[uuid], replaced.get(uuid, "")))
    unique_ids = [one.unique_id for one in submission.documents]
    for unique_id in unique_ids:
        if unique_ids.count(unique_id) > 1:
            raise Rejected("XDSDuplicateUniqueIdInRegistry", "Two documents have this unique id.", unique_id)
    return found, warnings


def deposit_of(
    provided: Provided, author_id: UUID | None, submission_id: UUID, patients: Sequence[Demographics]
) -> Deposit:
    """Return the metadata of a document as the record takes them. Raises: `Rejected` for a code that is not known."""
    entry = provided.entry
    return Deposit(
        type=_loinc(entry),
        title=entry.title,
        language=entry.language,
        event_date=_day(entry.started or entry.created),
        media_type=media_type_of(entry.mime_type),
        format=entry.format_code.code if entry.format_code.system == FORMAT_OID else FORMAT_BY_MIME_TYPE,
        confidentiality=_confidentiality(entry),
        author_id=author_id,
        identifiers=(identifier_of_unique_id(entry.unique_id),),
        submission_id=submission_id,
        patients=tuple(patients),
    )


def demographics_of(entry: DocumentEntry) -> Demographics:
    """Return what an entry says of its patient in sourcePatientInfo (PID-3, PID-5, PID-7, PID-8)."""
    fields = {
        name: value for name, _, value in (one.partition("|") for one in entry.source_patient_info) if value.strip()
    }
    identifiers = [read_cx(one) for one in fields.get("PID-3", "").split("~") if one]
    family, given = (*fields.get("PID-5", "").split("~")[0].split("^"), "", "")[:2]
    birth = "".join(char for char in fields.get("PID-7", "") if char.isdigit())[:8]
    return Demographics(
        identifiers=tuple((f"urn:oid:{one.root}", one.extension) for one in identifiers if one.root),
        names=(PersonName(family=family, given=tuple(given.split())),) if family or given else (),
        birth_date="-".join(filter(None, (birth[:4], birth[4:6], birth[6:8]))),
        sex=_SEXES.get(fields.get("PID-8", "").strip(), ""),
    )


def _check_patient(submission: Submission) -> None:
    """Refuse a submission that is not about one patient."""
    patients = {one.patient_id for one in submission.documents} | {submission.submission_set.patient_id}
    if len(patients) != 1 or "" in patients:
        raise Rejected("XDSPatientIdDoesNotMatch", "Submission set and documents must have the same patientId.")


def _relations(
    submission: Submission, entries: Mapping[str, DocumentEntry]
) -> tuple[set[str], dict[str, str], list[RegistryError]]:
    """Return which documents are members, which replaces which, and warnings of relations that are not kept."""
    members: set[str] = set()
    replaced: dict[str, str] = {}
    warnings: list[RegistryError] = []
    for one in submission.associations:
        if one.type == HAS_MEMBER:
            if one.source != submission.submission_set.entry_uuid or one.target not in entries:
                raise Rejected("XDSRegistryMetadataError", "HasMember must name the submission set and a document.")
            members.add(one.target)
        elif one.type == REPLACES:
            if one.source not in entries or one.source in replaced or one.target in entries:
                context = "A document replaces one document that is in the registry."
                raise Rejected("XDSRegistryMetadataError", context, one.source)
            replaced[one.source] = one.target
        else:
            context = f"The association {one.type[-60:]} is not kept; the document is."
            warnings.append(RegistryError("XDSRegistryMetadataError", context, one.source[:200], is_warning=True))
    return members, replaced, warnings


def _check_entry(entry: DocumentEntry, content: bytes) -> None:
    """Compare what an entry says of its bytes with them."""
    root = entry.unique_id.partition("^")[0]
    if not root or len(entry.unique_id) > MAX_UNIQUE_ID or not all(part.isdigit() for part in root.split(".")):
        raise Rejected("XDSRegistryMetadataError", "uniqueId must be an OID.", entry.entry_uuid)
    if entry.size is not None and entry.size != len(content):
        context = f"size says {entry.size} bytes, and there are {len(content)}."
        raise Rejected("XDSRepositoryMetadataError", context, entry.entry_uuid)
    if entry.sha1 and entry.sha1.lower() != hashlib.sha1(content, usedforsecurity=False).hexdigest():
        raise Rejected("XDSRepositoryMetadataError", "hash is not the SHA-1 of the document.", entry.entry_uuid)


def _loinc(entry: DocumentEntry) -> str:
    """Return the LOINC code of a document: of its type, or else of its class."""
    for coded in (entry.type_code, entry.class_code):
        if coded.system in (LOINC_OID, "LOINC", "http://loinc.org"):
            return coded.code
    raise Rejected("XDSRegistryMetadataError", _unknown("typeCode", entry.type_code, "use LOINC"), entry.entry_uuid)


def _confidentiality(entry: DocumentEntry) -> Confidentiality:
    levels = {_LEVELS.get((one.code, one.system)) for one in entry.confidentiality}
    if not levels:
        return Confidentiality.NORMAL
    if len(levels) > 1 or None in levels:
        remedy = "use one of N, R, V of 2.16.840.1.113883.5.25"
        found = _unknown("confidentialityCode", entry.confidentiality[0], remedy)
        raise Rejected("XDSRegistryMetadataError", found, entry.entry_uuid)
    return next(level for level in levels if level)


def _unknown(name: str, coded: Coded, remedy: str) -> str:
    return f"{name}: {coded.code[:40]} of {coded.system[:60]} is not known here; {remedy}."


def _day(dtm: str) -> date | None:
    try:
        return date(int(dtm[:4]), int(dtm[4:6] or 1), int(dtm[6:8] or 1)) if dtm else None
    except ValueError as error:
        raise Rejected("XDSRegistryMetadataError", f"{dtm[:20]} is no time (YYYYMMDDhhmmss).") from error
