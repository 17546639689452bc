"""A person's documents as a registry lists them: entries, submission sets, and how they relate (ITI TF-3, 4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

from esante.core.xds import (
    APPROVED,
    DEPRECATED,
    HAS_MEMBER,
    REPLACES,
    Association,
    Coded,
    DocumentEntry,
    SubmissionSet,
)
from esante.identity.access import Confidentiality
from esante.services.exchange.hospital.model import LOINC_OID, V3_CONFIDENTIALITY
from esante.services.record import CATEGORIES, CATEGORY_SYSTEM, Document, Status, display_of_type

FORMAT_OID = "1.3.6.1.4.1.19376.1.2.3"
UNKNOWN = Coded("UNK", "2.16.840.1.113883.5.1008", "Unknown")
"""What the record does not know: the kind of facility, the practice setting."""
CONFIDENTIALITY = {
    Confidentiality.NORMAL: Coded("N", V3_CONFIDENTIALITY, "normal"),
    Confidentiality.RESTRICTED: Coded("R", V3_CONFIDENTIALITY, "restricted"),
    Confidentiality.HIDDEN: Coded("V", V3_CONFIDENTIALITY, "very restricted"),
}
_URI, _OID = "urn:ietf:rfc:3986", "urn:oid:"
_CDA, _XML = "application/hl7-cda+xml", "text/xml"
_SEPARATORS = str.maketrans(dict.fromkeys("^&~|\\", " "))


@dataclass(frozen=True, slots=True)
class Place:
    """Where documents are, as a registry names it: home community and repository (OIDs), the patient as CX."""

    community: str
    repository: str
    patient_id: str


@dataclass(frozen=True, slots=True)
class Holdings:
    """What of a person's documents somebody sees, in the words of a registry."""

    documents: Sequence[DocumentEntry] = ()
    submission_sets: Sequence[SubmissionSet] = ()
    associations: Sequence[Association] = ()


def holdings_of(documents: Sequence[Document], place: Place) -> Holdings:
    """Return documents of one person, all of which are visible, as entries."""
    entries = [entry_of(one, place) for one in documents]
    sets: dict[UUID, list[Document]] = {}
    for document in documents:
        sets.setdefault(document.submission_id, []).append(document)
    members = [
        _association(HAS_MEMBER, set_uuid(submission_id), one.id)
        for submission_id, listed in sets.items()
        for one in listed
    ]
    shown = {one.id for one in documents}
    replaced = [
        _association(REPLACES, one.id, one.replaces)
        for one in documents
        if one.replaces is not None and one.replaces in shown
    ]
    return Holdings(entries, [_submission_set(key, listed, place) for key, listed in sets.items()], members + replaced)


def entry_of(document: Document, place: Place) -> DocumentEntry:
    """Return a document as an entry."""
    return DocumentEntry(
        entry_uuid=document.id.urn,
        unique_id=unique_id_of(document),
        patient_id=place.patient_id,
        mime_type=mime_type_of(document),
        class_code=Coded(document.category, CATEGORY_SYSTEM, CATEGORIES[document.category].label),
        type_code=Coded(document.type, LOINC_OID, display_of_type(document.type)),
        format_code=Coded(document.format, FORMAT_OID, document.format),
        repository_id=place.repository,
        home=f"urn:oid:{place.community}",
        source_patient_id=place.patient_id,
        created=dtm(document.deposited_at),
        started=document.event_date.strftime("%Y%m%d"),
        language=document.language,
        size=document.size,
        sha1=document.sha1.hex(),
        title=document.title,
        status=APPROVED if document.status is Status.CURRENT else DEPRECATED,
        facility_type=UNKNOWN,
        practice_setting=UNKNOWN,
        confidentiality=[CONFIDENTIALITY[document.confidentiality]],
        authors=[f"{document.author_id.hex}^{_plain(document.author)}^^^^^^^&{place.community}&ISO"],
        institutions=_institutions(document, place),
    )


def unique_id_of(document: Document) -> str:
    """Return the unique id of a document: the one that its source gave, where it is an OID, else one of its key."""
    system, value = document.identifiers[0] if document.identifiers else ("", "")
    if system == _URI and value.startswith(_OID):
        return value.removeprefix(_OID)
    if system.startswith(_OID):
        return f"{system.removeprefix(_OID)}^{value}"
    return f"2.25.{document.id.int}"


def mime_type_of(document: Document) -> str:
    """Return the media type as registries write it: of a CDA document that of XML."""
    return _XML if document.media_type == _CDA else document.media_type


def media_type_of(mime_type: str) -> str:
    """Return the media type of a registry as the record writes it; "" lets the record look at the bytes."""
    base = mime_type.partition(";")[0].strip().lower()
    return _CDA if base in (_XML, "application/xml") else base


def identifier_of_unique_id(unique_id: str) -> tuple[str, str]:
    """Return a unique id as the identifier of a document (see `unique_id_of`)."""
    root, _, extension = unique_id.partition("^")
    return (f"{_OID}{root}", extension) if extension else (_URI, f"{_OID}{root}")


def set_uuid(submission_id: UUID) -> UUID:
    """Return the UUID of a submission set, which differs from that of a document that was deposited alone."""
    return uuid5(submission_id, "submission set")


def dtm(moment: datetime) -> str:
    """Return a moment as DTM, in UTC."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def _submission_set(submission_id: UUID, documents: Sequence[Document], place: Place) -> SubmissionSet:
    first = min(documents, key=lambda one: one.deposited_at)
    category = CATEGORIES[first.category]
    return SubmissionSet(
        entry_uuid=set_uuid(submission_id).urn,
        unique_id=f"2.25.{set_uuid(submission_id).int}",
        patient_id=place.patient_id,
        source_id=f"2.25.{first.depositor_id.int}",
        submitted=dtm(first.deposited_at),
        content_type=Coded(first.category, CATEGORY_SYSTEM, category.label),
        status=APPROVED,
        home=f"urn:oid:{place.community}",
        institutions=_institutions(first, place),
    )


def _institutions(document: Document, place: Place) -> list[str]:
    if document.organization_id is None:
        return []
    name = _plain(document.organization)
    return [f"{name}^^^^^&{place.community}&ISO^^^^{document.organization_id.hex}"]


def _association(kind: str, source: UUID, target: UUID) -> Association:
    return Association(kind, source.urn, target.urn, uuid5(source, f"{kind} {target}").urn)


def _plain(text: str) -> str:
    """Return a text without the separators of HL7 V2."""
    return " ".join(text.translate(_SEPARATORS).split())
