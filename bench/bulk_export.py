"""Bulk export: resources per second written to files."""

import asyncio
from pathlib import Path
from time import perf_counter, process_time
from uuid import UUID

import orjson

from bench.bench_world import build_bench_world, fhir_document, open_bench_platform
from bench.figures import Figures
from esante.contract import Platform
from esante.identity.access import Requester, requester_of
from esante.services.export import SETTLING, ExportLevel, ExportParams, Exports
from esante.services.record import Deposit, Record


async def export(data: Path, seconds: float, full: bool) -> Figures:
    """Measure an export of all that a doctor sees of many persons: with indexing of their documents, then again."""
    persons, each = (2_000 if full else 200), 2
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, persons)
        hospital, doctor = requester_of(world.hospital), requester_of(world.doctor, world.hospital)
        documents = [_document(number) for number in range(each)]
        for person in world.persons:
            for document in documents:
                await platform[Record].deposit(hospital, person, document, Deposit())
        figures: Figures = {"persons": f"{persons:,}, each {each} documents of {len(documents[0]):,} bytes"}
        for what in ("first", "again"):
            figures[what] = await _measure_export(platform, doctor)
    return figures


def _document(number: int) -> bytes:
    """Return a document with unique results."""
    bundle = orjson.loads(fhir_document())
    bundle["identifier"]["value"] = f"urn:uuid:{UUID(int=number)}"
    results = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Observation"]
    for place, result in enumerate(results):
        result["valueQuantity"]["value"] = 1_000 * number + place
    return orjson.dumps(bundle)


async def _measure_export(platform: Platform, requester: Requester) -> str:
    everything = ExportParams(types=None, since=None, ignored=())
    await platform[Exports].kick_off(requester, everything, "bench", level=ExportLevel.SYSTEM)
    await asyncio.sleep(SETTLING.total_seconds())
    wall, processor = perf_counter(), process_time()
    while await platform[Exports].worker.advance():
        pass
    wall, processor = perf_counter() - wall, process_time() - processor
    [job, *_] = await platform[Exports].jobs(requester)
    files = await platform[Exports].files(job)
    lines, size = sum(file.lines for file in files), sum(file.size for file in files)
    return (
        f"{lines / wall:,.0f} resources/s   {lines:,} in {wall:.1f} s, {size / 1e6:,.0f} MB"
        f"   processor time of one {processor / lines * 1e6:,.0f} µs"
    )


PARTS = {"export": export}
