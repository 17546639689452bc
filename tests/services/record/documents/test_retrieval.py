"""Retrieval of the bytes of a document (ITI-68)."""

import base64
import hashlib

import orjson

from esante.core.fhir import check
from tests.support.record import FHIR, pdf, reference


async def test_binary_is_returned_as_fhir_when_accepted(world):
    person = await world.person()
    content = pdf()
    async with world.client(world.people["hospital"]) as client:
        body = orjson.dumps(reference(person, content, "application/pdf", type_="11504-8"))
        made = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
        url = made["content"][0]["attachment"]["url"]
        answer = await client.get(url, headers={"Accept": "application/fhir+json"})
        assert base64.b64decode(answer.json()["data"]) == content
        assert check(answer.content, expect="Binary").ok
        unchanged = await client.get(url, headers={"If-None-Match": f'"{hashlib.sha256(content).hexdigest()}"'})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert (await client.get(f"/fhir/Bundle/{made['id']}")).status_code == 404
