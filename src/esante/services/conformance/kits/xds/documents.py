"""The documents that the kit provides for its test patient."""

import hashlib
from dataclasses import dataclass
from uuid import uuid4

from esante.core.soap import attachment_of
from esante.core.xds import (
    RIM,
    Association,
    Coded,
    DocumentEntry,
    Submission,
    SubmissionSet,
    write_association,
    write_submission,
)
from esante.services.conformance.kits.session import Session
from esante.services.conformance.kits.xds.messages import PROVIDE, SoapAnswer, post, read_answer

LOINC, SNOMED = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96"
TYPE, OTHER_TYPE = "51852-2", "11502-2"
CREATED, STARTED = "20010203101500", "20010203"
MEDIA_TYPE = "text/plain"


@dataclass(frozen=True, slots=True)
class Provided:
    """A document with its metadata, and the submission set that it is provided in."""

    entry: DocumentEntry
    submission_set: SubmissionSet
    content: bytes
    replaces: str = ""


def new_oid() -> str:
    """Return an OID that nobody has."""
    return f"2.25.{uuid4().int}"


def new_document(session: Session, title: str, *, sha1: str = "", replaces: str = "") -> Provided:
    """Return a document for the test patient; `sha1`: what is said of its bytes; `replaces`: the UUID of another."""
    patient, content = session.option("patient-cx"), f"Conformance {uuid4()}".encode()
    code = Coded(TYPE, LOINC, "Letter")
    entry = DocumentEntry(
        entry_uuid=uuid4().urn,
        unique_id=new_oid(),
        patient_id=patient,
        source_patient_id=patient,
        mime_type=MEDIA_TYPE,
        class_code=code,
        type_code=code,
        format_code=Coded("urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "MIME type"),
        facility_type=Coded("22232009", SNOMED, "Hospital"),
        practice_setting=Coded("394802001", SNOMED, "General medicine"),
        confidentiality=[Coded("N", "2.16.840.1.113883.5.25", "normal")],
        created=CREATED,
        started=STARTED,
        language="fr-LU",
        size=len(content),
        sha1=sha1 or hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        title=title,
    )
    submission_set = SubmissionSet(
        entry_uuid=uuid4().urn,
        unique_id=new_oid(),
        patient_id=patient,
        source_id="1.2.3.4",
        submitted=CREATED,
        content_type=code,
    )
    return Provided(entry, submission_set, content, replaces)


async def provide(session: Session, document: Provided, *, with_content: bool = True) -> SoapAnswer:
    """Provide a document (ITI-41), as MTOM; return the answer. Raises: `Fault`."""
    name = "document@kit"
    submission = Submission(document.submission_set, [document.entry], [])
    root = write_submission(submission, {document.entry.entry_uuid: name})
    if document.replaces:
        replacement = Association(_REPLACES, document.entry.entry_uuid, document.replaces)
        next(root.iter(f"{{{RIM}}}RegistryObjectList")).append(write_association(replacement))
    if not with_content:
        for one in root.findall("{*}Document"):
            root.remove(one)
    attachments = [attachment_of(document.content, MEDIA_TYPE, name)] if with_content else []
    return read_answer(*await post(session, PROVIDE, root, attachments))


_REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
