"""The parts of the bench: each prepares a platform, measures, and returns figures by line."""

from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from time import perf_counter

from bench import clinical_resources
from bench.bench_world import (
    BenchWorld,
    DepositBodies,
    build_bench_world,
    fhir_document,
    open_bench_platform,
    run_server,
)
from bench.bulletin import bulletin
from bench.figures import Figures, load_figures
from bench.forecasts import forecasts
from bench.load_generator import build_request, generate_load
from bench.validation import validation
from esante.core.journal import Actor
from esante.core.storage import uuid7
from esante.services.notices import NoticesRead
from esante.services.record import Record

CLIENTS = 32
PORT = 8791


async def deposit(data: Path, seconds: float, full: bool) -> Figures:
    """Measure deposits of 20 KB FHIR documents by 32 clients, with all checks and the journal; then without group commit."""
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, 500)
        document = fhir_document()
        figures: Figures = {"document": f"{len(document):,} bytes"}
        async with run_server(data, PORT) as base:
            shared = await generate_load(base, _deposits(base, world, document, 1), clients=CLIENTS, seconds=seconds)
        async with run_server(data, PORT + 1, group_commit="0") as base:
            each = await generate_load(
                base, _deposits(base, world, document, 1 << 40), clients=CLIENTS, seconds=seconds
            )
    figures |= load_figures("group commit", shared) | load_figures("one commit per request", each)
    figures["ratio"] = f"{shared.rate / each.rate:.1f} x"
    return figures


def _deposits(base: str, world: BenchWorld, document: bytes, first: int) -> Callable[[int], bytes]:
    headers = {"Content-Type": "application/fhir+json"}
    bodies = DepositBodies(document)

    def make(number: int) -> bytes:
        person = world.persons[number % len(world.persons)]
        body = bodies.body(person, first + number)
        return build_request("POST", f"{base}/fhir/DocumentReference", world.hospital_token, body, headers)

    return make


async def read(data: Path, seconds: float, full: bool) -> Figures:
    """Measure reads of a document by 32 clients, with decision and journal."""
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, 200)
        document = fhir_document()
        async with run_server(data, PORT) as base:
            await generate_load(base, _deposits(base, world, document, 1), clients=CLIENTS, seconds=3)
            rows = await platform.db.fetch("SELECT person_id, document_id AS id FROM document LIMIT 1000")
            urls = [f"{base}/fhir/Bundle/{row['person_id'].hex}{row['id'].hex}" for row in rows]
            made = [build_request("GET", url, world.doctor_token) for url in urls]
            result = await generate_load(base, lambda i: made[i % len(made)], clients=CLIENTS, seconds=seconds)
    return load_figures("read", result)


async def timeline(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the list of a person with 500 documents, among 10,000 documents in the database and among more."""
    figures: Figures = {}
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, 2_000)
        person, p95 = world.persons[0], {}
        for total in (10_000, *([1_000_000] if full else [100_000])):
            await _fill(platform, world, total)
            async with run_server(data, PORT) as base:
                url = f"{base}/fhir/DocumentReference?patient={person}&_count=200"
                made = build_request("GET", url, world.doctor_token)
                result = await generate_load(base, lambda _, made=made: made, clients=1, seconds=seconds)
            p95[total] = result.percentile(0.95)
            figures |= load_figures(f"{total:,} documents, a page of 200 of 500", result)
    few, many = sorted(p95)
    figures["ratio of p95"] = f"{p95[many] / p95[few]:.2f} x"
    return figures


async def _fill(platform, world: BenchWorld, total: int) -> None:
    """Insert rows of documents: 500 of the first person, the rest evenly over the others."""
    have = await platform.db.fetchval("SELECT count(*) FROM document")
    sample = await platform.db.fetchrow("SELECT * FROM document LIMIT 1")
    if sample is None:
        from esante.identity.access import requester_of
        from esante.services.record import Deposit

        for number in range(1):
            await platform[Record].deposit(
                requester_of(world.hospital),
                world.persons[0],
                b"text %d" % number,
                Deposit(
                    type="18842-5", title="Lettre", media_type="text/plain", event_date=date(2026, 1, 1), language="fr"
                ),
            )
        have = 1
    columns = [
        row["attname"]
        for row in await platform.db.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'document'::regclass AND attnum > 0 AND NOT attisdropped"
        )
    ]
    own = {"person_id", "document_id", "series_id", "sha256", "event_date"}
    kept = ", ".join(f"s.{name}" for name in columns if name not in own)
    others = ", ".join(name for name in columns if name not in own)
    persons = world.persons
    for first in range(have, total, 50_000):
        numbers = range(first, min(first + 50_000, total))
        owners = [persons[0] if n < 500 else persons[1 + n % (len(persons) - 1)] for n in numbers]
        ids = [uuid7() for _ in numbers]
        await platform.db.fetch(
            f"INSERT INTO document (person_id, document_id, series_id, sha256, event_date, {others})"
            f" SELECT p, i, i, sha256(uuid_send(i)), date '2026-01-01' - (random() * 3000)::int, {kept}"
            " FROM unnest($1::uuid[], $2::uuid[]) AS n (p, i), (SELECT * FROM document LIMIT 1) s",
            owners,
            ids,
        )
    await platform.db.fetch("ANALYZE document")


async def verify(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the verification of the whole journal, with cold caches."""
    count = 1_000_000 if full else 400_000
    async with open_bench_platform(data) as platform:
        persons = [uuid7() for _ in range(5_000)]
        actor = Actor(
            kind="practitioner", id=uuid7(), name="Dr Mesure", role="doctor", organization="Clinique de mesure"
        )
        from esante.core.storage import insert

        for first in range(0, count, 20_000):
            rows = [
                row
                for number in range(first, first + 20_000)
                for row in platform.journal.rows(
                    NoticesRead(count=number), person_id=persons[number % 5_000], actor=actor, origin="127.0.0.1"
                )
            ]
            async with platform.db.transaction() as conn:
                await insert(conn, rows)
        began = perf_counter()
        sealed = await platform.journal.sealer.seal_all()
        sealing = perf_counter() - began
        # By the time of a verification, autovacuum has done this for all but the newest entries.
        await platform.db.fetch("VACUUM ANALYZE")
        began = perf_counter()
        report = await platform.journal.verify(platform.dsn)
        took = perf_counter() - began
    assert report.ok
    return {
        "entries": f"{report.entries:,}",
        "sealed": f"{sealed / sealing:,.0f}/s",
        "verified": f"{report.entries / took:,.0f}/s",
    }


PARTS: dict[str, Callable[[Path, float, bool], Awaitable[Figures]]] = {
    "deposit": deposit,
    "read": read,
    "timeline": timeline,
    "verify": verify,
    "validation": validation,
    "create": clinical_resources.create,
    "load": clinical_resources.load,
    "clinical": clinical_resources.clinical,
    "bulletin": bulletin,
    "forecasts": forecasts,
}
