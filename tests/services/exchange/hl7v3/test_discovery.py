"""Patient discovery: messages written and read back, and those that others wrote."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.core.soap import Malformed, parse_message
from esante.services.exchange.hl7v3.discovery import read_answer, read_query, write_answer, write_query
from esante.services.exchange.hl7v3.model import (
    FoundPatient,
    InstanceId,
    PatientAnswer,
    PatientQuery,
    Refusal,
    ResponseCode,
)

text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=15).map(
    lambda found: " ".join(found.split())
)
some = text.filter(bool)
ids = st.builds(InstanceId, some, text)
queries = st.builds(
    PatientQuery,
    message_id=ids,
    query_id=ids,
    sender=some,
    receiver=some,
    ids=st.lists(ids, max_size=3),
    gender=text,
    birth=text,
    family=text,
    given=text,
    country=text,
    scopes=st.lists(some, max_size=2),
    other=st.just([]),
)
patients = st.builds(
    FoundPatient,
    ids=st.lists(ids, min_size=1, max_size=2),
    family=text,
    given=st.lists(some, max_size=2),
    prefix=text,
    gender=text,
    birth=text,
    street=text,
    postal_code=text,
    city=text,
    country=text,
)
refusals = st.builds(Refusal, code=some, text=text)


def through_bytes(root: etree._Element) -> etree._Element:
    return etree.fromstring(etree.tostring(root))


@given(queries)
def test_query_is_read_back_as_written(query: PatientQuery) -> None:
    assert read_query(through_bytes(write_query(query))) == query


@given(
    queries, st.lists(patients, max_size=2), st.none() | refusals, st.booleans(), st.sampled_from(ResponseCode), text
)
def test_answer_is_read_back_as_written(
    query: PatientQuery,
    found: list[FoundPatient],
    refusal: Refusal | None,
    is_error: bool,
    response: ResponseCode,
    home: str,
) -> None:
    answer = PatientAnswer(query, found, refusal, is_error, response, home)
    read = read_answer(through_bytes(write_answer(answer)), query)
    assert read.patients == ([] if refusal else found)
    assert (read.refusal, read.is_error, read.response) == (refusal, is_error, response)
    assert read.home == (home.removeprefix("urn:oid:") if found else "")


def test_answer_to_another_query_is_refused() -> None:
    query = PatientQuery(InstanceId("1"), InstanceId("2"), "1.2", "1.3")
    message = through_bytes(write_answer(PatientAnswer(query)))
    with pytest.raises(Malformed, match="another query"):
        read_answer(message, PatientQuery(InstanceId("1"), InstanceId("3"), "1.2", "1.3"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<a/>", "PRPA_IN201305UV02 is needed"),
        (b'<PRPA_IN201305UV02 xmlns="urn:hl7-org:v3"/>', "parameterList is needed"),
    ],
)
def test_message_that_is_no_query_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_query(etree.fromstring(data))


def test_query_with_too_many_identifiers_is_refused() -> None:
    query = PatientQuery(
        InstanceId("1"), InstanceId("2"), "1.2", "1.3", ids=[InstanceId("1", str(n)) for n in range(21)]
    )
    with pytest.raises(Malformed, match="more than 20"):
        read_query(through_bytes(write_query(query)))


def test_danish_and_swiss_queries_are_read(shared_data: Path) -> None:
    path = shared_data / "ehdsi-soap" / "templates" / "xcpd" / "request.xml"
    danish = read_query(parse_message(path.read_bytes()).content)
    assert danish.ids == [InstanceId("1.2.208.176.1.2", "0410009234")]
    assert (danish.receiver, danish.sender, danish.country) == ("1.2.208", "2.16.470.1.100.1.2.1000.990.1", "DK")
    assert danish.ids[0].cx == "0410009234^^^&1.2.208.176.1.2&ISO"
    path = shared_data / "ihe-epr" / "samples" / "ITI-47_request_raw.xml"
    swiss = read_query(parse_message(path.read_bytes()).content)
    assert len(swiss.scopes) == 2
    assert not swiss.other


@pytest.mark.parametrize(
    ("name", "code", "response", "is_error"),
    [
        ("PRPA_IN201306UV02.xml", None, "OK", False),
        ("PRPA_IN201306UV02_4.xml", "ERROR_PI_NO_MATCH", "NF", False),
        ("PRPA_IN201306UV02_42.xml", "ERROR_PI_GENERIC", "NF", False),
        ("PRPA_IN201306UV02_43.xml", "ERROR_PI_GENERIC", "NF", False),
        ("PRPA_IN201306UV02_5.xml", "NS250", "AE", True),
    ],
)
def test_german_answers_are_read(
    shared_data: Path, name: str, code: str | None, response: str, is_error: bool
) -> None:
    content = etree.fromstring((shared_data / "ncpeh-messages" / name).read_bytes())
    query = PatientQuery(InstanceId("1"), InstanceId("1.263507841149"), "1.2", "1.3")
    answer = read_answer(content, query)
    assert (answer.refusal.code if answer.refusal else None) == code
    assert (answer.response, answer.is_error) == (response, is_error)
    if code is None:
        [patient] = answer.patients
        assert patient.ids == [InstanceId("", "X110571344|ABC123")]
        assert (patient.birth, patient.city, patient.prefix) == ("19670630", "Patientstadt", "Gräfin")
