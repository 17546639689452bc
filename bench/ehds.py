"""The part of the bench for the European format: a patient summary on demand for a person with 5,000 resources."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import orjson

from bench.bench_world import build_bench_world, open_bench_platform
from bench.figures import Figures
from esante.contract import Platform
from esante.core.fhir import encode
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.core.types import Json
from esante.identity.access import requester_of
from esante.services.ehds.formats import Formats, Order, check_document, find_kind
from esante.services.record import Deposit, Record

RESOURCES, DOCUMENTS = 5_000, 50
_MIX = (("Condition", 4), ("Procedure", 4), ("MedicationStatement", 4), ("Immunization", 2), ("Observation", 86))
"""Of 100 resources of a document, how many are of each type, as in SYNDERAI's and Synthea's long records."""


async def ehds(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the summary of a person with 5,000 resources, beside reading the same resources by $everything's query."""
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, 1)
        person, hospital, doctor = world.persons[0], requester_of(world.hospital), requester_of(world.doctor)
        for number in range(DOCUMENTS):
            meta = Deposit(media_type="application/fhir+json", confirmation="bench")
            await platform[Record].deposit(hospital, person, _document(number), meta)
        kind = find_kind("patient-summary", today())
        assert kind is not None
        order = Order(kind=kind, language="en")
        formats = platform[Formats]

        async def build() -> bytes:
            return encode((await formats.build_document(doctor, person, order)).bundle)

        content = await build()
        summary = await _times(build, seconds)
        plain = await _times(_reading(platform, person), seconds)
        began = time.process_time()
        check = check_document(content, today())
        return {
            "resources of the record": RESOURCES,
            "summary on demand": _line(summary),
            "the same resources read and not selected": _line(plain),
            "size of the summary": f"{len(content) / 1e3:.0f} kB, {len(orjson.loads(content)['entry'])} entries",
            "check of the summary": f"{(time.process_time() - began) * 1e3:.0f} ms, {'no error' if check.ok else 'ERRORS'}",
        }


def _reading(platform: Platform, person: UUID) -> Callable[[], Awaitable[object]]:
    """Return the plain twin: all resources of the person as a requester reads them, without a summary."""
    doctor = platform[Record].clinical

    async def read() -> object:
        types = [type_ for type_, _ in _MIX]
        return await doctor.compile_types(person, types, RESOURCES)

    return read


async def _times(act: Callable[[], Awaitable[object]], seconds: float) -> list[tuple[float, float]]:
    """Return time and processor time in milliseconds of each act, for some seconds and at least 20 times."""
    found: list[tuple[float, float]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(found) < 20:
        began, used = time.perf_counter(), time.process_time()
        await act()
        found.append(((time.perf_counter() - began) * 1e3, (time.process_time() - used) * 1e3))
    return found


def _line(times: list[tuple[float, float]]) -> str:
    elapsed, used = sorted(one for one, _ in times), sorted(one for _, one in times)
    at = [values[int(len(values) * part)] for values, part in ((elapsed, 0.5), (elapsed, 0.95), (used, 0.5))]
    return f"p50 {at[0]:.0f} ms   p95 {at[1]:.0f} ms   own processor time {at[2]:.0f} ms   ({len(times)} times)"


def _document(number: int) -> bytes:
    """Return a document of 100 resources of one year."""
    urls = [f"urn:uuid:{uuid7()}" for _ in range(RESOURCES // DOCUMENTS + 2)]
    patient, entries, types = urls[1], [], [type_ for type_, count in _MIX for _ in range(count)]
    for place, type_ in enumerate(types):
        entries.append({"fullUrl": urls[place + 2], "resource": _resource(type_, number, place, patient)})
    composition: Json = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"coding": [{"system": "http://loinc.org", "code": "18842-5"}]},
        "subject": {"reference": patient},
        "date": f"{1976 + number}-06-01",
        "author": [{"display": "Clinique de mesure"}],
        "title": "Report",
        "section": [{"title": "All", "entry": [{"reference": one["fullUrl"]} for one in entries]}],
    }
    first = [
        {"fullUrl": urls[0], "resource": composition},
        {"fullUrl": patient, "resource": {"resourceType": "Patient", "name": [{"family": "Mesure"}]}},
    ]
    identifier = {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid7()}"}
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "type": "document",
            "identifier": identifier,
            "timestamp": f"{1976 + number}-06-01T08:00:00Z",
            "entry": [*first, *entries],
        }
    )


def _resource(type_: str, number: int, place: int, patient: str) -> Json:
    day = f"{1976 + number}-{place % 12 + 1:02}-{place % 28 + 1:02}"
    about = {"patient" if type_ == "Immunization" else "subject": {"reference": patient}}
    coded = {"coding": [{"system": "http://loinc.org", "code": f"{1000 + place}-{place % 10}", "display": "Measured"}]}
    named = {"text": f"Product {place}"}
    made: Json = {"resourceType": type_, **about}
    match type_:
        case "Observation":
            category = "vital-signs" if place % 4 == 0 else "laboratory"
            system = "http://terminology.hl7.org/CodeSystem/observation-category"
            value = {"value": 5.2 + place, "unit": "mmol/l", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
            made |= {"status": "final", "code": coded, "effectiveDateTime": f"{day}T08:00:00Z", "valueQuantity": value}
            made |= {"category": [{"coding": [{"system": system, "code": category}]}]}
            made |= {
                "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 5.6}}],
                "note": [{"text": "n" * 200}],
            }
        case "Condition":
            made |= {"code": {"text": f"Problem {place} of {number // 10}"}, "onsetDateTime": day}
        case "Procedure":
            made |= {"status": "completed", "code": coded, "performedDateTime": day}
        case "MedicationStatement":
            made |= {"status": "completed" if number % 10 else "active", "medicationCodeableConcept": named}
            made |= {"effectiveDateTime": day}
        case "Immunization":
            made |= {"status": "completed", "vaccineCode": named, "occurrenceDateTime": day}
    return made


PARTS = {"ehds": ehds}
