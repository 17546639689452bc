"""The bulletin's figures over the lake: one month, 36 months, beside the same figures by SQL on PostgreSQL."""

import os
import resource
import shutil
from pathlib import Path
from time import perf_counter, process_time

import asyncpg
import duckdb

from bench.told import Figures
from esante.core.storage.embedded import start, stop
from esante.services.bulletin.compilation.indicator_spec import IndicatorSpecification
from esante.services.bulletin.compilation.lake_store import LakeEngine, indicator_statement, open_engine

MONTHS = 36
RECORD_STATES, PROFESSIONALS, PLACES = 1_200_000, 4_000, 300
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
    """Figures of a month of 2.8 million events and of 36 (100,000 each without --full), and PostgreSQL beside."""
    each = 2_780_000 if full else 100_000
    data.mkdir(parents=True)
    files = _generated(data, each)
    figures: Figures = {"events": f"{each * MONTHS:,} in {MONTHS} months, {sum(_size(f) for f in files):,} bytes"}
    specification, state = IndicatorSpecification.from_packages(), None
    with open_engine(data / "scratch") as engine:
        began, cpu = perf_counter(), process_time()
        for place, file in enumerate(files):
            state, before = data / f"subjects-{place % 2}.parquet", state
            engine.open_events([file])
            engine.fold(before, state)
            once, once_cpu = perf_counter(), process_time()
            _count(engine, specification, file, state)
            month, month_cpu = perf_counter() - once, process_time() - once_cpu
        figures[f"the figures of one month of {each:,}"] = f"{month:.2f} s, {month_cpu:.2f} s of processor time"
        whole, whole_cpu = perf_counter() - began, process_time() - cpu
        figures[f"{MONTHS} months, with the state of records"] = f"{whole:.1f} s, {whole_cpu:.1f} s of processor time"
    figures["most memory"] = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB"
    figures |= await _beside(data, files[-1], min(each, 278_000), specification)
    return figures


def _generated(data: Path, each: int) -> list[Path]:
    """The lake's files, made straight as Parquet in its layout; uniform chance is the worst case for compression."""
    files = [data / f"{month}.parquet" for month in range(MONTHS)]
    made = duckdb.connect()
    for place, path in enumerate(files):
        numbers = {"first": place * each + 1, "count": each, "path": path}
        made.execute(_EVENTS.format(subjects=RECORD_STATES, professionals=PROFESSIONALS, places=PLACES, **numbers))
    made.close()
    return files


def _size(path: Path) -> int:
    return path.stat().st_size


def _count(engine: LakeEngine, specification: IndicatorSpecification, file: Path, state: Path) -> None:
    engine.open_month([file], state)
    for indicator in specification.indicators.values():
        if indicator.sql:
            engine.count(indicator)


async def _beside(data: Path, file: Path, count: int, specification: IndicatorSpecification) -> Figures:
    """The same statements on PostgreSQL, over a table with a part of a month's events and an index on their type."""
    part = data / "part.csv"
    made = duckdb.connect()
    made.execute(f"COPY (SELECT * FROM '{file}' LIMIT {count}) TO '{part}' (HEADER false, NULLSTR '\\N')")
    columns = ", ".join(
        f"{name} {'text' if kind == 'VARCHAR' else 'smallint' if kind == 'TINYINT' else kind}"
        for name, kind, *_ in made.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()
    )
    small = data / "part.parquet"
    made.execute(f"COPY (SELECT * FROM '{file}' LIMIT {count}) TO '{small}' (FORMAT parquet, COMPRESSION zstd)")
    made.close()
    wanted = [
        indicator
        for indicator in specification.indicators.values()
        if indicator.sql and "subjects" not in indicator.sql
    ]
    with open_engine(data / "scratch") as engine:
        engine.open_events([small])
        began = perf_counter()
        theirs = {indicator.id: engine.count(indicator) for indicator in wanted}
        ours = perf_counter() - began
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
                assert total == theirs[indicator.id][0].value, indicator.id
        other = perf_counter() - began
    finally:
        await conn.close()
        stop(data / "pg")
        shutil.rmtree(data / "scratch", ignore_errors=True)
    os.sync()
    return {
        f"{len(wanted)} figures of {count:,} events here": f"{ours:.2f} s",
        "the same statements on PostgreSQL": f"{other:.2f} s",
        "ratio": f"{other / ours:.1f} x",
    }
