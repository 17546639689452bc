"""What the recorded answers of contact points become, and what answers that do not fit the question become."""

import base64
import re

import pytest
from lxml import etree

from esante.core import clock
from esante.core.soap import WSSE
from esante.core.web import Problem
from esante.services.exchange.assertions.check import check_professional, check_treatment
from esante.services.exchange.assertions.reader import read_assertions
from esante.services.exchange.assertions.rules import Act, rules_on
from esante.services.exchange.country_b.model import PRESCRIPTION, SUMMARY, Outcome
from esante.services.exchange.country_b.readable import read_document
from esante.services.exchange.terminology import sample_catalogue
from tests.support.encounters import DOMAIN, HOME, PATIENT, build_world, recorded

CX = f"{PATIENT}^^^&{DOMAIN}&ISO"


@pytest.mark.parametrize(
    ("name", "outcome", "code"),
    [
        ("PRPA_IN201306UV02_4.xml", Outcome.NO_MATCH, "ERROR_PI_NO_MATCH"),
        ("PRPA_IN201306UV02_42.xml", Outcome.FAILED, "ERROR_PI_GENERIC"),
        ("PRPA_IN201306UV02_43.xml", Outcome.FAILED, "ERROR_PI_GENERIC"),
        ("PRPA_IN201306UV02_5.xml", Outcome.FAILED, "NS250"),
    ],
)
async def test_recorded_refusal_of_a_discovery(world, process, shared_data, name, outcome, code):
    process.answer("ITI-55", recorded(shared_data, name))
    found = (await world.discover()).found
    assert (found.outcome, found.code) == (outcome, code)
    assert found.text and found.patient is None


async def test_recorded_match_gives_the_identifier_to_use(world):
    found = (await world.discover()).found
    assert found.outcome is Outcome.IDENTIFIED
    assert found.patient.cx == CX and found.patient.birth == "19670630"
    assert found.patient.family == "GõdofskýTEST-ONLY"


async def test_identifier_of_the_answer_replaces_the_one_asked_for(world, process, shared_data):
    body = recorded(shared_data, "PRPA_IN201306UV02.xml")
    process.answer("ITI-55", body.replace('extension="X110571344|ABC123"', 'root="2.999.77" extension="other"'))
    encounter = await world.discover()
    assert encounter.patient.cx == "other^^^&2.999.77&ISO"
    await world.encounters.confirm(world.doctor, encounter.id, "TREATMENT")
    await world.list(encounter, SUMMARY)
    assert b"other^^^&amp;2.999.77&amp;ISO" in process.received("ITI-38")[0]


@pytest.mark.parametrize("code", ["AE", "NF"])
async def test_no_match_is_accepted_with_both_response_codes(world, process, shared_data, code):
    body = recorded(shared_data, "PRPA_IN201306UV02_4.xml")
    process.answer("ITI-55", body.replace('queryResponseCode code="NF"', f'queryResponseCode code="{code}"'))
    assert (await world.discover()).found.outcome is Outcome.NO_MATCH


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("ERROR_PI_MULTIPLE_MATCHES", Outcome.MULTIPLE),
        ("ERROR_PI_MISSING_REQUIRED_FIELDS", Outcome.MORE_DATA),
        ("WARNING_PI_NO_CONSENT", Outcome.REFUSED),
    ],
)
async def test_named_refusal_of_a_discovery(world, process, shared_data, name, outcome):
    process.answer("ITI-55", recorded(shared_data, "PRPA_IN201306UV02_4.xml").replace("ERROR_PI_NO_MATCH", name))
    assert (await world.discover()).found.outcome is outcome


async def test_demand_for_more_data_is_read_where_it_stands_alone(world, process, shared_data):
    body = recorded(shared_data, "PRPA_IN201306UV02_4.xml").replace("ERROR_PI_NO_MATCH", "")
    body = re.sub(r"<ns6:mitigatedBy.*?</ns6:mitigatedBy>", "", body, flags=re.DOTALL)
    order = '<ns6:triggerFor><ns6:actOrderRequired><ns6:code code="AdditionalDemographicsRequested"/>'
    end = "</ns6:actOrderRequired></ns6:triggerFor></ns6:detectedIssueEvent>"
    process.answer("ITI-55", body.replace("</ns6:detectedIssueEvent>", order + end))
    assert (await world.discover()).found.outcome is Outcome.MORE_DATA


async def test_several_patients_are_shown_to_nobody(world, process, shared_data):
    body = recorded(shared_data, "PRPA_IN201306UV02.xml")
    (subject,) = re.findall(r"<ns6:subject typeCode.*?</ns6:subject>", body, flags=re.DOTALL)
    process.answer("ITI-55", body.replace(subject, subject + subject))
    found = (await world.discover()).found
    assert (found.outcome, found.patient) == (Outcome.MULTIPLE, None)


async def test_what_is_asked_passes_the_checks_of_the_other_side(world, process):
    encounter = await world.treat()
    await world.list(encounter, SUMMARY)
    now = clock.now()
    rules = rules_on(now.date())
    for message, act in ((process.received("ITI-55")[0], Act.IDENTIFY), (process.received("ITI-38")[0], Act.SUMMARY)):
        assertions = read_assertions(etree.fromstring(message).find(f".//{{{WSSE}}}Security"))
        who = check_professional(assertions, act, rules, now)
        assert (who.role, who.facility_type) == ("221", "Hospital")
        if act is not Act.IDENTIFY:
            check_treatment(assertions, who, CX, rules, now)


async def test_recorded_list_and_document_are_read(world, process, shared_data):
    encounter = await world.list(await world.treat(), SUMMARY)
    listed = encounter.lists[SUMMARY]
    assert listed.outcome is Outcome.LISTED
    structured, printable = sorted(listed.documents, key=lambda one: one.is_pdf)
    assert structured.unique_id == "2.16.17.710.813.1000.990.1.1^PS.XML" and printable.is_pdf
    process.answer("ITI-39", one_document(recorded(shared_data, "RetrieveDocumentSetResponse.xml")))
    encounter = await world.retrieve(encounter, structured.unique_id)
    assert encounter.retrieved[structured.unique_id].outcome is Outcome.RETRIEVED
    data = await world.encounters.document(world.doctor, encounter.id, structured.unique_id)
    shown = read_document(data, "fr", sample_catalogue())
    assert {one.code for one in shown.sections} >= {"48765-2", "11450-4", "10160-0"}
    assert all(line.original.name for section in shown.sections for line in section.lines)


async def test_document_as_attachment_is_the_same_as_inline(world, process, shared_data):
    encounter = await world.list(await world.treat(), SUMMARY)
    unique_id = "2.16.17.710.813.1000.990.1.1^PS.XML"
    process.answer("ITI-39", one_document(recorded(shared_data, "RetrieveDocumentSetResponse.xml")))
    encounter = await world.retrieve(encounter, unique_id)
    inline = await world.encounters.document(world.doctor, encounter.id, unique_id)
    process.fail("multipart")
    encounter = await world.retrieve(encounter, unique_id)
    assert encounter.retrieved[unique_id].outcome is Outcome.RETRIEVED
    assert await world.encounters.document(world.doctor, encounter.id, unique_id) == inline


async def test_document_of_another_patient_is_not_kept(world, process, shared_data):
    encounter = await world.list(await world.treat(), SUMMARY)
    unique_id = "2.16.17.710.813.1000.990.1.1^PS.XML"
    whole = recorded(shared_data, "RetrieveDocumentSetResponse.xml")
    process.answer("ITI-39", one_document(whole, ('<birthTime value="19670630"/>', '<birthTime value="19670701"/>')))
    encounter = await world.retrieve(encounter, unique_id)
    got = encounter.retrieved[unique_id]
    assert (got.outcome, got.code) == (Outcome.FAILED, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED")
    assert "another patient" in got.text
    with pytest.raises(Problem) as refused:
        await world.encounters.document(world.doctor, encounter.id, unique_id)
    assert refused.value.status == 404


async def test_answer_with_more_documents_than_asked_for_is_refused(world, process, shared_data):
    encounter = await world.list(await world.treat(), SUMMARY)
    process.answer("ITI-39", recorded(shared_data, "RetrieveDocumentSetResponse.xml"))
    encounter = await world.retrieve(encounter, "2.16.17.710.813.1000.990.1.1^PS.XML")
    (got,) = encounter.retrieved.values()
    assert (got.outcome, got.code) == (Outcome.FAILED, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED")


async def test_original_document_is_asked_for_with_its_own_right(world, process, shared_data):
    process.answer("ITI-38", recorded(shared_data, "AdhocQueryResponsePSA.xml").replace("60591-5", "11502-2"))
    encounter = await world.list(await world.treat(), "11502-2")
    assert len(encounter.lists["11502-2"].documents) == 2
    assertions = read_assertions(etree.fromstring(process.received("ITI-38")[0]).find(f".//{{{WSSE}}}Security"))
    now = clock.now()
    check_professional(assertions, Act.ORIGINAL, rules_on(now.date()), now)


async def test_missing_document_is_named(world, process, shared_data):
    encounter = await world.list(await world.treat(), SUMMARY)
    process.answer("ITI-39", recorded(shared_data, "RetrieveDocumentSetResponse_020.xml"))
    encounter = await world.retrieve(encounter, "2.16.17.710.813.1000.990.1.1^PS.XML")
    (got,) = encounter.retrieved.values()
    assert (got.outcome, got.code) == (Outcome.FAILED, "ERROR_GENERIC_DOCUMENT_MISSING")


async def test_recorded_failure_for_no_documents_is_an_empty_list(world, process, shared_data):
    process.answer("ITI-38", recorded(shared_data, "AdhocQueryResponse_010.xml"))
    listed = (await world.list(await world.treat(), SUMMARY)).lists[SUMMARY]
    assert (listed.outcome, listed.code) == (Outcome.EMPTY, "ERROR_GENERIC_DOCUMENT_MISSING")


@pytest.mark.parametrize(
    ("status", "code", "severity", "outcome"),
    [
        ("Success", "ERROR_PS_NOT_FOUND", "Warning", Outcome.EMPTY),
        ("Failure", "1101", "Warning", Outcome.EMPTY),
        ("Failure", "4701", "Error", Outcome.REFUSED),
        ("Failure", "4103", "Error", Outcome.FAILED),
    ],
)
async def test_failure_with_a_warning_is_no_fault(world, process, shared_data, status, code, severity, outcome):
    body = recorded(shared_data, "AdhocQueryResponse_010.xml").replace("ERROR_GENERIC_DOCUMENT_MISSING", code)
    body = body.replace("ResponseStatusType:Failure", f"ResponseStatusType:{status}")
    process.answer("ITI-38", body.replace("ErrorSeverityType:Error", f"ErrorSeverityType:{severity}"))
    listed = (await world.list(await world.treat(), PRESCRIPTION)).lists[PRESCRIPTION]
    assert (listed.outcome, listed.code) == (outcome, code)


@pytest.mark.parametrize(
    "fault", ["down", "status", "two", "other", "truncated", "huge", "bomb", "fault", "refusal", "cut"]
)
async def test_broken_answer_has_a_clear_outcome(world, process, fault, caplog):
    process.fail(fault)
    found = (await world.discover()).found
    assert found.outcome is Outcome.FAILED and found.patient is None
    assert found.code in (
        "ERROR_GENERIC_CONNECTION_NOT_POSSIBLE",
        "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED",
        "ERROR_GENERIC",
    )
    assert "Traceback" not in caplog.text
    assert fault != "huge" or "larger than" in found.text
    process.fail("")
    encounter = await world.discover()
    assert encounter.found.outcome is Outcome.IDENTIFIED, "the next question is answered as if nothing had been"


async def test_second_answer_on_the_connection_is_never_taken_for_the_next(world, process, shared_data):
    process.fail("twice")
    found = (await world.discover()).found
    assert found.outcome in (Outcome.IDENTIFIED, Outcome.FAILED)
    process.fail("")
    process.answer("ITI-55", recorded(shared_data, "PRPA_IN201306UV02_4.xml"))
    assert (await world.discover()).found.outcome is Outcome.NO_MATCH


async def test_answer_of_another_community_is_refused(world, process, shared_data):
    body = recorded(shared_data, "PRPA_IN201306UV02.xml").replace(HOME, "2.999.66")
    process.answer("ITI-55", body)
    found = (await world.discover()).found
    assert (found.outcome, found.code) == (Outcome.FAILED, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED")


async def test_list_of_another_community_or_patient_is_refused(world, process, shared_data):
    encounter = await world.treat()
    body = recorded(shared_data, "AdhocQueryResponsePSA.xml")
    for before, after in ((HOME, "2.999.66"), ("X110571344|ABC123^^^", "Y110571344|ABC123^^^")):
        assert before in body
        process.answer("ITI-38", body.replace(before, after))
        listed = (await world.list(encounter, SUMMARY)).lists[SUMMARY]
        assert (listed.outcome, listed.code) == (Outcome.FAILED, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED")


async def test_answer_to_another_query_is_refused(world, process, shared_data):
    process.answer("ITI-55", recorded(shared_data, "PRPA_IN201306UV02.xml").replace("$QUERY_EXTENSION", "another"))
    assert (await world.discover()).found.code == "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"


async def test_slow_country_is_waited_for_no_longer_than_agreed(db, journal, tmp_path, process, shared_data):
    process.answer("ITI-55", recorded(shared_data, "PRPA_IN201306UV02.xml"))
    process.fail("slow")
    impatient = await build_world(db, journal, tmp_path, process, seconds=0.5)
    found = (await impatient.discover()).found
    process.fail("")
    assert (found.outcome, found.code) == (Outcome.FAILED, "ERROR_GENERIC_CONNECTION_NOT_POSSIBLE")


@pytest.mark.parametrize("value", ["", "12", "X11057134|ABC123", "X110571344|ABC123^^^&1.2", "\x00", "a" * 500])
async def test_wrong_value_is_refused_at_its_field_and_nothing_is_sent(world, process, value):
    with pytest.raises(Problem) as refused:
        await world.encounters.open(world.doctor, "PT", {0: value})
    assert (refused.value.status, refused.value.place) == (400, "field-0")
    assert process.received() == []


async def test_encounter_of_another_professional_looks_absent(world):
    encounter = await world.discover()
    with pytest.raises(Problem) as refused:
        await world.encounters.get(world.pharmacist, encounter.id)
    assert refused.value.status == 404


def one_document(body: str, *changes: tuple[str, str]) -> str:
    """Return an answer with its first document only, changed in places that it has."""
    responses = re.findall(r"<ns3:DocumentResponse>.*?</ns3:DocumentResponse>", body, flags=re.DOTALL)
    for one in responses[1:]:
        body = body.replace(one, "")
    encoded = re.search(r"<ns3:Document>\s*([A-Za-z0-9+/=\s]+)</ns3:Document>", body)[1]
    document = base64.b64decode(encoded).decode()
    for before, after in changes:
        assert before in document
        document = document.replace(before, after)
    return body.replace(encoded, base64.b64encode(document.encode()).decode())
