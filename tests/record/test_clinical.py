"""Clinical resources over HTTP: create, read, change, delete, history, conditional requests."""

import asyncio
import base64

import orjson
import pytest

from esante.access import requester_of
from esante.fhir import check
from esante.storage import uuid7

from .conftest import BASE, FHIR

PATCH = {"Content-Type": "application/json-patch+json"}
LABEL = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def observation(person, code: str = "718-7", value: str = "14.10", **fields) -> bytes:
    """An Observation of a person as JSON, with a value that keeps its digits."""
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{person.id}"},
        "effectiveDateTime": "2024-03-11T10:15:00Z",
        "valueQuantity": {"value": "@value", "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
    } | fields
    return orjson.dumps(resource).replace(b'"@value"', value.encode())


def identified(value: str) -> dict:
    return {"identifier": [{"system": "urn:lab", "value": value}]}


async def create(client, body: bytes, type_: str = "Observation", **headers):
    return await client.post(f"/fhir/{type_}", content=body, headers=FHIR | headers)


async def test_created_read_and_found_again(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        made = await create(hospital, observation(person))
        assert made.status_code == 201, made.text
        resource = made.json()
        assert made.headers["etag"] == 'W/"1"'
        assert made.headers["location"] == f"{BASE}/fhir/Observation/{resource['id']}/_history/1"
        assert resource["meta"]["versionId"] == "1"
        assert b'"value":14.10' in made.content
    async with world.client(world.people["doctor"]) as doctor:
        read = await doctor.get(f"/fhir/Observation/{resource['id']}")
        assert (read.status_code, read.content) == (200, made.content)
        assert read.headers["etag"] == 'W/"1"'
        found = await doctor.get("/fhir/Observation", params={"patient": str(person.id), "code": "718-7"})
        assert found.status_code == 200, found.text
        [entry] = found.json()["entry"]
        assert entry["resource"] == resource
        assert found.json()["total"] == 1
        assert check(found.content).ok, check(found.content).issues
