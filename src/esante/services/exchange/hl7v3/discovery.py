"""Patient discovery: PRPA_IN201305UV02 and its answer PRPA_IN201306UV02 (IHE ITI-55, ITI-47), read and written."""

from lxml import etree

from esante.core.soap import Malformed
from esante.core.storage import uuid7
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
    parts,
    text_of,
    value_of,
)
from esante.services.exchange.hl7v3.model import (
    FoundPatient,
    InstanceId,
    PatientAnswer,
    PatientQuery,
    Refusal,
    ResponseCode,
)

QUERY, ANSWER = "PRPA_IN201305UV02", "PRPA_IN201306UV02"
MAX_IDS = 20
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_KNOWN = {
    "livingSubjectId": "LivingSubject.id",
    "livingSubjectAdministrativeGender": "LivingSubject.administrativeGender",
    "livingSubjectBirthTime": "LivingSubject.birthTime",
    "livingSubjectName": "LivingSubject.name",
    "patientAddress": "Patient.addr",
    "otherIDsScopingOrganization": "OtherIDs.scopingOrganization.id",
}
"""Parameters, and what each is about (semanticsText)."""


def read_query(content: etree._Element) -> PatientQuery:
    """Return the query of a message. Raises: `Malformed`."""
    check_interaction(content, QUERY)
    query = find(content, "controlActProcess/queryByParameter")
    listed = None if query is None else find(query, "parameterList")
    if query is None or listed is None:
        raise Malformed("controlActProcess: queryByParameter with parameterList is needed")
    ids = [
        InstanceId(one.get("root", ""), one.get("extension", "")) for one in find_all(listed, "livingSubjectId/value")
    ]
    if len(ids) > MAX_IDS:
        raise Malformed(f"livingSubjectId: there are more than {MAX_IDS}")
    names = [etree.QName(one).localname for one in parts(listed)]
    return PatientQuery(
        message_id=id_of(content),
        query_id=id_of(query, "queryId"),
        sender=community_of(content, "sender"),
        receiver=community_of(content, "receiver"),
        ids=ids,
        gender=value_of(listed, "livingSubjectAdministrativeGender/value", "code"),
        birth=value_of(listed, "livingSubjectBirthTime/value", "value"),
        family=text_of(listed, "livingSubjectName/value/family"),
        given=text_of(listed, "livingSubjectName/value/given"),
        country=text_of(listed, "patientAddress/value/country"),
        scopes=[one.get("root", "") for one in find_all(listed, "otherIDsScopingOrganization/value")],
        other=sorted({name for name in names if name not in _KNOWN}),
    )


def write_query(query: PatientQuery) -> etree._Element:
    """Return the message with a query."""
    root = new_message(QUERY, query.message_id, query.sender, query.receiver, acknowledge="AL")
    act = add(root, "controlActProcess", classCode="CACT", moodCode="EVN")
    add(act, "code", code="PRPA_TE201305UV02", codeSystem=INTERACTIONS)
    act.append(_query_element(query))
    return root


def read_answer(content: etree._Element, query: PatientQuery) -> PatientAnswer:
    """Return the answer of a message to a query of ours.

    The response code is not relied on, since gateways differ in it: patients are found, or there is a refusal.
    Raises: `Malformed`, also when it answers another query.
    """
    check_interaction(content, ANSWER)
    answered = id_of(content, "controlActProcess/queryAck/queryId")
    if answered != query.query_id:
        raise Malformed("queryAck: this is the answer to another query")
    people = find_all(content, "controlActProcess/subject/registrationEvent/subject1/patient")
    refusal = read_refusal(content)
    return PatientAnswer(
        query=query,
        patients=[] if refusal else [read_patient(one) for one in people],
        refusal=refusal,
        is_error=value_of(content, "acknowledgement/typeCode", "code") == "AE",
        response=_response_code(value_of(content, "controlActProcess/queryAck/queryResponseCode", "code"), people),
        home=value_of(
            content, "controlActProcess/subject/registrationEvent/custodian/assignedEntity/id", "root"
        ).removeprefix("urn:oid:"),
    )


def write_answer(answer: PatientAnswer) -> etree._Element:
    """Return the message with an answer."""
    query = answer.query
    message_id = InstanceId(str(uuid7()))
    root = new_message(ANSWER, message_id, query.receiver, query.sender, acknowledge="NE")
    acknowledgement = add(root, "acknowledgement")
    add(acknowledgement, "typeCode", code="AE" if answer.is_error else "AA")
    add_id(add(acknowledgement, "targetMessage"), "id", query.message_id)
    if answer.refusal:
        detail = add(acknowledgement, "acknowledgementDetail", typeCode="E")
        add(detail, "code", code=answer.refusal.code)
        add(detail, "text", answer.refusal.text)
    act = add(root, "controlActProcess", classCode="CACT", moodCode="EVN")
    add(act, "code", code="PRPA_TE201306UV02", codeSystem=INTERACTIONS)
    for patient in answer.patients:
        _add_patient(act, patient, answer.home)
    if answer.refusal:
        _add_refusal(act, answer.refusal)
    status = add(act, "queryAck")
    add_id(status, "queryId", query.query_id)
    add(status, "statusCode", code="deliveredResponse")
    add(status, "queryResponseCode", code=answer.response)
    act.append(_query_element(query))
    return root


def _query_element(query: PatientQuery) -> etree._Element:
    holder = etree.Element("{urn:hl7-org:v3}queryByParameter", nsmap={None: "urn:hl7-org:v3"})
    add_id(holder, "queryId", query.query_id)
    add(holder, "statusCode", code="new")
    add(holder, "responseModalityCode", code="R")
    add(holder, "responsePriorityCode", code="I")
    listed = add(holder, "parameterList")
    if query.gender:
        _add_parameter(listed, "livingSubjectAdministrativeGender", code=query.gender)
    if query.birth:
        _add_parameter(listed, "livingSubjectBirthTime", value=query.birth)
    for one in query.ids:
        _add_parameter(listed, "livingSubjectId", root=one.root, extension=one.extension)
    if query.family or query.given:
        name = _add_parameter(listed, "livingSubjectName")
        _add_texts(name, family=query.family, given=query.given)
    for scope in query.scopes:
        _add_parameter(listed, "otherIDsScopingOrganization", root=scope)
    if query.country:
        _add_texts(_add_parameter(listed, "patientAddress"), country=query.country)
    return holder


def _add_parameter(listed: etree._Element, name: str, **attributes: str) -> etree._Element:
    parameter = add(listed, name)
    value = add(parameter, "value", **attributes)
    add(parameter, "semanticsText", _KNOWN[name])
    return value


def _add_texts(parent: etree._Element, **texts: str) -> None:
    for name, text in texts.items():
        if text:
            add(parent, name, text)


def _add_patient(act: etree._Element, patient: FoundPatient, home: str) -> None:
    event = add(add(act, "subject", typeCode="SUBJ"), "registrationEvent", classCode="REG", moodCode="EVN")
    add(event, "id", nullFlavor="NA")
    add(event, "statusCode", code="active")
    holder = add(add(event, "subject1", typeCode="SBJ"), "patient", classCode="PAT")
    for one in patient.ids:
        add_id(holder, "id", one)
    add(holder, "statusCode", code="active")
    person = add(holder, "patientPerson", classCode="PSN", determinerCode="INSTANCE")
    name = add(person, "name")
    _add_texts(name, prefix=patient.prefix, family=patient.family)
    for given in patient.given:
        add(name, "given", given)
    if patient.gender:
        add(person, "administrativeGenderCode", code=patient.gender, codeSystem="2.16.840.1.113883.5.1")
    if patient.birth:
        add(person, "birthTime", value=patient.birth)
    address = add(person, "addr")
    _add_texts(address, streetAddressLine=patient.street, postalCode=patient.postal_code)
    _add_texts(address, city=patient.city, country=patient.country)
    observation = add(add(holder, "subjectOf1"), "queryMatchObservation", classCode="OBS", moodCode="EVN")
    add(observation, "code", code="IHE_PDQ")
    add(observation, "value", value="100").set(_XSI_TYPE, "INT")
    entity = add(add(event, "custodian", typeCode="CST"), "assignedEntity", classCode="ASSIGNED")
    add(entity, "id", root=home)
    add(entity, "code", code="NotHealthDataLocator", codeSystem="1.3.6.1.4.1.19376.1.2.27.2")


def _add_refusal(act: etree._Element, refusal: Refusal) -> None:
    event = add(add(act, "reasonOf", typeCode="RSON"), "detectedIssueEvent", classCode="ALRT", moodCode="EVN")
    add(event, "code", code="ActAdministrativeDetectedIssueCode", codeSystem="2.16.840.1.113883.5.4")
    mitigated = add(event, "mitigatedBy", typeCode="MITGT")
    issue = add(mitigated, "detectedIssueManagement", classCode="ACT", moodCode="EVN")
    add(issue, "code", code=refusal.management, codeSystem=refusal.management_system)


def read_refusal(content: etree._Element) -> Refusal | None:
    """Return why a message was refused, None where it was not."""
    detail = find(content, "acknowledgement/acknowledgementDetail")
    path = "controlActProcess/reasonOf/detectedIssueEvent"
    management = find(content, f"{path}/mitigatedBy/detectedIssueManagement/code")
    if management is None:
        management = find(content, f"{path}/triggerFor/actOrderRequired/code")
    if detail is None and management is None:
        return None
    text = " ".join(filter(None, (text_of(detail, "text"), text_of(detail, "location")))) if detail is not None else ""
    return Refusal(
        code=value_of(detail, "code", "code") if detail is not None else "",
        text=text,
        management="" if management is None else management.get("code", ""),
        management_system="" if management is None else management.get("codeSystem", ""),
    )


def read_patient(holder: etree._Element) -> FoundPatient:
    """Return a patient of a message. Raises: `Malformed`."""
    person = find(holder, "patientPerson")
    if person is None:
        raise Malformed("patient: patientPerson is missing")
    return FoundPatient(
        ids=[InstanceId(one.get("root", ""), one.get("extension", "")) for one in find_all(holder, "id")],
        family=text_of(person, "name/family"),
        given=[" ".join((one.text or "").split()) for one in find_all(person, "name/given")],
        prefix=text_of(person, "name/prefix"),
        gender=value_of(person, "administrativeGenderCode", "code"),
        birth=value_of(person, "birthTime", "value"),
        street=text_of(person, "addr/streetAddressLine"),
        postal_code=text_of(person, "addr/postalCode"),
        city=text_of(person, "addr/city"),
        country=text_of(person, "addr/country"),
    )


def _response_code(code: str, people: list[etree._Element]) -> ResponseCode:
    try:
        return ResponseCode(code)
    except ValueError:
        return ResponseCode.OK if people else ResponseCode.NOT_FOUND
