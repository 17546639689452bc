"""The part of the bench for views (SQL on FHIR): laboratory results as rows, by DuckDB and by the reference engine.

Resources are made by DuckDB: observations as laboratories send them, about 900 bytes each, in Parquet files with one
column of JSON as the lake has it. With `--full` 10 million, else 500,000. The same definition runs over a sample in the
reference engine (FHIRPath in Python), and the rows are compared.
"""

import resource
import time
from pathlib import Path
from typing import Any

import duckdb

from bench.figures import Figures
from esante.core.fhir import decode
from esante.services.research import tables_by_name
from esante.services.research.views_sql.statement import compile_view

TABLE = "laboratory.result"
SAMPLE = 5_000
RESOURCES = """
SELECT concat('{{"resourceType":"Observation","id":"', md5(i::VARCHAR), '","meta":{{"versionId":"1","lastUpdated":"2026-01-',
 lpad((1 + h % 28)::VARCHAR, 2, '0'), 'T08:00:00.000Z","profile":["http://hl7.eu/fhir/laboratory/StructureDefinition/Observation-resultslab-eu-lab"]}},',
 '"identifier":[{{"system":"urn:ietf:rfc:3986","value":"urn:uuid:', md5((i * 7)::VARCHAR), '"}}],"status":"',
 CASE WHEN h % 97 = 0 THEN 'entered-in-error' ELSE 'final' END, '","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"',
 CASE WHEN h % 13 = 0 THEN 'vital-signs' ELSE 'laboratory' END, '","display":"Laboratory"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"',
 h % 9000, '-', h % 10, '","display":"Substance ', h % 9000, ' [Moles/volume] in Serum or Plasma"}}],"text":"Substance ', h % 9000, '"}},',
 '"subject":{{"reference":"Patient/', md5((h % 700000)::VARCHAR), '"}},"effectiveDateTime":"20', lpad((10 + h % 16)::VARCHAR, 2, '0'),
 '-0', 1 + h % 9, '-1', h % 9, 'T07:30:00+01:00","performer":[{{"reference":"Organization/', md5((h % 40)::VARCHAR), '"}}],"valueQuantity":{{"value":',
 (h % 10000) / 100.0, ',"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}},"interpretation":[{{"coding":[{{"code":"',
 ['N', 'H', 'L'][1 + h % 3], '"}}]}}],"referenceRange":[{{"low":{{"value":', (h % 100) / 10.0, '}},"high":{{"value":', (h % 900) / 10.0, '}}}}]}}') AS body
FROM (SELECT i, (hash(i) >> 1)::BIGINT AS h FROM range({first}, {last}) t(i))
"""
FILES = 20


async def views(folder: Path, seconds: float, full: bool) -> Figures:
    """Measure a view over many resources; its rows of a sample are compared with those of the reference engine."""
    count = 10_000_000 if full else 500_000
    folder = folder / "views"
    folder.mkdir()
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as conn:
        for number in range(FILES):
            made = RESOURCES.format(first=count * number // FILES, last=count * (number + 1) // FILES)
            conn.execute(f"COPY ({made}) TO '{folder}/{number}.parquet' (FORMAT parquet, COMPRESSION zstd)")
        source = f"read_parquet('{folder}/*.parquet')"
        size = conn.execute(f"SELECT avg(length(body)) FROM {source}").fetchall()[0]
        view = tables_by_name()[TABLE].view
        statement = compile_view(view)
        begun, used = time.perf_counter(), _processor()
        conn.execute(f"COPY ({statement.over(source)}) TO '{folder}/rows.parquet' (FORMAT parquet, COMPRESSION zstd)")
        taken, processor = time.perf_counter() - begun, _processor() - used
        rows = conn.execute(f"SELECT count(*) FROM '{folder}/rows.parquet'").fetchall()[0]
        sample = f"(SELECT body FROM '{folder}/0.parquet' LIMIT {SAMPLE})"
        found = conn.execute(statement.over(sample)).fetchall()
        bodies = [body for (body,) in conn.execute(f"SELECT body FROM {sample}").fetchall()]
    begun = time.perf_counter()
    expected = [tuple(row.values()) for body in bodies for row in view.rows(decode(body.encode()))]
    reference = time.perf_counter() - begun
    if sorted(map(_plain, found)) != sorted(map(_plain, expected)):
        raise SystemExit("views: the rows of the two engines differ")
    return {
        f"views: {count:,} resources of {size[0]:,.0f} bytes as rows": f"{taken:.1f} s (60 are the aim of 10 million)"
        f"   {processor:.1f} s of processor   {count / taken:,.0f} resources/s   {rows[0]:,} rows",
        "views: the reference engine in one process": f"{SAMPLE / reference:,.0f} resources/s; {len(found):,} rows are equal",
    }


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _plain(row: tuple[Any, ...]) -> str:
    return repr(
        [float(one) if isinstance(one, int | float) or type(one).__name__ == "Decimal" else one for one in row]
    )


PARTS = {"views": views}
