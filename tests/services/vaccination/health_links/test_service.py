"""Links: what the server keeps, who can open one, how it ends."""

import asyncio
from base64 import urlsafe_b64decode
from datetime import timedelta

import httpx
import orjson
import pytest
from joserfc.jwe import decrypt_compact
from joserfc.jwk import OctKey
from starlette.applications import Starlette

from esante.core import clock
from esante.core.journal import advance
from esante.core.storage import uuid7
from esante.core.web import HANDLERS, Problem
from esante.services.vaccination.health_links import api, service
from esante.services.vaccination.health_links.model import (
    LOCATION_LIFETIME,
    MAX_ATTEMPTS,
    HealthLinkCreated,
    HealthLinkEnded,
    HealthLinkOpened,
)
from esante.services.vaccination.health_links.service import PATH, WrongPin
from tests.services.vaccination.health_cards.test_issuer import result_of, vaccinated
from tests.support.health_cards import run_node
from tests.support.lifecycle_clock import running_clock
from tests.support.record import BASE

ORIGIN = "192.0.2.7"


def payload_of(link) -> dict:
    encoded = link.uri.removeprefix("shlink:/")
    return orjson.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


def address_of(link) -> str:
    return payload_of(link)["url"].rpartition("/")[2]


def decrypt(link, jwe: str) -> bytes:
    key = payload_of(link)["key"]
    found = decrypt_compact(jwe, OctKey.import_key(urlsafe_b64decode(key + "=")), algorithms=["dir", "A256GCM"])
    assert found.headers()["alg"] == "dir" and found.headers()["enc"] == "A256GCM"
    return found.plaintext


async def make(links, proofs, patient, label="School"):
    doses = await proofs.provable_doses(patient)
    return await links.create(patient, {dose.id for dose in doses}, label, 7, "en")


async def events_of(world, patient, type_):
    return await world.events(await world.directory.person(patient.id), type_)


def wrong(pin: str) -> str:
    return f"{(int(pin) + 1) % 1_000_000:06d}"


async def test_right_pin_opens_the_card_and_the_history_and_the_person_sees_who(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards, 3)
    made = await make(links, proofs, patient)
    payload = payload_of(made)
    assert payload["url"].startswith(f"{BASE}{PATH}/") and len(payload["url"]) <= 128
    assert (payload["flag"], payload["label"], len(payload["key"])) == ("P", "School", 43)
    files = await links.open(address_of(made), " Lycée\n de Garçons ", made.pin, ORIGIN)
    assert [file["contentType"] for file in files] == ["application/smart-health-card", "application/fhir+json"]
    card, history = (decrypt(made, file["embedded"]) for file in files)
    assert (await result_of(proofs, card.decode())).value == "valid"
    types = [one["resource"]["resourceType"] for one in orjson.loads(history)["entry"]]
    assert types.count("Immunization") == 3
    ((entry, event),) = await events_of(world, patient, HealthLinkOpened)
    assert (entry.actor.name, entry.actor.id, entry.origin) == ("Lycée de Garçons", None, ORIGIN)
    assert event.allowed and event.link_id == made.link.link_id
    (link,) = await links.links_of(patient)
    assert (link.openings, link.doses, link.label) == (1, 3, "School")


async def test_server_keeps_neither_address_nor_key_nor_pin_nor_content(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    secrets = [made.pin, address_of(made), payload_of(made)["key"], "Weber", "OLD1"]
    rows = await world.db.fetch(
        "SELECT l::text || f.jwe AS kept FROM health_link l JOIN health_link_file f USING (address_hash)"
        " WHERE person_id = $1",
        patient.id,
    )
    entries = await events_of(world, patient, HealthLinkCreated)
    assert len(rows) == 2 and len(entries) == 1
    kept = " ".join(row["kept"] for row in rows)
    assert [one for one in secrets[1:] if one in kept] == []
    assert [one for one in secrets[:3] if one in repr(entries)] == []
    assert f"'{made.pin}'" not in kept and f",{made.pin}," not in kept


async def test_each_wrong_pin_takes_an_attempt_and_the_last_one_ends_the_link(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    for left in reversed(range(MAX_ATTEMPTS)):
        with pytest.raises(WrongPin) as refusal:
            await links.open(address_of(made), "Guess", wrong(made.pin), ORIGIN)
        assert refusal.value.remaining == left
    with pytest.raises(Problem) as gone:
        await links.open(address_of(made), "Guess", made.pin, ORIGIN)
    assert gone.value.status == 404
    ((_, ended),) = await events_of(world, patient, HealthLinkEnded)
    assert ended.cause == "attempts"
    opened = await events_of(world, patient, HealthLinkOpened)
    assert [event.allowed for _, event in opened] == [False] * (MAX_ATTEMPTS + 1)
    assert await files_of(world, patient) == 0


async def test_parallel_guesses_get_no_more_attempts(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    guesses = [links.open(address_of(made), "Guess", wrong(made.pin), f"192.0.2.{n}") for n in range(MAX_ATTEMPTS + 4)]
    found = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(one, WrongPin) for one in found) == MAX_ATTEMPTS
    assert sum(isinstance(one, Problem) and one.status == 404 for one in found) == 4


async def files_of(world, patient) -> int:
    return await world.db.fetchval(
        "SELECT count(*) FROM health_link_file JOIN health_link USING (address_hash) WHERE person_id = $1", patient.id
    )


async def test_ended_expired_and_unknown_links_are_answered_alike(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards)
    ended, expired = await make(links, proofs, patient), await make(links, proofs, patient)
    await links.end(patient, ended.link.link_id)
    await links.end(patient, ended.link.link_id)
    assert len(await events_of(world, patient, HealthLinkEnded)) == 1
    app = Starlette(routes=api.routes(links), exception_handlers=HANDLERS)
    answers = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        for address, pin in ((address_of(ended), ended.pin), (uuid7().hex, "123456"), (address_of(ended), "000000")):
            asked = {"recipient": "Dr Reader", "passcode": pin}
            answers.append(await client.post(f"{PATH}/{address}", json=asked))
        with running_clock(expired.link.expires_at + timedelta(seconds=1)):
            asked = {"recipient": "Dr Reader", "passcode": expired.pin}
            answers.append(await client.post(f"{PATH}/{address_of(expired)}", json=asked))
            await links.tidy()
    assert {(one.status_code, one.content, tuple(sorted(one.headers.items()))) for one in answers} == {
        (404, answers[0].content, tuple(sorted(answers[0].headers.items())))
    }
    assert await files_of(world, patient) == 0


async def test_manifest_is_for_software_of_other_sites_and_a_wrong_pin_says_what_is_left(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    app, url = Starlette(routes=api.routes(links), exception_handlers=HANDLERS), payload_of(made)["url"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        preflight = await client.options(url)
        refused = await client.post(url, json={"recipient": "Dr Reader", "passcode": wrong(made.pin)})
        found = await client.post(url, json={"recipient": "Dr Reader", "passcode": made.pin, "embeddedLengthMax": 10})
        locations = [file["location"] for file in found.json()["files"]]
        fetched = [await client.get(location) for location in locations]
        again = await client.get(locations[0])
    assert preflight.status_code == 204 and preflight.headers["access-control-allow-headers"] == "Content-Type"
    assert (refused.status_code, refused.json()) == (401, {"remainingAttempts": MAX_ATTEMPTS - 1})
    assert all(one.headers["access-control-allow-origin"] == "*" for one in (refused, found, *fetched))
    assert {one.headers["content-type"] for one in fetched} == {"application/jose"}
    assert orjson.loads(decrypt(made, fetched[1].text))["type"] == "document"
    assert again.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"recipient": 1}',
        b'{"recipient": "  "}',
        b'{"recipient": "x", "passcode": 123456}',
        b'{"recipient": "x", "embeddedLengthMax": "1"}',
        b'{"recipient": "' + b"x" * 5_000 + b'"}',
    ],
)
async def test_request_that_is_no_manifest_request_is_refused_and_takes_no_attempt(links, body):
    app = Starlette(routes=api.routes(links), exception_handlers=HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        answer = await client.post(f"{PATH}/{uuid7().hex}", content=body)
    assert answer.status_code in (400, 413) and "error" in answer.json()


async def test_links_of_somebody_else_cannot_be_ended(world, cards, proofs, links):
    patient, doctor = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    other, _ = await vaccinated(world, cards)
    for requester in (other, doctor):
        with pytest.raises(Problem) as refusal:
            await links.end(requester, made.link.link_id)
        assert refusal.value.status == 404
    assert await links.open(address_of(made), "Dr Reader", made.pin, ORIGIN)


async def test_guesses_from_one_network_are_limited(world, cards, proofs, links):
    statuses = []
    for _ in range(400):
        try:
            await links.fetch_file("unknown", "198.51.100.9")
        except Problem as problem:
            statuses.append(problem.status)
        if statuses[-1] == 429:
            break
    assert set(statuses) == {404, 429}
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    with pytest.raises(Problem) as refusal:
        await links.open(address_of(made), "Guess", made.pin, "198.51.100.9")
    assert refusal.value.status == 429


async def test_card_in_a_link_is_revoked_when_a_dose_was_an_error_and_is_not_among_the_cards(
    world, cards, proofs, links
):
    patient, doctor = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    files = await links.open(address_of(made), "Dr Reader", made.pin, ORIGIN)
    card = decrypt(made, files[0]["embedded"]).decode()
    await links.end(patient, made.link.link_id)
    assert await proofs.cards_of(patient) == [] and (await result_of(proofs, card)).value == "valid"
    dose = (await proofs.provable_doses(patient))[0]
    await cards.withdraw(doctor, patient.id, dose.id, dose.version, "entered for somebody else")
    await world.journal.sealer.seal_all()
    while await advance(world.db, proofs.consumer):
        pass
    assert (await result_of(proofs, card)).value == "revoked"


async def test_deleted_person_leaves_no_link_and_no_file(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    async with world.db.transaction() as conn:
        assert await links.delete_of_person(conn, patient.id) == 1
    assert await links.links_of(patient) == [] and await files_of(world, patient) == 0
    with pytest.raises(Problem) as refusal:
        await links.open(address_of(made), "Dr Reader", made.pin, ORIGIN)
    assert refusal.value.status == 404


async def test_so_many_working_links_and_no_more(world, cards, proofs, links, monkeypatch):
    monkeypatch.setattr(service, "MAX_ACTIVE", 1)
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    with pytest.raises(Problem) as refusal:
        await make(links, proofs, patient)
    assert refusal.value.status == 409
    await links.end(patient, made.link.link_id)
    assert await make(links, proofs, patient)


async def test_address_of_a_single_file_works_for_a_short_time(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    files = await links.open(address_of(made), "Dr Reader", made.pin, ORIGIN, 0)
    tokens = [file["location"].rpartition("/")[2] for file in files]
    assert await links.fetch_file(tokens[0], ORIGIN)
    with running_clock(clock.now() + LOCATION_LIFETIME), pytest.raises(Problem) as refusal:
        await links.fetch_file(tokens[1], ORIGIN)
    assert refusal.value.status == 404


async def test_independent_reader_opens_the_link(world, cards, proofs, links):
    patient, _ = await vaccinated(world, cards)
    made = await make(links, proofs, patient)
    manifest = {"files": await links.open(address_of(made), "Dr Reader", made.pin, ORIGIN)}
    key = (await proofs.published_keys())[-1].jwk
    given = {"link": made.uri, "manifest": manifest, "pin": made.pin, "key": key}
    found = run_node("read_proofs.mjs", given, needs="kill-the-clipboard")
    ((asked),) = found["asked"]
    assert asked["url"] == payload_of(made)["url"] and asked["body"]["passcode"] == made.pin
    assert [one["type"] for one in found["resources"]] == ["document"]
    assert [one["resource"]["resourceType"] for one in found["cards"][0]["entry"]] == [
        "Patient",
        "Immunization",
        "Immunization",
    ]
