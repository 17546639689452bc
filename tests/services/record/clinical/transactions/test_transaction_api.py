"""Batches, and Bundles of an invalid structure."""

import base64

import orjson
import pytest

from esante.identity.access import requester_of
from esante.services.record import Deposit, DepositItem, Read
from esante.services.record.clinical.transactions import transaction_api
from tests.support.clinical_requests import (
    post_bundle,
    response_statuses,
)
from tests.support.clinical_resources import (
    bundle_entry,
    observation,
)
from tests.support.record import BASE, FHIR


async def test_file_in_a_batch_is_a_binary_and_never_part_of_the_json(world):
    """A text document may look like JSON: whoever wrote it must not write into the reader's Bundle."""
    person, hostile = await world.person(), b'{"resourceType":"Patient","id":"forged"},"fullUrl":"urn:forged'
    meta = Deposit(type="51852-2", title="Letter", media_type="text/plain")
    letter = (await world.record.deposit(world.people["hospital"], person.id, hostile, meta)).document
    async with world.client(requester_of(person)) as client:
        answer = await post_bundle(client, bundle_entry("GET", f"Binary/{letter.key}"), type_="batch")
    [entry] = answer.json()["entry"]
    assert entry["resource"]["resourceType"] == "Binary"
    assert base64.b64decode(entry["resource"]["data"]) == hostile


async def test_other_media_type_in_a_batch_is_refused(world, monkeypatch):
    person = await world.person()

    async def file(request, item):
        return 200, {"content-type": "application/fhir+ndjson"}, b'{"resourceType":"Patient"}'

    monkeypatch.setattr(transaction_api, "_send", file)
    async with world.client(requester_of(person)) as client:
        answer = await post_bundle(client, bundle_entry("GET", "$export/1/Patient-1.ndjson"), type_="batch")
    assert response_statuses(answer) == ["406"]
    assert "resource" not in answer.json()["entry"][0]


async def test_responses_to_a_batch_are_bounded_and_the_rest_is_not_carried_out(world, monkeypatch):
    person, meta = await world.person(), Deposit(type="51852-2", title="Letter", media_type="text/plain")
    items = [DepositItem(content=b"%d" % number * 60_000, meta=meta) for number in range(5)]
    letters = await world.record.deposit_all(world.people["hospital"], person.id, items)
    monkeypatch.setattr(transaction_api, "MAX_BATCH_RESPONSE", 100_000)
    entries = [bundle_entry("GET", f"Binary/{letter.document.key}") for letter in letters]
    async with world.client(requester_of(person)) as client:
        answer = await post_bundle(client, *entries, type_="batch")
    assert response_statuses(answer) == ["200", "200", "413", "413", "413"]
    assert answer.json()["entry"][2]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[2]"]
    assert len(await world.events(person, Read)) == 2


async def test_batch_entries_are_independent_requests(world):
    person = await world.person()
    patch = base64.b64encode(orjson.dumps([{"op": "replace", "path": "/status", "value": "amended"}])).decode()
    async with world.client(world.people["hospital"]) as client:
        id_ = (await client.post("/fhir/Observation", content=observation(person), headers=FHIR)).json()["id"]
        answer = await post_bundle(
            client,
            bundle_entry("POST", "Observation", observation(person)),
            bundle_entry("POST", "Observation", orjson.loads(observation(person)) | {"status": "maybe"}),
            bundle_entry("GET", f"Observation?patient={person.id}"),
            bundle_entry(
                "PATCH",
                f"{BASE}/fhir/Observation/{id_}",
                {"resourceType": "Binary", "contentType": "x/y", "data": patch},
            ),
            bundle_entry("GET", f"Observation/{id_}", ifNoneMatch='W/"2"'),
            bundle_entry("GET", "DocumentReference?patient=" + str(person.id)),
            bundle_entry("GET", "nonsense"),
            bundle_entry("POST", "/", {"resourceType": "Bundle", "type": "batch"}),
            bundle_entry("DELETE", f"Observation/{id_}", ifMatch='W/"1"'),
            type_="batch",
        )
        assert response_statuses(answer) == ["201", "422", "200", "200", "304", "200", "404", "400", "412"]
        parts = answer.json()["entry"]
        assert parts[1]["response"]["outcome"]["issue"][0]["expression"] == ["Observation.status"]
        assert parts[2]["resource"]["total"] == 2
        assert parts[3]["resource"]["status"] == "amended"
    async with world.client(requester_of(person), "patient/Observation.rs") as client:
        answer = await post_bundle(client, bundle_entry("POST", "Observation", observation(person)), type_="batch")
        assert response_statuses(answer) == ["403"]
        assert (await post_bundle(client, bundle_entry("POST", "Observation", observation(person)))).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"request":7}]}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":{}}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[],"more":1}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"more":1}]}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{}]}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[' + b"{}," * 20_000 + b"{}]}", 413),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"link":[' + b"{}," * 500_000 + b"{}]}]}", 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Observation"}}]}', 422),
        (b'{"resourceType":"Bundle","type":"batch"}', 200),
        (
            b'{"resourceType":"Bundle","type":"batch","entry":['
            + b'{"request":{"method":"GET","url":"a"}},' * 200
            + b'{"request":{"method":"GET","url":"a"}}]}',
            413,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"Observation"}}]}',
            422,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Observation","subject":{"reference":"Patient/"}},"request":{"method":"POST","url":"Observation"}}]}',
            422,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":'
            + b"[" * 300
            + b"]" * 300
            + b',"request":{"method":"POST","url":"Observation"}}]}',
            422,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":"x","request":{"method":"PUT","url":"Observation/1"}}]}',
            422,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"HEAD","url":"Observation/1"}}]}',
            422,
        ),
    ],
)
async def test_malformed_bundle_is_refused(world, body, status):
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=body, headers=FHIR)
        assert answer.status_code == status, answer.text
