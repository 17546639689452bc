"""Peak memory of a server process under large requests, as counted by the kernel."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from esante.core.storage import uuid7
from tests.e2e.conftest import copy_world
from tests.support.processes import Server
from tests.support.small_world import LOCAL_SYSTEM, SmallWorld
from tests.support.submissions import LETTER, build_discharge_letter, build_iti65_transaction

MB = 1_000_000
MEMORY_LIMIT = 300 * 1024 * 1024
"""Peak resident memory in bytes of a worker that receives 50 MB."""
MINIMAL = {"Prefer": "return=minimal"}


@pytest.fixture(scope="module")
def served_world(
    template: SmallWorld, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SmallWorld, Server]]:
    """A small world on a server of its own."""
    world = copy_world(template, tmp_path_factory.mktemp("memory") / "data")
    with Server(world.data) as server:
        yield world, server
    shutil.rmtree(world.data, ignore_errors=True)


@pytest.fixture
async def hospital(served_world: tuple[SmallWorld, Server]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API as the software of the hospital."""
    world, server = served_world
    headers = {**world.bearer("hospital"), "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(base_url=server.base, headers=headers, timeout=300) as http:
        yield http


def build_bundle(world: SmallWorld, kind: str, entries: int, size: int) -> bytes:
    """Return a batch or transaction that creates distinct Observations of about `size` bytes each."""
    note = "x" * max(0, size - 450)
    made = [
        {
            "fullUrl": uuid7().urn,
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2", "display": "Body height"}]},
                "subject": {"reference": f"Patient/{world.persons[0].id}"},
                "effectiveDateTime": f"2020-01-{number % 28 + 1:02}T08:00:00Z",
                "valueQuantity": {"value": number, "unit": "cm"},
                "note": [{"text": note}],
            },
            "request": {"method": "POST", "url": "Observation"},
        }
        for number in range(entries)
    ]
    return orjson.dumps({"resourceType": "Bundle", "type": kind, "entry": made})


def build_large_document(world: SmallWorld, size: int, note: int = 2_000) -> bytes:
    """Return a submission of a FHIR document of about `size` bytes, its resources with notes of `note` characters."""
    person = world.persons[1]
    patient_resource = {
        "identifier": [{"system": LOCAL_SYSTEM, "value": person.identifiers[0].value}],
        "name": [{"family": person.family}],
    }
    submission = build_discharge_letter(patient_resource, "Bon état.")
    patient = submission["entry"][1]["fullUrl"]
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "height"}}
    observation |= {"subject": {"reference": patient}} | ({"note": [{"text": "x" * note}]} if note else {})
    count = size // (len(orjson.dumps(observation)) + 75)
    submission["entry"] += [{"fullUrl": uuid7().urn, "resource": observation} for _ in range(count)]
    return orjson.dumps(build_iti65_transaction({"reference": f"Patient/{person.id}"}, submission))


REQUEST_BODIES: dict[str, Callable[[SmallWorld], bytes]] = {
    "a transaction of many entries": lambda world: build_bundle(world, "transaction", 19_500, 2_560),
    "a transaction of large entries": lambda world: build_bundle(world, "transaction", 50, 1_000_000),
    "a batch": lambda world: build_bundle(world, "batch", 199, 250_000),
}


@pytest.mark.long
@pytest.mark.parametrize("name", REQUEST_BODIES)
async def test_50_megabytes_of_requests_stay_within_the_memory_limit(
    served_world: tuple[SmallWorld, Server], hospital: httpx.AsyncClient, name: str
) -> None:
    world, server = served_world
    body = REQUEST_BODIES[name](world)
    assert 48 * MB < len(body) < 55 * MB
    response = await hospital.post("/fhir", content=body, headers=MINIMAL)
    assert response.status_code == 200, response.text[:500]
    assert {one["response"]["status"][:3] for one in response.json()["entry"]} == {"201"}
    assert server.peak_memory() < MEMORY_LIMIT


@pytest.mark.long
async def test_two_large_requests_are_processed_one_after_the_other(
    served_world: tuple[SmallWorld, Server], hospital: httpx.AsyncClient
) -> None:
    world, server = served_world
    bodies = [REQUEST_BODIES["a transaction of many entries"](world), REQUEST_BODIES["a batch"](world)]
    responses = await asyncio.gather(*(hospital.post("/fhir", content=body, headers=MINIMAL) for body in bodies))
    assert [response.status_code for response in responses] == [200, 200]
    assert server.peak_memory() < MEMORY_LIMIT


@pytest.mark.long
@pytest.mark.parametrize(("size", "note"), [(19 * MB, 2_000), (9 * MB, 0)], ids=["large", "many"])
async def test_largest_documents_stay_within_the_memory_limit(
    served_world: tuple[SmallWorld, Server], hospital: httpx.AsyncClient, size: int, note: int
) -> None:
    """In bytes, and in elements."""
    world, server = served_world
    response = await hospital.post("/fhir", content=build_large_document(world, size, note), headers=MINIMAL)
    assert response.status_code == 200, response.text[:500]
    submission = await hospital.get(f"/fhir/Observation?patient={world.persons[1].id}&_count=1")
    assert submission.status_code == 200
    assert server.peak_memory() < MEMORY_LIMIT


@pytest.mark.long
async def test_too_many_elements_are_refused_within_the_memory_limit(
    served_world: tuple[SmallWorld, Server], hospital: httpx.AsyncClient
) -> None:
    """A document of tiny resources, and Bundles with too many entries, parts or elements."""
    world, server = served_world
    batch = b'{"resourceType": "Bundle", "type": "batch", "entry": ['
    for body, status, message in (
        (build_large_document(world, 19 * MB, 0), 422, "400,000 elements"),
        (batch + b"{}," * 20 * MB + b"{}]}", 413, "20,000 entries"),
        (batch + b'{"link": [' + b"{}," * 20 * MB + b"{}]}]}", 422, "Send less at once"),
        (batch + b'{"resource": {"a": [' + b"{}," * 9 * MB + b"{}}}]}", 422, "400,000 elements"),
    ):
        response = await hospital.post("/fhir", content=body, headers=MINIMAL)
        assert response.status_code == status, response.text[:500]
        assert message in response.text
        assert server.peak_memory() < MEMORY_LIMIT, message


async def test_too_large_requests_are_answered_413_with_the_limit(
    served_world: tuple[SmallWorld, Server], hospital: httpx.AsyncClient
) -> None:
    """A document of 50 MB, also in a transaction; a transaction of 70 MB; an entry of more than 1 MB."""
    world, server = served_world
    attachment = {"contentType": "text/plain", "data": "QUFB" * (50 * MB // 4)}
    reference: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": LETTER}]},
        "subject": {"reference": f"Patient/{world.persons[0].id}"},
        "content": [{"attachment": attachment}],
    }
    for path, body, limit in (
        ("/fhir/DocumentReference", orjson.dumps(reference), "32,156,330"),
        ("/fhir", build_large_document(world, 50 * MB), "32,156,330"),
        ("/fhir", b'{"resourceType": "Bundle", "entry": [' + b" " * 70 * MB, "67,108,864"),
        ("/fhir", build_bundle(world, "transaction", 2, 1_100_000), "1,048,576"),
    ):
        response = await hospital.post(path, content=body)
        assert response.status_code == 413, response.text[:300]
        [issue] = response.json()["issue"]
        assert issue["code"] == "too-long"
        assert limit in issue["diagnostics"]
    assert server.peak_memory() < MEMORY_LIMIT
    assert Path(f"/proc/{server.pid}").is_dir()
