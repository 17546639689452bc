"""What is refused: with the code that contact points use, recorded, and without a word about whether somebody exists."""

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from esante.core.soap import MEDIA_TYPE, WSSE, write_request
from esante.core.storage import uuid7
from esante.core.xds import StoredQuery, write_query
from esante.services.exchange.assertions.names import SAML
from esante.services.exchange.assertions.rules import rules_on
from tests.support.contact_points import trial_country
from tests.support.country_a import COUNTRY, XCA, XCPD, XDR, Abroad, exchanged
from tests.support.exchange_abroad import dispensation_cda, number_of, patient, prescription, summary

SUMMARY = "60591-5"
INTEGRITY = "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"


def altered(path: str, name: str, value: str) -> Callable[[Abroad, str], list[etree._Element]]:
    """Return what changes an attribute of the signed assertion about the professional."""

    def make(abroad: Abroad, cx: str) -> list[etree._Element]:
        hcp, trc = (etree.fromstring(etree.tostring(one)) for one in abroad.assertions(cx))
        found = hcp if path == "." else hcp.find(path)
        assert found is not None
        found.set(name, value)
        return [hcp, trc]

    return make


def indented(abroad: Abroad, cx: str) -> list[etree._Element]:
    """Return assertions whose signature was laid out anew."""
    hcp, trc = (etree.fromstring(etree.tostring(one)) for one in abroad.assertions(cx))
    etree.indent(hcp.find("{*}Signature"))
    return [hcp, trc]


def wrapped(abroad: Abroad, cx: str) -> list[etree._Element]:
    """Return a forged assertion in which the signed one hangs (signature wrapping)."""
    hcp, trc = (etree.fromstring(etree.tostring(one)) for one in abroad.assertions(cx))
    forged = copy.deepcopy(hcp)
    forged.set("ID", "_forged")
    forged.find(f".//{{{SAML}}}NameID").text = "somebody@else"
    forged.find("{*}Signature").append(etree.Element("{http://www.w3.org/2000/09/xmldsig#}Object"))
    forged.find("{*}Signature")[-1].append(hcp)
    return [forged, trc]


def at(shift: timedelta) -> Callable[[Abroad, str], list[etree._Element]]:
    """Return what makes assertions at another time."""
    return lambda abroad, cx: abroad.assertions(cx, datetime.now(UTC) + shift)


def with_rules(**changes: object) -> Callable[[Abroad, str], list[etree._Element]]:
    """Return what makes assertions by other rules than those in force."""

    def make(abroad: Abroad, cx: str) -> list[etree._Element]:
        now = datetime.now(UTC)
        rules = replace(rules_on(now.date()), **changes)
        hcp = abroad.issuer.professional(abroad.doctor, rules, now)
        return [hcp, abroad.issuer.treatment(hcp, cx, "TREATMENT", rules, now)]

    return make


def by(**changes: object) -> Callable[[Abroad, str], list[etree._Element]]:
    """Return what makes assertions about another professional."""
    return lambda abroad, cx: replace(abroad, doctor=replace(abroad.doctor, **changes)).assertions(cx)


def sealed_by(country: str) -> Callable[[Abroad, str], list[etree._Element]]:
    """Return what makes assertions with the seal of another country."""
    return lambda abroad, cx: replace(abroad, issuer=trial_country(country).own.issuer).assertions(cx)


def of_home(home: str) -> Callable[[Abroad, str], list[etree._Element]]:
    """Return what makes assertions that name another home community."""
    return lambda abroad, cx: replace(abroad, issuer=replace(abroad.issuer, home_community=home)).assertions(cx)


def mixed(abroad: Abroad, cx: str) -> list[etree._Element]:
    """Return a treatment that rests on an assertion about somebody else."""
    return [abroad.hcp(), abroad.assertions(cx)[1]]


CASES: dict[str, tuple[Callable[[Abroad, str], list[etree._Element]], str]] = {
    "none": (lambda abroad, cx: [], "ERROR_HPI_AUTHENTICATION_NOT_RECEIVED"),
    "no treatment": (lambda abroad, cx: abroad.assertions(cx)[:1], "ERROR_HPI_AUTHENTICATION_NOT_RECEIVED"),
    "altered": (altered(".//{urn:hl7-org:v3}Role", "code", "2221"), INTEGRITY),
    "altered end": (altered("{*}Conditions", "NotOnOrAfter", "2099-01-01T00:00:00Z"), INTEGRITY),
    "signature laid out anew": (indented, INTEGRITY),
    "signature wrapping": (wrapped, INTEGRITY),
    "seal of another country": (sealed_by("MT"), INTEGRITY),
    "our own seal": (sealed_by("LU"), INTEGRITY),
    "home of another country": (of_home("2.999.9"), "ERROR_HPI_INSUFFICIENT_INFORMATION"),
    "expired": (at(timedelta(hours=-5)), "1002"),
    "future": (at(timedelta(minutes=5)), "1002"),
    "another audience": (with_rules(audience="urn:other"), "1002"),
    "valid for too long": (with_rules(hcp_validity=timedelta(hours=5)), "1002"),
    "resting on another": (mixed, "1002"),
    "password only": (by(authentication="urn:oasis:names:tc:SAML:2.0:ac:classes:Password"), "4702"),
    "unknown role": (by(role="999"), "ERROR_HPI_INSUFFICIENT_INFORMATION"),
    "unknown purpose": (by(purpose="RESEARCH"), "ERROR_HPI_INSUFFICIENT_INFORMATION"),
    "no locality": (by(locality=""), "ERROR_HPI_INSUFFICIENT_INFORMATION"),
    "no permission": (by(permissions=["PRD-006"]), "4703"),
    "treatment of another patient": (lambda abroad, cx: abroad.assertions("1^^^&2.999&ISO"), "4206"),
}


@pytest.mark.parametrize("name", CASES)
async def test_refused_assertions_get_their_code_and_nothing_else(world, abroad, name):
    make, code = CASES[name]
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    cx, before = number_of(person).cx, len(await exchanged(world))
    listing = await abroad.list_documents(cx, SUMMARY, assertions=make(abroad, cx))
    assert (listing.is_failure, [one.code for one in listing.errors], listing.documents) == (True, [code], [])
    assert not any(one.location for one in listing.errors)
    [event] = await exchanged(world, before)
    assert (event.outcome, event.transaction, event.country) == (code, "ITI-38", COUNTRY)
    document = await abroad.list_documents(cx, SUMMARY)
    retrieved = await abroad.retrieve(cx, document.documents[0].unique_id, assertions=make(abroad, cx))
    # who takes a treatment of another patient to a document finds none of theirs
    expected = code if name != "treatment of another patient" else "XDSMissingDocument"
    assert ([one.code for one in retrieved.errors], retrieved.documents) == ([expected], [])


@pytest.mark.parametrize("name", [name for name in CASES if "treatment" not in name and "resting" not in name])
async def test_refused_assertions_find_no_patient(world, abroad, name):
    make, code = CASES[name]
    if name == "no permission":
        make = by(permissions=["PRD-003"])
    person = await patient(world, consents=COUNTRY)
    found = await abroad.discover(number_of(person), assertions=make(abroad, "1^^^&2.999&ISO")[:1])
    assert (found.patients, found.refusal.code, found.is_error) == ([], code, True)
    assert "Weber" not in found.refusal.text


@pytest.mark.parametrize("name", CASES)
async def test_refused_assertions_dispense_nothing(world, abroad, name):
    make, code = CASES[name]
    if name == "no permission":
        make = by(permissions=["PRD-006"])
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "n")
    cx, pharmacist = number_of(person).cx, abroad.as_role("2262")
    assert await pharmacist.submit(cx, dispensation_cda(person, "n"), assertions=make(pharmacist, cx)) == [code]
    assert not await world.db.fetch("SELECT 1 FROM exchange_dispensation WHERE person_id = $1", person.id)


async def test_message_for_another_receiver_is_refused(world, abroad):
    person = await patient(world, consents=COUNTRY)
    found = await abroad.discover(number_of(person), receiver="2.999.99")
    assert (found.refusal.code, found.is_error) == ("ERROR_PI_GENERIC", True)
    await summary(world, person)
    [coded, _] = (await abroad.list_documents(number_of(person).cx, SUMMARY)).documents
    for given, code in (
        ({"home": "urn:oid:2.999.99"}, "XDSUnknownCommunity"),
        ({"repository": "2.999.99"}, "XDSUnknownRepositoryId"),
    ):
        retrieved = await abroad.retrieve(number_of(person).cx, coded.unique_id, **given)
        assert [one.code for one in retrieved.errors] == [code]


async def test_query_without_identifier_is_not_looked_up(abroad):
    found = await abroad.discover(family="Weber", birth="19800517")
    assert found.refusal.code == "ERROR_PI_MISSING_REQUIRED_FIELDS"
    assert found.refusal.management == "DemographicsQueryNotAllowed"


async def test_identifier_against_the_search_mask_is_not_looked_up(world, abroad):
    from esante.services.exchange.hl7v3.model import InstanceId

    found = await abroad.discover(InstanceId("1.3.182.4.4", "12"))
    assert found.refusal.code == "ERROR_PI_INCORRECT_FORMATTING"


async def test_class_that_is_not_offered_and_unknown_query_are_refused(world, abroad):
    person = await patient(world, consents=COUNTRY)
    cx = number_of(person).cx
    for codes, code in ((["60592-3"], "4202"), ([SUMMARY, "60592-3"], "4202"), ([], "4202")):
        listing = await abroad.list_documents(cx, *codes)
        assert (listing.is_failure, [one.code for one in listing.errors]) == (True, [code])
    listing = await abroad.list_documents(cx, SUMMARY, id_="urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4")
    assert [one.code for one in listing.errors] == ["XDSUnknownStoredQuery"]
    assert await abroad.as_role("2262").submit(cx, dispensation_cda(person, "1"), "60591-5") == ["4202"]


async def test_permission_of_each_class_is_asked_at_list_and_retrieve(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    key = await prescription(world, person, "p")
    cx = number_of(person).cx
    one_right = replace(abroad, doctor=replace(abroad.doctor, permissions=["PRD-004", "PRD-010"]))
    listing = await one_right.list_documents(cx, SUMMARY, "57833-6")
    assert (listing.is_failure, [one.code for one in listing.errors]) == (True, ["4703"])
    [coded, _] = (await abroad.list_documents(cx, SUMMARY)).documents
    retrieved = await one_right.retrieve(cx, coded.unique_id, f"2.25.{key.int}^L3")
    assert [one.code for one in retrieved.errors] == ["XDSMissingDocument"]
    assert [one.unique_id for one in retrieved.documents] == [f"2.25.{key.int}^L3"]


async def test_class_that_a_country_may_not_ask_for_is_refused_like_an_unknown_one(world, opened):
    from tests.support.country_a import CLASSES, register

    abroad, points = opened
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    [coded, _] = (await abroad.list_documents(number_of(person).cx, SUMMARY)).documents
    await register(points, asks=["57833-6"])
    try:
        listing = await abroad.list_documents(number_of(person).cx, SUMMARY)
        assert [one.code for one in listing.errors] == ["4202"]
        retrieved = await abroad.retrieve(number_of(person).cx, coded.unique_id)
        assert [one.code for one in retrieved.errors] == ["XDSMissingDocument"]
    finally:
        await register(points, asks=CLASSES)


def request(abroad: Abroad, cx: str) -> bytes:
    """Return a list of summaries as bytes."""
    query = StoredQuery(
        "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
        {"$XDSDocumentEntryPatientId": [cx], "$XDSDocumentEntryClassCode": [f"{SUMMARY}^^2.16.840.1.113883.6.1"]},
    )
    copies = [etree.fromstring(etree.tostring(one)) for one in abroad.assertions(cx)]
    return write_request("urn:ihe:iti:2007:CrossGatewayQuery", "https://x", uuid7().urn, write_query(query), copies)


@pytest.mark.parametrize("case", ["none", "unknown", "suspended"])
async def test_connection_of_nobody_is_refused_before_its_message_is_read(world, opened, case):
    from esante.command_line import operator_of_shell

    abroad, points = opened
    person = await patient(world, consents=COUNTRY)
    who = operator_of_shell("Ann, who suspends contact points")
    certificate = {"none": None, "unknown": trial_country("MT").own.tls}.get(case, abroad.certificate)
    if case == "suspended":
        await points.suspend(who, COUNTRY, "Its key was lost.")
    try:
        answer = await replace(abroad, certificate=certificate).post(XCA, request(abroad, number_of(person).cx))
    finally:
        if case == "suspended":
            await points.resume(who, COUNTRY, "It has a new one.")
    assert answer.status_code == 403
    assert "no contact point" in answer.text


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", MEDIA_TYPE),
        (b"<a/>", MEDIA_TYPE),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', MEDIA_TYPE),
        (b"<" + b"a" * 100_000, MEDIA_TYPE),
        (
            b'<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Body>'
            + b"<a>" * 5_000
            + b"</a>" * 5_000
            + b"</Body></Envelope>",
            MEDIA_TYPE,
        ),
        (b"--b\r\n\r\n" * 200 + b"--b--", "multipart/related; boundary=b"),
        (b"--b\r\nContent-ID: <x>\r\n\r\nx\r\n--b--", "multipart/related; boundary=" + "b" * 100),
        (b"\xff\xfe", "multipart/related"),
    ],
    ids=["empty", "no envelope", "entity", "endless tag", "deep", "bomb of parts", "long boundary", "no boundary"],
)
@pytest.mark.parametrize("path", [XCPD, XCA, XDR])
async def test_hostile_message_gets_a_fault_and_is_recorded(world, abroad, path, body, media_type):
    before = len(await exchanged(world))
    answer = await abroad.post(path, body, media_type)
    assert answer.status_code == 400
    assert b"Fault" in answer.content and b"root:" not in answer.content and b"Traceback" not in answer.content
    [event] = await exchanged(world, before)
    assert event.outcome == "soap:Sender"


async def test_entity_in_a_dispensation_is_refused(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "x")
    document = dispensation_cda(person, "x").replace(
        b"<ClinicalDocument", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><ClinicalDocument'
    )
    assert await abroad.as_role("2262").submit(number_of(person).cx, document) == [
        "ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE"
    ]


async def test_message_that_is_too_large_is_refused(abroad):
    answer = await abroad.post(XDR, b"x" * (5 << 20))
    assert answer.status_code == 413


async def test_message_of_another_service_is_refused(world, abroad):
    answer = await abroad.post(XCPD, request(abroad, "1^^^&2.999&ISO"))
    assert answer.status_code == 400


@pytest.mark.parametrize("place", ["order", "reference", "parent"])
async def test_dispensation_whose_places_differ_is_refused(world, abroad, place):
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "5")
    codes = await abroad.as_role("2262").submit(number_of(person).cx, dispensation_cda(person, "5", **{place: "6"}))
    assert codes == ["ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE"]


async def test_dispensation_of_another_patient_or_with_another_hash_is_refused(world, abroad):
    person, other = await patient(world, consents=COUNTRY), await patient(world, consents=COUNTRY)
    await prescription(world, person, "7")
    pharmacist, cx = abroad.as_role("2262"), number_of(person).cx
    assert await pharmacist.submit(cx, dispensation_cda(other, "7")) == ["4206"]
    assert await pharmacist.submit(cx, dispensation_cda(person, "7"), sha1="0" * 40) == [INTEGRITY]
    assert await pharmacist.submit(cx, dispensation_cda(person, "7"), about=number_of(other).cx) == ["4206"]


async def test_doctor_who_may_not_dispense_is_refused(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "8")
    assert await abroad.submit(number_of(person).cx, dispensation_cda(person, "8")) == ["4703"]


async def test_header_twice_is_refused(world, abroad):
    person = await patient(world, consents=COUNTRY)
    root = etree.fromstring(request(abroad, number_of(person).cx))
    security = root.find(f".//{{{WSSE}}}Security")
    security.addnext(copy.deepcopy(security))
    answer = await abroad.post(XCA, etree.tostring(root))
    assert b"ERROR_HPI_AUTHENTICATION_NOT_RECEIVED" in answer.content
