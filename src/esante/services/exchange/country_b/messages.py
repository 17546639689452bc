"""The messages to a contact point and what its answers mean, as steps of an encounter. Pure, and never trusting.

What an answer says about itself must fit what was asked: the home community, the query, the patient, the document.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from lxml import etree

from esante.core.soap import Malformed
from esante.core.storage import uuid7
from esante.core.xds import (
    APPROVED,
    FIND_DOCUMENTS,
    TRANSFORMS,
    Coded,
    DocumentEntry,
    DocumentRequest,
    StoredQuery,
    Submission,
    SubmissionSet,
    read_listing,
    read_response,
    read_retrieved,
    write_query,
    write_requests,
)
from esante.core.xds import write_submission as write_xds_submission
from esante.services.exchange.contact_points import ContactPoint, FieldKind, MaskField
from esante.services.exchange.country_b.errors import (
    MAX_TEXT,
    name_of,
    outcome_of_discovery,
    outcome_of_errors,
)
from esante.services.exchange.country_b.gateway import Reply
from esante.services.exchange.country_b.model import (
    DISCARD,
    DISPENSATION,
    Code,
    Document,
    Found,
    Listed,
    Outcome,
    Patient,
    Prepared,
    Retrieved,
    Settled,
)
from esante.services.exchange.hl7v3.discovery import read_answer
from esante.services.exchange.hl7v3.discovery import write_query as write_patient_query
from esante.services.exchange.hl7v3.elements import community_of
from esante.services.exchange.hl7v3.model import FoundPatient, InstanceId, PatientQuery, ResponseCode

LOINC = "2.16.840.1.113883.6.1"
_OPEN, _CLOSED = (f"urn:ihe:iti:xdw:2011:eventCode:{name}" for name in ("open", "closed"))
_NAMES = {"family": "family", "surname": "family", "lastname": "family", "given": "given", "firstname": "given"}
"""What a text field of a mask asks for, by a part of its label."""
_SEXES = {"male": "M", "female": "F", "other": "UN", "unknown": "UN"}
CONTENT_ID = "document@esante"


class Wrong(Exception):
    """An answer that does not fit what was asked; the text is for the journal."""


def parameter_of(field: MaskField) -> str:
    """Return the parameter of a discovery that a field of a mask fills, "" where there is none for it."""
    if field.kind is not FieldKind.TEXT:
        return {FieldKind.ID: "id", FieldKind.BIRTH_DATE: "birth", FieldKind.SEX: "gender"}[field.kind]
    label = field.label.lower()
    return next((name for part, name in _NAMES.items() if part in label), "")


def discovery_query(point: ContactPoint, own_home: str, values: Mapping[int, str]) -> PatientQuery:
    """Return the query for a patient; `values`: what the patient said, by the place of the field in the mask."""
    ids, others = [], dict[str, str]()
    for place, value in values.items():
        field = point.mask[place]
        name = parameter_of(field)
        if name == "id":
            ids.append(InstanceId(field.domain, value))
        elif name == "birth":
            others[name] = value.replace("-", "")
        elif name:
            others[name] = _SEXES.get(value, value) if name == "gender" else value
    return PatientQuery(
        message_id=InstanceId(str(uuid7())),
        query_id=InstanceId(own_home, str(uuid7())),
        sender=own_home,
        receiver=point.home,
        ids=ids,
        **others,
    )


def write_discovery(query: PatientQuery) -> etree._Element:
    """Return the message of a discovery (ITI-55)."""
    return write_patient_query(query)


def read_discovery(reply: Reply, query: PatientQuery, point: ContactPoint) -> Found:
    """Return what a contact point answered to a discovery. Raises: `Malformed`, `Wrong`."""
    answer = read_answer(reply.content, query)
    for home in (community_of(reply.content, "sender"), answer.home):
        if home and home.removeprefix("urn:oid:") != point.home:
            raise Wrong("another community answered")
    if answer.refusal is not None:
        outcome = outcome_of_discovery(answer.refusal.code, answer.refusal.management)
        is_error = answer.is_error and outcome is not Outcome.NO_MATCH
        code = answer.refusal.code or answer.refusal.management or ("ERROR_PI_GENERIC" if is_error else "")
        return Found(outcome=outcome, code=code[:60], text=answer.refusal.text[:MAX_TEXT])
    if len(answer.patients) > 1:
        return Found(outcome=Outcome.MULTIPLE, code="ERROR_PI_MULTIPLE_MATCHES")
    if not answer.patients:
        if answer.is_error or answer.response is ResponseCode.OK:
            return Found(outcome=Outcome.FAILED, code="ERROR_PI_GENERIC")
        return Found(outcome=Outcome.NO_MATCH, code="ERROR_PI_NO_MATCH")
    return Found(outcome=Outcome.IDENTIFIED, patient=_patient(answer.patients[0], query))


def write_list(patient: Patient, class_code: str) -> etree._Element:
    """Return the message that lists the documents of a class (ITI-38)."""
    parameters = {
        "$XDSDocumentEntryPatientId": [patient.cx],
        "$XDSDocumentEntryStatus": [APPROVED],
        "$XDSDocumentEntryClassCode": [f"{class_code}^^{LOINC}"],
    }
    return write_query(StoredQuery(FIND_DOCUMENTS, parameters))


def read_list(reply: Reply, class_code: str, patient: Patient, point: ContactPoint) -> Listed:
    """Return what a contact point answered to a list. Raises: `Malformed`, `Wrong`."""
    listing = read_listing(reply.content)
    for one in listing.documents:
        _check_home(one.home, point)
        named = {one.patient_id, one.source_patient_id} - {""}
        if named and patient.cx not in named:  # gateways put an identifier of their own into one of the two
            raise Wrong("the list has a document of another patient")
    entries = [one for one in listing.documents if one.class_code.code == class_code]
    if len({one.unique_id for one in entries}) != len(entries) or not all(one.unique_id for one in entries):
        raise Wrong("the list has documents without an identifier of their own")
    if not entries:
        if not listing.errors and not listing.is_failure:
            return Listed(class_code=class_code, outcome=Outcome.EMPTY)
        outcome, code, text = outcome_of_errors(listing.errors)
        return Listed(class_code=class_code, outcome=outcome, code=code, text=text)
    names = {one.entry_uuid: one.unique_id for one in entries}
    pairs = dict[str, str]()
    for association in listing.associations:
        source, target = names.get(association.source), names.get(association.target)
        if association.type == TRANSFORMS and source and target:
            pairs |= {source: target, target: source}
    documents = tuple(_document(one, pairs.get(one.unique_id, "")) for one in entries)
    text = next((one.context[:MAX_TEXT] for one in listing.errors), "")
    code = next((name_of(one) for one in listing.errors), "")
    return Listed(class_code=class_code, outcome=Outcome.LISTED, documents=documents, code=code, text=text)


def write_retrieval(document: Document, point: ContactPoint) -> etree._Element:
    """Return the message that retrieves a document (ITI-39)."""
    request = DocumentRequest(f"urn:oid:{point.home}", document.repository_id, document.unique_id)
    return write_requests([request])


def read_retrieval(reply: Reply, document: Document, point: ContactPoint) -> tuple[Retrieved, bytes]:
    """Return what a contact point answered to a retrieval, and the bytes of the document.

    Raises: `Malformed`, `Wrong`.
    """
    found = read_retrieved(reply.content, reply.package)
    if not found.documents:
        outcome, code, text = outcome_of_errors(found.errors)
        outcome = Outcome.FAILED if outcome is Outcome.EMPTY else outcome
        return Retrieved(unique_id=document.unique_id, outcome=outcome, code=code, text=text), b""
    if len(found.documents) != 1 or found.documents[0].unique_id != document.unique_id:
        raise Wrong("the answer has other documents than the one that was asked for")
    _check_home(found.documents[0].home, point)
    return Retrieved(unique_id=document.unique_id, outcome=Outcome.RETRIEVED), found.documents[0].content


def write_submission(
    prepared: Prepared, patient: Patient, own: tuple[str, str], author: tuple[str, str], at: datetime, size: int
) -> etree._Element:
    """Return the message with a dispensation or a discard (ITI-41); its document is an attachment.

    `own`: country and home community of this contact point. `author`: the professional (XCN), the organisation (XON).
    The identifier of the submission is that of the document, so that a repeated message is recognised as the same.
    """
    is_discard = bool(prepared.discards)
    moment = at.strftime("%Y%m%d%H%M%S")
    code = Coded(DISCARD, LOINC, "Discard of a dispensation") if is_discard else _CODE
    entry = DocumentEntry(
        entry_uuid=uuid7().urn,
        unique_id=prepared.document_id,
        patient_id=patient.cx,
        source_patient_id=patient.cx,
        source_patient_info=_patient_info(patient),
        mime_type="text/xml",
        class_code=code,
        type_code=code,
        format_code=Coded(_FORMATS[is_discard], "eHDSI formatCodes"),
        created=moment,
        language="en",
        size=size,
        title=code.display,
        status=APPROVED,
        home=f"urn:oid:{own[1]}",
        repository_id=own[1],
        facility_type=Coded(own[0], "1.0.3166.1"),
        practice_setting=Coded("Not Used", "eHDSI Practice Setting Codes-Not Used", "Not Used"),
        confidentiality=[Coded("N", "2.16.840.1.113883.5.25", "Normal")],
        authors=[author[0]],
        institutions=[author[1]],
    )
    submission_set = SubmissionSet(
        entry_uuid=uuid7().urn,
        unique_id=prepared.document_id,
        patient_id=patient.cx,
        source_id=own[1],
        submitted=moment,
        title=code.display,
        content_type=code,
        status=APPROVED,
        authors=entry.authors,
        institutions=entry.institutions,
    )
    return write_xds_submission(Submission(submission_set, [entry], []), {entry.entry_uuid: CONTENT_ID})


def read_submission(reply: Reply, document_id: str) -> Settled:
    """Return what a contact point answered to a dispensation or a discard. Raises: `Malformed`."""
    is_success, errors = read_response(reply.content)
    if is_success:
        return Settled(document_id=document_id, outcome=Outcome.ACKNOWLEDGED)
    worst = next((one for one in errors if not one.is_warning), errors[0] if errors else None)
    code, text = (name_of(worst), worst.context[:MAX_TEXT]) if worst else ("ERROR_GENERIC", "")
    return Settled(document_id=document_id, outcome=Outcome.REFUSED, code=code, text=text)


_CODE = Coded(DISPENSATION, LOINC, "Medication dispensed")
_FORMATS = ("urn:epSOS:ep:dis:2010", "urn:eHDSI:ed:discard:2020")


def _patient(found: FoundPatient, query: PatientQuery) -> Patient:
    """Return a patient with the identifier to use: one of a domain that was asked for, else the first.

    Some countries leave out the domain of an identifier: then it is that of the one that was asked for.
    """
    asked = [one.root for one in query.ids]
    ids = [InstanceId(one.root or (asked[0] if len(asked) == 1 else ""), one.extension) for one in found.ids]
    usable = [one for one in ids if one.root and one.extension and not set("^&'") & set(one.root + one.extension)]
    chosen = next((one for one in usable if one.root in asked), usable[0] if usable else None)
    if chosen is None:
        raise Malformed("patient: an id with its root is needed")
    return Patient(
        cx=chosen.cx,
        family=found.family[:100],
        given=tuple(one[:100] for one in found.given[:10]),
        gender=found.gender[:10],
        birth=found.birth[:20],
        city=found.city[:100],
        country=found.country[:60],
    )


def _document(entry: DocumentEntry, pair_id: str) -> Document:
    events = tuple(Code(one.code[:100], one.system[:100], one.display[:200]) for one in entry.events[:50])
    states = [one for one in entry.events if one.code in (_OPEN, _CLOSED)]
    is_open = states[0].code == _OPEN if len(states) == 1 else None
    display = states[0].display if len(states) == 1 else ""
    return Document(
        unique_id=entry.unique_id,
        repository_id=entry.repository_id,
        home=entry.home,
        class_code=entry.class_code.code,
        format_code=entry.format_code.code,
        title=entry.title[:200],
        description=entry.description[:500],
        created=entry.created[:20],
        language=entry.language[:20],
        size=entry.size,
        authors=tuple(one[:200] for one in entry.authors[:5]),
        pair_id=pair_id,
        is_dispensable=is_open,
        reason="" if is_open or display.lower() in ("", "closed", _CLOSED.lower()) else display[:200],
        events=tuple(one for one in events if one.code not in (_OPEN, _CLOSED)),
    )


def _patient_info(patient: Patient) -> Sequence[str]:
    name = f"{patient.family}^{' '.join(patient.given)}"
    return [f"PID-3|{patient.cx}", f"PID-5|{name}", *([f"PID-7|{patient.birth}"] if patient.birth else [])]


def _check_home(home: str, point: ContactPoint) -> None:
    if home and home.removeprefix("urn:oid:") != point.home:
        raise Wrong("another community answered")
