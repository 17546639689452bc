"""European documents that nobody here wrote: deposited over the API, found, and read back identical."""

from pathlib import Path

import pytest

from .conftest import FHIR, transaction


def _files(config) -> list[Path]:
    from tests.conftest import SHARED

    return sorted((SHARED / "data" / "eu-documents").glob("*/*.json"))


def pytest_generate_tests(metafunc):
    if "file" in metafunc.fixturenames:
        files = _files(metafunc.config)
        missing = [pytest.param(None, marks=pytest.mark.skip(reason="no real inputs: eu-documents is absent"))]
        metafunc.parametrize("file", files or missing, ids=lambda file: file.stem if file else "absent")


@pytest.fixture(scope="module")
async def person(world):
    """A person of the demo's kind, whom her doctor sees."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person


async def test_deposited_found_and_read_back_identical(world, person, file):
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
    assert retrieved.content == content.strip()  # blanks around the resource are not of it
