"""PIXv3 and PDQv3 over HTTP: who a patient is, and the numbers that hospitals have for them."""

import itertools
import re
from datetime import date

import pytest
from lxml import etree

from esante.core.storage import uuid7
from esante.identity.directory import Identifier, PersonSearched, matricule
from esante.services.exchange.hospital.model import IdentifiersLinked
from tests.services.exchange.hospital.conftest import COMMUNITY
from tests.services.exchange.hospital.messages import (
    SOAP_XML,
    body_of,
    cx_of,
    demographics,
    entries_of,
    envelope,
    find_documents,
    v3_message,
)

PATH, NATIONAL, OWN = "/api/xds/patients", "1.3.182.4.4", "1.2.3.4.5"
_SERIALS = itertools.count(1)
V3 = "{urn:hl7-org:v3}"


def message(kind: str, inner: str) -> bytes:
    return envelope(v3_message(kind, inner))


def identifiers_query(root: str, extension: str, *domains: str) -> bytes:
    sources = "".join(f'<dataSource><value root="{one}"/></dataSource>' for one in domains)
    patient = f'<patientIdentifier><value root="{root}" extension="{extension}"/></patientIdentifier>'
    query = '<queryByParameter><queryId root="1.2.4" extension="7"/>'
    return message("PRPA_IN201309UV02", f"{query}<parameterList>{sources}{patient}</parameterList></queryByParameter>")


def demographics_query(parameters: str) -> bytes:
    return envelope(demographics(parameters))


def feed(ids: list[tuple[str, str]], kind: str = "PRPA_IN201301UV02", **said: str) -> bytes:
    fields = {"family": "Weber", "given": "Anna", "birth": "19800517", "gender": "F"} | said
    listed = "".join(f'<id root="{root}" extension="{extension}"/>' for root, extension in ids)
    return message(
        kind,
        f"<subject><registrationEvent><subject1><patient>{listed}<patientPerson><name><given>{fields['given']}</given>"
        f'<family>{fields["family"]}</family></name><administrativeGenderCode code="{fields["gender"]}"/>'
        f'<birthTime value="{fields["birth"]}"/></patientPerson></patient></subject1></registrationEvent></subject>',
    )


async def ask(systems, requester, body: bytes) -> etree._Element:
    async with systems.client(requester) as client:
        return body_of(await client.post(PATH, content=body, headers=SOAP_XML))


def code_of(answer: etree._Element, path: str) -> str:
    return answer.find("/".join(f"{V3}{name}" for name in path.split("/"))).get("code")


def ids_of(answer: etree._Element) -> set[tuple[str, str]]:
    return {(one.get("root"), one.get("extension")) for one in answer.iterfind(f".//{V3}subject1/{V3}patient/{V3}id")}


@pytest.fixture
async def patient(world):
    """A person with a matricule, and that."""
    number = matricule(date(1980, 5, 17), next(_SERIALS))
    person = await world.person(identifiers=[Identifier("urn:oid:1.3.182.4.4", number)])
    await world.into_circle(person, world.people["doctor_entry"])
    return person, number


async def test_national_number_leads_to_the_other_identifiers(systems, world, patient):
    person, number = patient
    answer = await ask(systems, world.people["hospital"], identifiers_query(NATIONAL, number))
    assert code_of(answer, "controlActProcess/queryAck/queryResponseCode") == "OK"
    assert ids_of(answer) == {(COMMUNITY, person.id.hex)}
    assert len(await world.events(person, PersonSearched)) == 1
    none = await ask(systems, world.people["hospital"], identifiers_query(NATIONAL, number, NATIONAL))
    assert code_of(none, "controlActProcess/queryAck/queryResponseCode") == "NF"


async def test_unknown_patient_and_unknown_issuer_are_errors(systems, world, patient):
    _, number = patient
    for body in (identifiers_query(NATIONAL, "1"), identifiers_query(NATIONAL, number, "1.9.9")):
        answer = await ask(systems, world.people["hospital"], body)
        assert code_of(answer, "acknowledgement/typeCode") == "AE"
        assert code_of(answer, "acknowledgement/acknowledgementDetail/code") == "204"


async def test_own_number_is_kept_and_finds_the_patient_for_this_hospital_only(systems, world, patient):
    person, number = patient
    own = uuid7().hex[-12:]
    hospital, laboratory = world.people["hospital"], world.people["laboratory"]
    answer = await ask(systems, hospital, feed([(NATIONAL, number), (OWN, own)]))
    assert code_of(answer, "acknowledgement/typeCode") == "CA"
    [(_, event)] = await world.events(person, IdentifiersLinked)
    assert event.allowed
    found = await ask(systems, hospital, identifiers_query(OWN, own, NATIONAL))
    assert ids_of(found) == {(NATIONAL, number)}
    other = await ask(systems, laboratory, identifiers_query(OWN, own))
    assert code_of(other, "acknowledgement/typeCode") == "AE"
    async with systems.client(hospital) as client:
        query = envelope(find_documents(f"{own}^^^&{OWN}&ISO"))
        assert entries_of(body_of(await client.post("/api/xds/registry", content=query, headers=SOAP_XML))) == []


@pytest.mark.parametrize("said", [{"family": "Klein"}, {"birth": "19800518"}, {"gender": "M"}, {"birth": "1980"}])
async def test_other_demographics_and_unknown_persons_are_refused_alike(systems, world, patient, said):
    person, number = patient
    nobody = matricule(date(1980, 5, 17), 999)
    answers = []
    for known in (number, nobody):
        answer = await ask(systems, world.people["hospital"], feed([(NATIONAL, known), (OWN, "1")], **said))
        text = etree.tostring(answer.find(f"{V3}acknowledgement")).decode()
        answers.append(re.sub(r'extension="[^"]*"', "", text))
    assert "204" in answers[0]
    assert answers[0] == answers[1]
    assert not [event for _, event in await world.events(person, IdentifiersLinked) if event.allowed]


async def test_own_number_moves_to_another_patient_by_a_revision_only(systems, world, patient):
    (person, number), hospital, own = patient, world.people["hospital"], uuid7().hex[-12:]
    second = matricule(date(1980, 5, 17), next(_SERIALS))
    other = await world.person(identifiers=[Identifier("urn:oid:1.3.182.4.4", second)])
    await ask(systems, hospital, feed([(NATIONAL, number), (OWN, own)]))
    refused = await ask(systems, hospital, feed([(NATIONAL, second), (OWN, own)]))
    assert code_of(refused, "acknowledgement/acknowledgementDetail/code") == "205"
    moved = await ask(systems, hospital, feed([(NATIONAL, second), (OWN, own)], kind="PRPA_IN201302UV02"))
    assert code_of(moved, "acknowledgement/typeCode") == "CA"
    assert ids_of(await ask(systems, hospital, identifiers_query(OWN, own, COMMUNITY))) == {(COMMUNITY, other.id.hex)}
    assert person.id != other.id


async def test_merge_is_refused_with_the_reason(systems, world, patient):
    _, number = patient
    body = feed([(NATIONAL, number), (OWN, "1")], kind="PRPA_IN201304UV02")
    answer = await ask(systems, world.people["hospital"], body)
    assert code_of(answer, "acknowledgement/typeCode") == "CE"
    assert "not merged" in "".join(answer.itertext())


async def test_demographics_find_whom_they_match_exactly(systems, world, patient):
    person, number = patient
    by_id = f'<livingSubjectId><value root="{NATIONAL}" extension="{number}"/></livingSubjectId>'
    by_name = (
        "<livingSubjectName><value><family>Weber</family><given>Anna</given></value></livingSubjectName>"
        '<livingSubjectBirthTime><value value="19800517"/></livingSubjectBirthTime>'
    )
    for parameters in (by_id, by_name):
        answer = await ask(systems, world.people["hospital"], demographics_query(parameters))
        assert (NATIONAL, number) in ids_of(answer)
        assert code_of(answer, "controlActProcess/queryAck/queryResponseCode") == "OK"
    nobody = by_id.replace(number, matricule(date(1980, 5, 17), 999))
    answer = await ask(systems, world.people["hospital"], demographics_query(nobody))
    assert code_of(answer, "controlActProcess/queryAck/queryResponseCode") == "NF"
    assert person.family == "Weber"


@pytest.mark.parametrize(
    "parameters",
    [
        "<livingSubjectName><value><family>Weber</family></value></livingSubjectName>",
        '<livingSubjectId><value root="1.2" extension="1"/></livingSubjectId><mothersMaidenName/>',
        '<livingSubjectId><value root="1.2" extension="1"/></livingSubjectId>'
        '<otherIDsScopingOrganization><value root="1.9.9"/></otherIDsScopingOrganization>',
    ],
)
async def test_query_that_cannot_be_answered_says_why(systems, world, parameters):
    answer = await ask(systems, world.people["hospital"], demographics_query(parameters))
    assert code_of(answer, "acknowledgement/typeCode") == "AE"
    assert answer.findtext(f"{V3}acknowledgement/{V3}acknowledgementDetail/{V3}text")


async def test_patient_finds_nobody_but_themselves(systems, world, patient):
    person, number = patient
    from esante.identity.access import requester_of

    other = await world.person("Klein")
    answer = await ask(systems, requester_of(other), identifiers_query(NATIONAL, number))
    assert code_of(answer, "acknowledgement/typeCode") == "AE"
    assert cx_of(person)
