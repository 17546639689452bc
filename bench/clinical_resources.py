"""Parts of the bench for clinical resources: create, load, read and search."""

import gzip
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import orjson

from bench.bench_world import BenchWorld, build_bench_world, open_bench_platform, run_server
from bench.figures import Figures, load_figures
from bench.load_generator import build_request, generate_load
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.identity.directory import Directory

CLIENTS = 32
PORT = 8791
SHARED = Path(os.environ.get("ESANTE_SHARED", Path(__file__).parents[2] / "shared"))
JSON = {"Content-Type": "application/fhir+json"}
MINIMAL = JSON | {"Prefer": "return=minimal"}


def observation(person: str, number: int) -> bytes:
    """Return a laboratory result of 2 KB."""
    return orjson.dumps(
        {
            "resourceType": "Observation",
            "identifier": [{"system": "urn:oid:2.999.1", "value": f"result-{number}"}],
            "status": "final",
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                            "code": "laboratory",
                            "display": "Laboratory",
                        }
                    ]
                }
            ],
            "code": {
                "coding": [
                    {
                        "system": "http://loinc.org",
                        "code": f"{1000 + number % 50}-{number % 10}",
                        "display": "Result",
                    }
                ],
                "text": "Result of the measurement",
            },
            "subject": {"reference": f"Patient/{person}"},
            "effectiveDateTime": f"20{number % 20 + 5:02}-0{number % 9 + 1}-02T08:00:00+01:00",
            "issued": "2026-11-02T09:30:00+01:00",
            "valueQuantity": {
                "value": 5.2 + number % 7,
                "unit": "mmol/l",
                "system": "http://unitsofmeasure.org",
                "code": "mmol/L",
            },
            "interpretation": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
                            "code": "N",
                            "display": "Normal",
                        }
                    ]
                }
            ],
            "note": [{"text": "Measured twice; the mean is given here. " * 28}],
            "referenceRange": [{"low": {"value": 3.9, "unit": "mmol/l"}, "high": {"value": 5.6, "unit": "mmol/l"}}],
            "device": {"display": "Analyser of the second floor"},
        }
    )


def bundles() -> list[bytes]:
    """Return the transactions of Synthea, with placeholders for the patient's identifier; [] without the shared data."""
    found = []
    for path in sorted((SHARED / "data" / "synthea").glob("*.json.gz")):
        bundle = orjson.loads(gzip.decompress(path.read_bytes()))
        patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
        patient["identifier"] = [{"system": "@system@", "value": "@value@"}]
        found.append(orjson.dumps(bundle))
    return found


async def _identifiers(platform: Platform, world: BenchWorld) -> list[tuple[bytes, bytes]]:
    people = [await platform[Directory].person(key) for key in world.persons]
    return [
        (person.identifiers[0].system.encode(), person.identifiers[0].value.encode()) for person in people if person
    ]


async def create(data: Path, seconds: float, full: bool) -> Figures:
    """Measure creates of Observations of 2 KB by 32 clients."""
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, 500)
        persons = [str(person) for person in world.persons]
        template = observation("@person@", 0).split(b"@person@")
        async with run_server(data, PORT) as base:

            def make(number: int) -> bytes:
                body = persons[number % len(persons)].encode().join(template)
                return build_request("POST", f"{base}/fhir/Observation", world.hospital_token, body, MINIMAL)

            result = await generate_load(base, make, clients=CLIENTS, seconds=seconds)
    return {"resource": f"{len(observation(persons[0], 0)):,} bytes"} | load_figures("create", result)


async def load(data: Path, seconds: float, full: bool) -> Figures:
    """Measure transactions of Synthea, one for each person, by 8 clients."""
    templates = bundles()
    if not templates:
        return {"skipped": f"no Synthea bundles in {SHARED / 'data' / 'synthea'}"}
    sizes = [len(orjson.loads(template)["entry"]) for template in templates]
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, 2_000)
        people = await _identifiers(platform, world)
        async with run_server(data, PORT) as base:

            def make(number: int) -> bytes:
                system, value = people[number % len(people)]
                body = templates[number % len(templates)].replace(b"@system@", system).replace(b"@value@", value)
                return build_request("POST", f"{base}/fhir", world.hospital_token, body, MINIMAL)

            result = await generate_load(base, make, clients=8, seconds=seconds)
    count = sum(itertools.islice(itertools.cycle(sizes), len(result.times)))
    return {"resources": f"{count / result.seconds:,.0f}/s"} | load_figures("transactions", result, per=count)


async def clinical(data: Path, seconds: float, full: bool) -> Figures:
    """Measure reads and searches with 10,000 and with 200,000 resources in the database."""
    figures: Figures = {}
    p95: dict[int, float] = {}
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, 2_000)
        have = 0
        for total in (10_000, 200_000):
            persons = world.persons[: total // 100]
            async with run_server(data, PORT) as base:
                await _fill(base, world, have, total)
                await platform.db.fetch("VACUUM (ANALYZE)")  # so that autovacuum does not run during the measurement
                have = total
                rows = await platform.db.fetch(
                    "SELECT person_id, id FROM fhir_resource WHERE type = 'Observation' LIMIT 2000"
                )
                gets = [
                    build_request(
                        "GET", f"{base}/fhir/Observation/{r['person_id'].hex}{r['id'].hex}", world.doctor_token
                    )
                    for r in rows
                ]
                read = await generate_load(base, _each(gets), clients=CLIENTS, seconds=seconds)
                code = quote("http://loinc.org|1007-7")
                queries = [
                    f"code={code}",
                    "category=laboratory&_sort=-date&_count=20",
                    "date=ge2015&value-quantity=gt7",
                ]
                searches = [
                    build_request("GET", f"{base}/fhir/Observation?patient={person}&{query}", world.doctor_token)
                    for person, query in zip(persons, itertools.cycle(queries), strict=False)
                ]
                alone = await generate_load(base, _each(searches), clients=1, seconds=seconds)
                many = await generate_load(base, _each(searches), clients=CLIENTS, seconds=seconds)
            p95[total] = alone.percentile(0.95)
            figures |= load_figures(f"{total:,} resources: read", read)
            figures |= load_figures(f"{total:,} resources: search, one client", alone)
            figures |= load_figures(f"{total:,} resources: search, 32 clients", many)
    figures["ratio of the searches' p95"] = f"{p95[200_000] / p95[10_000]:.2f} x"
    return figures


def _each(requests: list[bytes]) -> Callable[[int], bytes]:
    return lambda number: requests[number % len(requests)]


async def _fill(base: str, world: BenchWorld, have: int, total: int) -> None:
    """Create a hundred Observations for each further person, by transactions."""
    persons = world.persons[have // 100 : total // 100]
    resources = [orjson.loads(observation("@person@", number)) for number in range(100)]
    entries = [
        {"fullUrl": f"urn:uuid:{uuid7()}", "resource": resource, "request": {"method": "POST", "url": "Observation"}}
        for resource in resources
    ]
    template = orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})

    def make(number: int) -> bytes:
        body = template.replace(b"@person@", str(persons[number]).encode())
        return build_request("POST", f"{base}/fhir", world.hospital_token, body, MINIMAL)

    made = await generate_load(base, make, clients=4, seconds=600, max_requests=len(persons))
    if set(made.statuses) != {200}:
        raise RuntimeError(f"creating the resources failed: {made.statuses}")
