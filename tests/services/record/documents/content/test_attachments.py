"""The attachments of submitted DocumentReferences."""

import base64

import orjson
import pytest

from tests.support.record import FHIR, pdf, reference


@pytest.mark.parametrize("element", ["size", "hash"])
async def test_wrong_size_or_hash_is_refused(world, element):
    person = await world.person()
    body = reference(person, pdf(), "application/pdf", type_="11504-8")
    attachment = body["content"][0]["attachment"]
    attachment[element] = {"size": 17, "hash": base64.b64encode(bytes(20)).decode()}[element]
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == [f"DocumentReference.content[0].attachment.{element}"]
