"""Patients, lists and documents over FHIR, and what is refused."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from lxml import etree

from esante.core.storage import NIL, uuid7
from esante.services.exchange.audit import ConnectionRefused, MessageExchanged
from esante.services.exchange.fhir_api.tokens import write_token
from esante.services.exchange.hl7v3.model import InstanceId
from tests.support.contact_points import trial_country
from tests.support.country_a import COUNTRY
from tests.support.exchange_abroad import ISSUER, deposit, number_of, patient, prescription, summary
from tests.support.fhir_abroad import BASE, FhirAbroad, text_of

SUMMARY, LAB, PRESCRIPTION = "60591-5", "11502-2", "57833-6"
NOBODY = InstanceId(ISSUER, "999999999999999")
Claims = dict[str, Any]


def key_of(reference: Mapping[str, Any]) -> str:
    return str(reference["content"][0]["attachment"]["url"]).rpartition("/")[2]


async def test_laboratory_report_is_found_and_handed_out_as_it_was_deposited(world, abroad: FhirAbroad) -> None:
    person = await patient(world, consents=COUNTRY)
    document_id = await deposit(world, person, LAB)
    await summary(world, person)
    number = number_of(person)
    [found] = await abroad.patients(number)
    assert found["name"] == [{"family": "Weber", "given": list(person.given)}]
    assert found["identifier"] == [{"system": f"urn:oid:{ISSUER}", "value": number.extension}]
    [reference] = await abroad.documents(number, LAB)
    assert reference["type"]["coding"][0]["code"] == LAB  # type: ignore[index]
    assert len(await abroad.documents(number)) == 2
    answer = await abroad.get(f"/Bundle/{key_of(reference)}", abroad.token(number.cx))
    _, deposited = await world.record.content(world.people["doctor"], person.id, document_id)
    assert answer.status_code == 200 and answer.content == deposited
    assert answer.headers["content-type"].startswith("application/fhir+json")


async def test_clinical_document_is_handed_out_as_a_bundle(world, abroad: FhirAbroad) -> None:
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "901")
    number = number_of(person)
    [reference] = await abroad.documents(number, PRESCRIPTION)
    answer = await abroad.get(f"/Bundle/{key_of(reference)}", abroad.token(number.cx))
    types = [one["resource"]["resourceType"] for one in answer.json()["entry"]]
    assert types[0] == "Composition" and "MedicationRequest" in types


async def test_search_is_posted_too(world, abroad: FhirAbroad) -> None:
    person = await patient(world, consents=COUNTRY)
    async with abroad.client() as client:
        headers = {"Authorization": f"Bearer {abroad.token()}"}
        form = {"identifier": text_of(number_of(person))}
        answer = await client.post("/fhir/Patient/_search", data=form, headers=headers)
        assert answer.json()["total"] == 1
        wrong = await client.post("/fhir/Patient/_search", json=form, headers=headers)
    assert wrong.status_code == 415 and wrong.json()["resourceType"] == "OperationOutcome"


async def test_demographics_that_differ_find_nobody(world, abroad: FhirAbroad) -> None:
    person = await patient(world, consents=COUNTRY)
    number = number_of(person)
    assert len(await abroad.patients(number, family="Weber", birthdate=person.birth_date.isoformat())) == 1
    assert not await abroad.patients(number, family="Other")
    assert not await abroad.patients(number, birthdate="1900-01-01")


async def answers(abroad: FhirAbroad, number: InstanceId, key: str) -> list[tuple[int, str]]:
    """Return everything that the FHIR interface says about somebody and a document, without what names them."""
    found = [
        await abroad.get("/Patient", abroad.token(), identifier=text_of(number)),
        await abroad.get("/DocumentReference", abroad.token(number.cx), patient__identifier=text_of(number)),
        await abroad.get(f"/Bundle/{key}", abroad.token(number.cx)),
    ]
    return [(one.status_code, one.text.replace(number.extension, "*").replace(key, "*")) for one in found]


async def test_person_without_consent_looks_like_nobody(world, abroad: FhirAbroad) -> None:
    person = await patient(world, consents="")
    document_id = await summary(world, person)
    absent = await answers(abroad, NOBODY, str(uuid7().int))
    assert await answers(abroad, number_of(person), str(document_id.int)) == absent
    assert [status for status, _ in absent] == [200, 200, 404]


async def test_hidden_document_and_document_of_another_patient_look_absent(world, abroad: FhirAbroad) -> None:
    person, other = await patient(world, consents=COUNTRY), await patient(world, consents=COUNTRY)
    theirs, absent = await summary(world, other), str(uuid7().int)
    number = number_of(person)
    for key in (str(theirs.int), "1", "x", "9" * 60):
        answer = await abroad.get(f"/Bundle/{key}", abroad.token(number.cx))
        nothing = await abroad.get(f"/Bundle/{absent}", abroad.token(number.cx))
        assert (answer.status_code, answer.content) == (404, nothing.content), key


async def test_form_for_fhir_is_neither_listed_nor_handed_out_by_soap(world, abroad: FhirAbroad) -> None:
    person = await patient(world, consents=COUNTRY)
    document_id = await summary(world, person)
    cx = number_of(person).cx
    listing = await abroad.soap.list_documents(cx, SUMMARY)
    assert not [one for one in listing.documents if one.unique_id.endswith("^FHIR")]
    retrieved = await abroad.soap.retrieve(cx, f"2.25.{document_id.int}^FHIR")
    assert not retrieved.documents and [one.code for one in retrieved.errors] == ["XDSMissingDocument"]


async def test_each_request_is_recorded(world, abroad: FhirAbroad) -> None:
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    number = number_of(person)
    await abroad.patients(number)
    [reference] = await abroad.documents(number, SUMMARY)
    await abroad.get(f"/Bundle/{key_of(reference)}", abroad.token(number.cx))
    entries = await world.journal.entries_of(person.id, [MessageExchanged], limit=10)
    assert [one.event.transaction for one in reversed(entries)] == ["ITI-55", "ITI-38", "ITI-39"]
    assert {one.actor.name for one in entries} == {"Dr Anne Test"}


def claims(abroad: FhirAbroad, cx: str) -> Claims:
    now = int(datetime.now(UTC).timestamp())
    assertions = abroad.assertions(cx)
    encoded = {name: base64.b64encode(etree.tostring(one)).decode() for name, one in assertions.items()}
    return {"iss": COUNTRY, "aud": BASE, "iat": now, "exp": now + 300, **encoded}


def signed(abroad: FhirAbroad, content: Claims, **header: str) -> str:
    key = RSAKey.import_key(abroad.soap.issuer.key)
    return jwt.encode({"alg": "RS384", **header}, content, key, algorithms=["RS384"])


def reindented(content: Claims) -> Claims:
    text = base64.b64decode(content["HCP"]).replace(b"><", b">\n  <")
    return content | {"HCP": base64.b64encode(text).decode()}


def without_treatment(content: Claims) -> Claims:
    return {name: value for name, value in content.items() if name != "TRC"}


Change = Callable[[Claims], Claims]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda one: one | {"aud": "https://elsewhere.test/fhir"}, 403, "1002"),
        (lambda one: one | {"iss": "MT"}, 403, "1002"),
        (lambda one: one | {"iat": one["iat"] - 900, "exp": one["iat"] - 600}, 403, "1002"),
        (lambda one: one | {"iat": one["iat"] + 900, "exp": one["iat"] + 1000}, 403, "1002"),
        (lambda one: one | {"exp": one["iat"] + 86_400}, 403, "1002"),
        (lambda one: {name: value for name, value in one.items() if name != "exp"}, 403, "1002"),
        (lambda one: one | {"HCP": "%%%"}, 403, "1002"),
        (lambda one: one | {"HCP": base64.b64encode(b"<!DOCTYPE a><a/>").decode()}, 403, "1002"),
        (reindented, 401, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
        (without_treatment, 401, "ERROR_HPI_AUTHENTICATION_NOT_RECEIVED"),
        (lambda one: {name: value for name, value in one.items() if name not in ("HCP", "TRC")}, 401, None),
    ],
)
async def test_token_that_says_something_wrong_is_refused(
    world, abroad: FhirAbroad, change: Change, status: int, code: str | None
) -> None:
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    number = number_of(person)
    token = signed(abroad, change(claims(abroad, number.cx)))
    answer = await abroad.get("/DocumentReference", token, patient__identifier=text_of(number))
    assert answer.status_code == status, answer.text
    [issue] = answer.json()["issue"]
    assert code is None or issue["details"]["coding"][0]["code"] == code
    assert "Weber" not in answer.text


async def test_token_under_a_shared_secret_or_under_another_seal_is_refused(world, abroad: FhirAbroad) -> None:
    number = number_of(await patient(world, consents=COUNTRY))
    content = claims(abroad, number.cx)
    secret = jwt.encode({"alg": "HS512"}, content, OctKey.import_key("s" * 64), algorithms=["HS512"])
    malta = trial_country("MT").own.issuer
    other = write_token(malta, abroad.assertions(number.cx), BASE, datetime.now(UTC))
    for token in (secret, other, "nonsense", signed(abroad, content)[:-8] + "AAAAAAAA", "x" * 200_000):
        answer = await abroad.get("/DocumentReference", token, patient__identifier=text_of(number))
        assert answer.status_code in (401, 403), token[:20]


async def test_treatment_of_another_patient_is_refused(world, abroad: FhirAbroad) -> None:
    number, other = (
        number_of(await patient(world, consents=COUNTRY)),
        number_of(await patient(world, consents=COUNTRY)),
    )
    answer = await abroad.get("/DocumentReference", abroad.token(other.cx), patient__identifier=text_of(number))
    assert answer.status_code == 403 and answer.json()["issue"][0]["details"]["coding"][0]["code"] == "4206"


async def test_professional_without_the_permission_gets_nothing(world, abroad: FhirAbroad) -> None:
    number = number_of(await patient(world, consents=COUNTRY))
    nurse = FhirAbroad(abroad.soap.as_role("2221", permissions=["PRD-006"]))
    answer = await nurse.get("/DocumentReference", nurse.token(number.cx), patient__identifier=text_of(number))
    assert answer.status_code == 403 and answer.json()["issue"][0]["details"]["coding"][0]["code"] == "4703"


async def test_request_without_an_identifier_or_a_token_is_refused(world, abroad: FhirAbroad) -> None:
    for value in ("", "Weber", "urn:oid:2.999|", "http://x|1"):
        assert (await abroad.get("/Patient", abroad.token(), identifier=value)).status_code == 400, value
    assert (await abroad.get("/Patient", identifier=text_of(NOBODY))).status_code == 401


async def test_connection_of_an_unknown_contact_point_is_refused_before_anything_is_read(
    world, abroad: FhirAbroad
) -> None:
    stranger = FhirAbroad(abroad.soap.as_role("221"))
    stranger.soap.certificate = trial_country("MT").own.tls
    answer = await stranger.get("/Patient", stranger.token(), identifier=text_of(NOBODY))
    assert answer.status_code == 403 and "registered" in answer.text
    entries = await world.journal.entries_of(NIL, [ConnectionRefused], limit=1)
    assert entries[0].event.subject == "CN=127.0.0.1,O=Trial without legal effect,C=MT"
    assert (await stranger.soap.post("/XCPD_Service", b"<a/>")).status_code == 403
    refused = await world.journal.entries_of(NIL, [ConnectionRefused], limit=2)
    assert [one.event.path for one in refused] == ["/XCPD_Service", "/fhir/Patient"]


async def test_capability_statement_names_what_is_answered(abroad: FhirAbroad) -> None:
    statement = (await abroad.get("/metadata")).json()
    assert {one["type"] for one in statement["rest"][0]["resource"]} == {"Patient", "DocumentReference", "Bundle"}
    assert statement["implementation"]["url"] == BASE
