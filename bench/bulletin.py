"""Counting of the bulletin's indicators over the lake: one month, 36 months, and the same statements on PostgreSQL."""

import os
import resource
import shutil
from pathlib import Path
from time import perf_counter, process_time

import asyncpg
import duckdb

from bench.figures import Figures
from esante.core.storage.embedded import start, stop
from esante.services.bulletin.compilation.indicator_spec import IndicatorSpecification
from esante.services.bulletin.compilation.lake_store import LakeEngine, indicator_statement, open_engine

MONTHS = 36
SUBJECTS, PROFESSIONALS, PLACES = 1_200_000, 4_000, 300
_EVENTS = """
COPY (
    SELECT {first} + range AS seq, timestamp '2024-01-01' + to_microseconds(range * 2678400000000 // {count}) AS moment,
        timestamp '2024-02-01' AS sealed, (1 + range * 31 // {count})::TINYINT AS day,
        (range * 744 // {count})::SMALLINT AS hour,
        CASE WHEN r < 450 THEN 'record.read' WHEN r < 650 THEN 'record.deposited' WHEN r < 900 THEN 'record.listed'
            WHEN r < 950 THEN 'access.signed_in' WHEN r < 970 THEN 'access.granted' WHEN r < 980 THEN 'record.refused'
            WHEN r < 990 THEN 'access.state_changed' ELSE 'access.log_read' END AS type,
        who AS subject, CASE WHEN own THEN 'patient' ELSE 'practitioner' END AS actor_kind,
        CASE WHEN own THEN who ELSE (hash(range * 11) % {professionals} * 104729)::BIGINT + 7 END AS actor,
        ['doctor', 'nurse', 'pharmacist', 'laboratory', 'hospital'][1 + (hash(range * 13) % 5)::INT] AS role,
        (hash(range * 17) % {places} * 15485863)::BIGINT + 3 AS organization, true AS allowed, 'TREAT' AS purpose,
        CASE WHEN r < 970 THEN '' ELSE 'no-grant' END AS reason, '' AS grant_kind,
        ['lab', 'imaging', 'letter', 'summary', 'prescription', 'other'][1 + (hash(range * 19) % 6)::INT] AS category,
        CASE WHEN r >= 980 THEN 'open' WHEN r >= 950 THEN 'circle' ELSE '' END AS kind,
        ['application/pdf', 'application/fhir+json', 'text/plain'][1 + (hash(range * 23) % 3)::INT] AS format,
        (hash(range * 29) % 40)::BIGINT AS amount, NULL::BIGINT AS requests, NULL::BIGINT AS errors
    FROM (
        SELECT range, (hash({first} + range) % 1000)::INT AS r, r < 300 OR r BETWEEN 900 AND 949 AS own,
            (hash(range * 7 + {first}) % {subjects})::BIGINT * 7919 + 1 AS who FROM range({count})
    ) made
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


async def bulletin(data: Path, seconds: float, full: bool) -> Figures:
    """Measure months of 2.8 million events (100,000 without --full), and the same statements on PostgreSQL."""
    each = 2_780_000 if full else 100_000
    data.mkdir(parents=True)
    files = _generate_lake(data, each)
    figures: Figures = {"events": f"{each * MONTHS:,} in {MONTHS} months, {sum(_size(f) for f in files):,} bytes"}
    specification, state = IndicatorSpecification.from_packages(), None
    with open_engine(data / "scratch") as engine:
        began, cpu = perf_counter(), process_time()
        for number, file in enumerate(files):
            state, before = data / f"subjects-{number % 2}.parquet", state
            engine.open_events([file])
            engine.write_record_states(before, state)
            month_began, month_began_cpu = perf_counter(), process_time()
            _count(engine, specification, file, state)
            month, month_cpu = perf_counter() - month_began, process_time() - month_began_cpu
        figures[f"the figures of one month of {each:,}"] = f"{month:.2f} s, {month_cpu:.2f} s of processor time"
        total, total_cpu = perf_counter() - began, process_time() - cpu
        figures[f"{MONTHS} months, with the state of records"] = f"{total:.1f} s, {total_cpu:.1f} s of processor time"
    figures["most memory"] = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB"
    figures |= await _compare_with_postgresql(data, files[-1], min(each, 278_000), specification)
    return figures


def _generate_lake(data: Path, each: int) -> list[Path]:
    """Write files in the layout of the lake; uniform random values are the worst case for compression."""
    files = [data / f"{month}.parquet" for month in range(MONTHS)]
    connection = duckdb.connect()
    for number, path in enumerate(files):
        numbers = {"first": number * each + 1, "count": each, "path": path}
        connection.execute(_EVENTS.format(subjects=SUBJECTS, professionals=PROFESSIONALS, places=PLACES, **numbers))
    connection.close()
    return files


def _size(path: Path) -> int:
    return path.stat().st_size


def _count(engine: LakeEngine, specification: IndicatorSpecification, file: Path, state: Path) -> None:
    engine.open_month([file], state)
    for indicator in specification.indicators.values():
        if indicator.sql:
            engine.count(indicator)


async def _compare_with_postgresql(
    data: Path, file: Path, count: int, specification: IndicatorSpecification
) -> Figures:
    """Run the statements on PostgreSQL, over a table with a part of a month's events and an index on their type."""
    part = data / "part.csv"
    connection = duckdb.connect()
    connection.execute(f"COPY (SELECT * FROM '{file}' LIMIT {count}) TO '{part}' (HEADER false, NULLSTR '\\N')")
    columns = ", ".join(
        f"{name} {'text' if kind == 'VARCHAR' else 'smallint' if kind == 'TINYINT' else kind}"
        for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()
    )
    small = data / "part.parquet"
    connection.execute(f"COPY (SELECT * FROM '{file}' LIMIT {count}) TO '{small}' (FORMAT parquet, COMPRESSION zstd)")
    connection.close()
    wanted = [
        indicator
        for indicator in specification.indicators.values()
        if indicator.sql and "subjects" not in indicator.sql
    ]
    with open_engine(data / "scratch") as engine:
        engine.open_events([small])
        began = perf_counter()
        expected = {indicator.id: engine.count(indicator) for indicator in wanted}
        duckdb_seconds = perf_counter() - began
    conn = await asyncpg.connect(start(data / "pg").dsn)
    try:
        await conn.execute(f"CREATE TABLE events ({columns}); CREATE INDEX ON events (type)")
        await conn.copy_to_table("events", source=str(part), format="csv", null="\\N")
        await conn.execute("ANALYZE events")
        began = perf_counter()
        for indicator in wanted:
            rows = await conn.fetch(indicator_statement(indicator))
            total = next((row["value"] for row in rows if not row["breakdown"]), 0)
            if indicator.measure in ("rows", "units"):
                assert total == expected[indicator.id][0].value, indicator.id
        postgresql_seconds = perf_counter() - began
    finally:
        await conn.close()
        stop(data / "pg")
        shutil.rmtree(data / "scratch", ignore_errors=True)
    os.sync()
    return {
        f"{len(wanted)} figures of {count:,} events here": f"{duckdb_seconds:.2f} s",
        "the same statements on PostgreSQL": f"{postgresql_seconds:.2f} s",
        "ratio": f"{postgresql_seconds / duckdb_seconds:.1f} x",
    }
