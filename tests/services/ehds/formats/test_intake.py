"""Taking documents in: what keeps its profile is deposited as it stands, what breaks it leaves nothing behind."""

import orjson
import pytest

from esante.core.types import Json
from esante.services.ehds.formats.model import DocumentRejected
from esante.services.record import DepositedEvent
from tests.support.clinical_requests import count_resources
from tests.support.record import FHIR


async def _take_in(http, person, content: bytes, query: str = ""):
    return await http.post(f"/fhir/Patient/{person.id}/$take-in{query}", content=content, headers=FHIR)


def _first(shared_data, kind: str) -> tuple[bytes, Json]:
    content = sorted((shared_data / "eu-documents" / kind).glob("*.json"))[0].read_bytes()
    return content, orjson.loads(content)


@pytest.mark.parametrize("kind", ["eps", "hdr", "lab"])
async def test_document_that_keeps_its_profile_is_deposited_byte_for_byte(world, client, shared_data, kind):
    content, bundle = _first(shared_data, kind)
    person = await world.person_in(bundle)
    async with client(world.people["hospital"]) as hospital:
        answer = await _take_in(hospital, person, content)
        assert answer.status_code == 201, answer.text
        again = await _take_in(hospital, person, content)
        reference = (await hospital.get(answer.headers["Location"])).json()
        stored = await hospital.get(reference["content"][0]["attachment"]["url"])
    assert again.status_code == 200
    assert again.headers["Location"] == answer.headers["Location"]
    assert stored.content == content.strip()


async def test_document_that_breaks_its_profile_is_refused_with_article_and_remedy_and_nothing_is_stored(
    world, client, shared_data
):
    _, bundle = _first(shared_data, "eps")
    person = await world.person_in(bundle)
    composition = bundle["entry"][0]["resource"]
    composition["section"] = [one for one in composition["section"] if one["code"]["coding"][0]["code"] != "48765-2"]
    async with client(world.people["hospital"]) as hospital:
        answer = await _take_in(hospital, person, orjson.dumps(bundle))
        assert answer.status_code == 422
        assert await count_resources(hospital, person, "Condition") == 0
    errors = [issue["diagnostics"] for issue in answer.json()["issue"] if issue["severity"] == "error"]
    assert any("48765-2" in text and "Article 14(1)(a)" in text and "Add it" in text for text in errors)
    assert await world.events(person, DepositedEvent) == []
    [(_, event)] = await world.events(person, DocumentRejected)
    assert "eps-section-required" in event.broken
    assert not event.allowed


async def test_document_of_somebody_else_is_taken_in_only_when_confirmed(world, client, shared_data):
    content, _ = _first(shared_data, "eps")
    person = await world.person("Somebody")
    async with client(world.people["hospital"]) as hospital:
        refused = await _take_in(hospital, person, content)
        confirmed = await _take_in(hospital, person, content, "?confirmation=Checked%20with%20the%20patient")
    assert refused.status_code == 409
    assert confirmed.status_code == 201


async def test_who_may_not_deposit_learns_nothing_of_the_document_and_the_record(world, client, shared_data):
    content, _ = _first(shared_data, "eps")
    person, closed = await world.person(), await world.person(opened=False)
    async with client(world.people["hospital"], "system/DocumentReference.rs") as reader:
        unscoped = await _take_in(reader, person, content)
    async with client(world.people["hospital"]) as hospital:
        shut = await _take_in(hospital, closed, content)
        nobody = await hospital.post("/fhir/Patient/nobody/$take-in", content=content, headers=FHIR)
    assert (unscoped.status_code, shut.status_code, nobody.status_code) == (403, 403, 404)


@pytest.mark.parametrize("content", [b"{}", b"not json", b'{"resourceType": "Patient"}'])
async def test_content_that_is_no_document_is_refused_in_words(world, client, content):
    person = await world.person()
    async with client(world.people["hospital"]) as hospital:
        answer = await _take_in(hospital, person, content)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["severity"] in ("error", "fatal")
