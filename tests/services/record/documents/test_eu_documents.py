"""European documents from public sources: deposited for their persons and for others, and retrieved unchanged."""

from datetime import date
from pathlib import Path

import orjson
import pytest

from esante.identity.directory import Identifier
from esante.services.record.identification.confirmation import CONFIRMATION_EXTENSION
from esante.services.record.identification.model import TRAITS
from tests.support.record import FHIR, transaction


def document_files() -> list[Path]:
    from tests.conftest import SHARED

    return sorted((SHARED / "data" / "eu-documents").glob("*/*.json"))


def pytest_generate_tests(metafunc):
    if "file" in metafunc.fixturenames:
        files = document_files()
        missing = [pytest.param(None, marks=pytest.mark.skip(reason="no real inputs: eu-documents is absent"))]
        metafunc.parametrize("file", files or missing, ids=lambda file: file.stem if file else "absent")


@pytest.fixture(scope="module")
async def owners(world):
    """A function that returns the person of a document, with the identifiers it gives, registered once."""
    known = {}

    async def owner(bundle):
        patient = next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient")
        identifiers = tuple(Identifier(one["system"], one["value"]) for one in patient["identifier"])
        if identifiers not in known:
            known[identifiers] = await world.person_in(bundle, identifiers)
        return known[identifiers]

    return owner


async def test_european_document_is_stored_and_retrieved_unchanged(world, owners, file):
    content = file.read_bytes()
    person = await owners(orjson.loads(content))
    body = transaction(person, ({}, content, "application/fhir+json"))
    async with world.client(world.people["hospital"]) as hospital:
        answer = await hospital.post("/fhir", content=body, headers=FHIR)
        assert answer.status_code == 200, answer.text[:2000]
        entry = answer.json()["entry"][1]
        keys = [extension["valueCoding"]["code"] for extension in entry["resource"].get("extension", ())]
        assert TRAITS.isdisjoint(keys) and "subject-not-confirmed" not in keys
        retrieved = await hospital.get(entry["resource"]["content"][0]["attachment"]["url"])
    assert retrieved.content == content.strip()  # white space around the resource is not part of it


@pytest.mark.parametrize("kind", ["eps", "hdr", "lab"])
async def test_european_document_of_somebody_else_is_stored_only_when_confirmed(world, shared_data, kind):
    content = sorted((shared_data / "eu-documents" / kind).glob("*.json"))[0].read_bytes()
    other = await world.person("Wagener", birth_date=date(2001, 2, 3))
    confirmed = {"extension": [{"url": CONFIRMATION_EXTENSION, "valueString": "Checked with the patient"}]}
    async with world.client(world.people["hospital"]) as hospital:
        body = transaction(other, ({}, content, "application/fhir+json"))
        refused = await hospital.post("/fhir", content=body, headers=FHIR)
        body = transaction(other, (confirmed, content, "application/fhir+json"))
        answer = await hospital.post("/fhir", content=body, headers=FHIR)
    assert refused.status_code == 409
    codes = [issue["details"]["coding"][0]["code"] for issue in refused.json()["issue"][1:]]
    assert codes == ["name-differs", "birth-date-differs"]
    assert answer.status_code == 200, answer.text[:2000]
