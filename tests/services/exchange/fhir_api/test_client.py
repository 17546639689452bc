"""The client against the server over mutual TLS, and against contact points that answer anything."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding

from esante.services.exchange.contact_points import ContactPoint, ContactPoints
from esante.services.exchange.fhir_api.client import FhirClient, NotAnswered
from tests.support.contact_points import contact_points, trial_country, trial_keys
from tests.support.country_a import COUNTRY, register
from tests.support.exchange_abroad import ISSUER, deposit, number_of, patient
from tests.support.fhir_abroad import FhirAbroad
from tests.support.two_countries import listening, served

SYSTEM, LAB = f"urn:oid:{ISSUER}", "11502-2"


async def abroad_points(world, folder: Path, url: str) -> tuple[ContactPoints, ContactPoint]:
    """Return the contact points of the country that asks, and Luxembourg as it knows it."""
    points = contact_points(world.db, world.journal, folder / COUNTRY, COUNTRY)
    there = trial_country("LU")
    known = replace(await _registered(world, folder), country="LU", home="2.999.1", fhir_url=f"{url}/fhir")
    return points, replace(known, tls=(there.own.tls,), seals=(there.own.issuer.certificate,))


async def _registered(world, folder: Path) -> ContactPoint:
    points = contact_points(world.db, world.journal, folder / "LU")
    await register(points)
    found = await points.find(COUNTRY)
    assert found is not None
    return found


async def test_patient_list_and_document_come_over_mutual_tls(world, abroad: FhirAbroad, tmp_path: Path) -> None:
    person = await patient(world, consents=COUNTRY)
    document_id = await deposit(world, person, LAB)
    number = number_of(person)
    taken, url = listening()
    points, point = await abroad_points(world, tmp_path, url)
    async with served(world, tmp_path, url, taken):
        client = FhirClient(points.client_context, points.own.issuer)
        found = await client.find_patient(point, {"HCP": abroad.soap.hcp()}, SYSTEM, number.extension)
        assert found.resource["entry"][0]["resource"]["name"][0]["family"] == "Weber"
        assertions = abroad.assertions(number.cx)
        listed = await client.list_documents(point, assertions, SYSTEM, number.extension, LAB)
        [reference] = [one["resource"] for one in listed.resource["entry"]]
        document = await client.fetch(point, assertions, reference["id"])
        with pytest.raises(NotAnswered) as missing:
            await client.fetch(point, assertions, "1")
    _, deposited = await world.record.content(world.people["doctor"], person.id, document_id)
    assert document.sent.data == deposited and missing.value.code == "ERROR_GENERIC_DOCUMENT_MISSING"
    both = await world.db.fetch(
        "SELECT request_hash FROM exchange_message WHERE message_id = $1", document.sent.message_id
    )
    assert len(both) == 1, "both sides name the request alike"


@contextlib.asynccontextmanager
async def answering(body: bytes, status: int = 200) -> AsyncIterator[str]:
    """Serve one answer to everything, with the keys of Luxembourg."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    keys = trial_keys("LU")
    context.load_cert_chain(keys / "tls.crt", keys / "tls.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=trial_country(COUNTRY).own.tls.public_bytes(Encoding.DER))
    runner = web.AppRunner(app, max_field_size=65_536)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"<html>", 200, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
        (b"[1]", 200, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
        (b'{"a": 1}', 200, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
        (b"[" * 100_000, 200, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
        (b'{"resourceType": "OperationOutcome", "issue": [{"details": {"coding": [{"code": "4703"}]}}]}', 403, "4703"),
        (b'{"resourceType": "OperationOutcome", "issue": "x"}', 403, "ERROR_GENERIC"),
        (b'{"resourceType": "OperationOutcome", "issue": [1, {"details": []}]}', 500, "ERROR_GENERIC"),
        (b"", 302, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
    ],
)
async def test_answer_of_another_form_is_named(
    world, abroad: FhirAbroad, tmp_path: Path, body: bytes, status: int, code: str
) -> None:
    async with answering(body, status) as url:
        points, point = await abroad_points(world, tmp_path, url)
        client = FhirClient(points.client_context, points.own.issuer)
        with pytest.raises(NotAnswered) as refused:
            await client.find_patient(point, {"HCP": abroad.soap.hcp()}, SYSTEM, "1")
    assert refused.value.code == code


async def test_country_that_is_down_or_offers_no_fhir_is_named(world, abroad: FhirAbroad, tmp_path: Path) -> None:
    points, point = await abroad_points(world, tmp_path, "https://127.0.0.1:1")
    client, hcp = FhirClient(points.client_context, points.own.issuer), {"HCP": abroad.soap.hcp()}
    with pytest.raises(NotAnswered, match="no answer"):
        await client.find_patient(point, hcp, SYSTEM, "1")
    with pytest.raises(NotAnswered, match="offers no FHIR"):
        await client.find_patient(replace(point, fhir_url=""), hcp, SYSTEM, "1")
