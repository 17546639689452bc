"""The memory of a server process while much comes in at once: measured on a real one, by the kernel's own count."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from esante.core.storage import uuid7
from tests.e2e.conftest import copy_of
from tests.e2e.papers import LETTER, discharge_letter, provided
from tests.e2e.processes import Server
from tests.e2e.worlds import LOCAL, World

MB = 1_000_000
MOST = 300 * 1024 * 1024
"""Bytes that a worker may hold while 50 MB come in."""
MINIMAL = {"Prefer": "return=minimal"}


@pytest.fixture(scope="module")
def busy(template: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Server]]:
    """A small world on a server of its own."""
    world = copy_of(template, tmp_path_factory.mktemp("memory") / "data")
    with Server(world.data) as server:
        yield world, server
    shutil.rmtree(world.data, ignore_errors=True)


@pytest.fixture
async def hospital(busy: tuple[World, Server]) -> AsyncIterator[httpx.AsyncClient]:
    """The hospital's software."""
    world, server = busy
    headers = {**world.bearer("hospital"), "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(base_url=server.base, headers=headers, timeout=300) as http:
        yield http


def requests(world: World, kind: str, entries: int, size: int) -> bytes:
    """A batch or transaction that creates Observations of some size; their values differ."""
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


def document(world: World, size: int, note: int = 2_000) -> bytes:
    """A submission of a FHIR document of many resources, each with a note of some length."""
    person = world.persons[1]
    about = {
        "identifier": [{"system": LOCAL, "value": person.identifiers[0].value}],
        "name": [{"family": person.family}],
    }
    found = discharge_letter(about, "Bon état.")
    patient = found["entry"][1]["fullUrl"]
    measured = {"resourceType": "Observation", "status": "final", "code": {"text": "height"}}
    measured |= {"subject": {"reference": patient}} | ({"note": [{"text": "x" * note}]} if note else {})
    count = size // (len(orjson.dumps(measured)) + 75)
    found["entry"] += [{"fullUrl": uuid7().urn, "resource": measured} for _ in range(count)]
    return orjson.dumps(provided({"reference": f"Patient/{person.id}"}, found))


SENT: dict[str, Callable[[World], bytes]] = {
    "a transaction of many entries": lambda world: requests(world, "transaction", 19_500, 2_560),
    "a transaction of large entries": lambda world: requests(world, "transaction", 50, 1_000_000),
    "a batch": lambda world: requests(world, "batch", 199, 250_000),
}


@pytest.mark.long
@pytest.mark.parametrize("name", SENT)
async def test_50_megabytes_of_requests_are_taken_in_little_memory(
    busy: tuple[World, Server], hospital: httpx.AsyncClient, name: str
) -> None:
    world, server = busy
    body = SENT[name](world)
    assert 48 * MB < len(body) < 55 * MB
    answer = await hospital.post("/fhir", content=body, headers=MINIMAL)
    assert answer.status_code == 200, answer.text[:500]
    assert {one["response"]["status"][:3] for one in answer.json()["entry"]} == {"201"}
    assert server.memory() < MOST


@pytest.mark.long
async def test_two_at_once_are_taken_one_after_the_other(
    busy: tuple[World, Server], hospital: httpx.AsyncClient
) -> None:
    world, server = busy
    bodies = [SENT["a transaction of many entries"](world), SENT["a batch"](world)]
    answers = await asyncio.gather(*(hospital.post("/fhir", content=body, headers=MINIMAL) for body in bodies))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert server.memory() < MOST


@pytest.mark.long
@pytest.mark.parametrize(("size", "note"), [(19 * MB, 2_000), (9 * MB, 0)], ids=["large", "many"])
async def test_the_largest_documents_are_taken_in_little_memory(
    busy: tuple[World, Server], hospital: httpx.AsyncClient, size: int, note: int
) -> None:
    """In bytes, and in elements."""
    world, server = busy
    answer = await hospital.post("/fhir", content=document(world, size, note), headers=MINIMAL)
    assert answer.status_code == 200, answer.text[:500]
    found = await hospital.get(f"/fhir/Observation?patient={world.persons[1].id}&_count=1")
    assert found.status_code == 200
    assert server.memory() < MOST


@pytest.mark.long
async def test_many_elements_are_refused_in_little_memory(
    busy: tuple[World, Server], hospital: httpx.AsyncClient
) -> None:
    """A document of tiny resources, and Bundles whose entries, parts or text are as many as there is room for."""
    world, server = busy
    batch = b'{"resourceType": "Bundle", "type": "batch", "entry": ['
    for body, status, told in (
        (document(world, 19 * MB, 0), 422, "400,000 elements"),
        (batch + b"{}," * 20 * MB + b"{}]}", 413, "20,000 entries"),
        (batch + b'{"link": [' + b"{}," * 20 * MB + b"{}]}]}", 422, "Send less at once"),
        (batch + b'{"resource": {"a": [' + b"{}," * 9 * MB + b"{}}}]}", 422, "400,000 elements"),
    ):
        answer = await hospital.post("/fhir", content=body, headers=MINIMAL)
        assert answer.status_code == status, answer.text[:500]
        assert told in answer.text
        assert server.memory() < MOST, told


async def test_what_is_too_large_is_told_so(busy: tuple[World, Server], hospital: httpx.AsyncClient) -> None:
    """A document of 50 MB, also in a transaction; a transaction of 70 MB; a resource of more than 1 MB in one."""
    world, server = busy
    paper = {"contentType": "text/plain", "data": "QUFB" * (50 * MB // 4)}
    reference: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": LETTER}]},
        "subject": {"reference": f"Patient/{world.persons[0].id}"},
        "content": [{"attachment": paper}],
    }
    for path, body, limit in (
        ("/fhir/DocumentReference", orjson.dumps(reference), "32,156,330"),
        ("/fhir", document(world, 50 * MB), "32,156,330"),
        ("/fhir", b'{"resourceType": "Bundle", "entry": [' + b" " * 70 * MB, "67,108,864"),
        ("/fhir", requests(world, "transaction", 2, 1_100_000), "1,048,576"),
    ):
        answer = await hospital.post(path, content=body)
        assert answer.status_code == 413, answer.text[:300]
        [issue] = answer.json()["issue"]
        assert issue["code"] == "too-long"
        assert limit in issue["diagnostics"]
    assert server.memory() < MOST
    assert Path(f"/proc/{server.pid}").is_dir()
