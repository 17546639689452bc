"""PIXv3: queries for identifiers (ITI-45) and feeds of patients (ITI-44), read and answered."""

from collections.abc import Sequence

from lxml import etree

from esante.core.soap import Malformed
from esante.core.storage import uuid7
from esante.services.exchange.hl7v3.discovery import read_patient
from esante.services.exchange.hl7v3.elements import (
    INTERACTIONS,
    add,
    add_id,
    check_interaction,
    community_of,
    find,
    find_all,
    id_of,
    new_message,
)
from esante.services.exchange.hl7v3.model import IdentifierQuery, InstanceId, PatientFeed, Refusal

IDENTIFIER_QUERY, IDENTIFIER_ANSWER = "PRPA_IN201309UV02", "PRPA_IN201310UV02"
ADDED, REVISED, MERGED = "PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02"
ACKNOWLEDGEMENT = "MCCI_IN000002UV01"
MAX_DOMAINS = MAX_IDS = 20


def read_identifier_query(content: etree._Element) -> IdentifierQuery:
    """Return the query of a message (ITI-45). Raises: `Malformed`."""
    check_interaction(content, IDENTIFIER_QUERY)
    query = find(content, "controlActProcess/queryByParameter")
    listed = None if query is None else find(query, "parameterList")
    if query is None or listed is None:
        raise Malformed("controlActProcess: queryByParameter with parameterList is needed")
    values = find_all(listed, "patientIdentifier/value")
    ids = [InstanceId(one.get("root", ""), one.get("extension", "")) for one in values]
    domains = [one.get("root", "") for one in find_all(listed, "dataSource/value")]
    if len(ids) != 1 or not (ids[0].root and ids[0].extension):
        raise Malformed("patientIdentifier: one is needed, with root and extension")
    if len(domains) > MAX_DOMAINS:
        raise Malformed(f"dataSource: there are more than {MAX_DOMAINS}")
    return IdentifierQuery(
        message_id=id_of(content),
        query_id=id_of(query, "queryId"),
        sender=community_of(content, "sender"),
        receiver=community_of(content, "receiver"),
        patient=ids[0],
        domains=domains,
    )


def write_identifier_answer(
    query: IdentifierQuery, ids: Sequence[InstanceId], refusal: Refusal | None, home: str
) -> etree._Element:
    """Return the answer to a query: identifiers, none of them (NF), or why there is no answer (AE)."""
    root = new_message(IDENTIFIER_ANSWER, InstanceId(str(uuid7())), query.receiver, query.sender, acknowledge="NE")
    _add_acknowledgement(root, query.message_id, refusal)
    act = add(root, "controlActProcess", classCode="CACT", moodCode="EVN")
    add(act, "code", code="PRPA_TE201310UV02", codeSystem=INTERACTIONS)
    if ids:
        event = add(add(act, "subject", typeCode="SUBJ"), "registrationEvent", classCode="REG", moodCode="EVN")
        add(event, "id", nullFlavor="NA")
        add(event, "statusCode", code="active")
        patient = add(add(event, "subject1", typeCode="SBJ"), "patient", classCode="PAT")
        for one in ids:
            add_id(patient, "id", one)
        add(patient, "statusCode", code="active")
        person = add(patient, "patientPerson", classCode="PSN", determinerCode="INSTANCE")
        add(person, "name", nullFlavor="NA")
        entity = add(add(event, "custodian", typeCode="CST"), "assignedEntity", classCode="ASSIGNED")
        add(entity, "id", root=home)
    status = add(act, "queryAck")
    add_id(status, "queryId", query.query_id)
    add(status, "statusCode", code="deliveredResponse")
    add(status, "queryResponseCode", code="AE" if refusal else "OK" if ids else "NF")
    act.append(_query_element(query))
    return root


def read_feed(content: etree._Element) -> PatientFeed:
    """Return what a message says of a patient (ITI-44). Raises: `Malformed`."""
    interaction = etree.QName(content).localname
    if interaction not in (ADDED, REVISED, MERGED):
        raise Malformed(f"Body: {ADDED}, {REVISED} or {MERGED} is needed")
    check_interaction(content, interaction)
    patients = find_all(content, "controlActProcess/subject/registrationEvent/subject1/patient")
    if len(patients) != 1:
        raise Malformed(f"subject: one patient is needed, there are {len(patients)}")
    patient = read_patient(patients[0])
    if not 0 < len(patient.ids) <= MAX_IDS or not all(one.root and one.extension for one in patient.ids):
        raise Malformed(f"patient: 1 to {MAX_IDS} ids with root and extension are needed")
    return PatientFeed(
        interaction=interaction,
        message_id=id_of(content),
        sender=community_of(content, "sender"),
        receiver=community_of(content, "receiver"),
        patient=patient,
    )


def write_acknowledgement(feed: PatientFeed, refusal: Refusal | None) -> etree._Element:
    """Return the acknowledgement of a feed: accepted (CA), or refused with the reason (CE)."""
    root = new_message(ACKNOWLEDGEMENT, InstanceId(str(uuid7())), feed.receiver, feed.sender, acknowledge="NE")
    _add_acknowledgement(root, feed.message_id, refusal, codes=("CA", "CE"))
    return root


def _add_acknowledgement(
    root: etree._Element, message_id: InstanceId, refusal: Refusal | None, codes: tuple[str, str] = ("AA", "AE")
) -> None:
    holder = add(root, "acknowledgement")
    add(holder, "typeCode", code=codes[1] if refusal else codes[0])
    add_id(add(holder, "targetMessage"), "id", message_id)
    if refusal:
        detail = add(holder, "acknowledgementDetail", typeCode="E")
        add(detail, "code", code=refusal.code, codeSystem="2.16.840.1.113883.12.357")
        add(detail, "text", refusal.text)


def _query_element(query: IdentifierQuery) -> etree._Element:
    holder = etree.Element("{urn:hl7-org:v3}queryByParameter", nsmap={None: "urn:hl7-org:v3"})
    add_id(holder, "queryId", query.query_id)
    add(holder, "statusCode", code="new")
    add(holder, "responsePriorityCode", code="I")
    listed = add(holder, "parameterList")
    for domain in query.domains:
        source = add(listed, "dataSource")
        add(source, "value", root=domain)
        add(source, "semanticsText", "DataSource.id")
    patient = add(listed, "patientIdentifier")
    add_id(patient, "value", query.patient)
    add(patient, "semanticsText", "Patient.id")
    return holder
