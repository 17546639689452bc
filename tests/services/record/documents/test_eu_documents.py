"""European documents from public sources: deposited over the API, found, and retrieved unchanged."""

from pathlib import Path

import pytest

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
async def person(world):
    """A person with a doctor in their circle."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person


async def test_european_document_is_stored_and_retrieved_unchanged(world, person, file):
    content = file.read_bytes()
    async with world.client(world.people["hospital"]) as hospital:
        answer = await hospital.post(
            "/fhir", content=transaction(person, ({}, content, "application/fhir+json")), headers=FHIR
        )
        assert answer.status_code == 200, answer.text[:2000]
        entry = answer.json()["entry"][1]
        findings = [extension["valueCoding"]["code"] for extension in entry["resource"]["extension"]]
        assert "subject-not-confirmed" in findings
    async with world.client(world.people["doctor"]) as doctor:
        found = await doctor.get("/fhir/DocumentReference", params={"_id": entry["resource"]["id"]})
        [match] = found.json()["entry"]
        retrieved = await doctor.get(match["resource"]["content"][0]["attachment"]["url"])
    assert retrieved.content == content.strip()  # white space around the resource is not part of it
