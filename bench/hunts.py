"""The part of the bench for hunts: many events in Parquet files, searched by the program's statements.

The events are made by DuckDB, with as many different values as a hospital has accounts, hosts and peers. ESANTE_HUNT_FILES:
a folder in which they are kept for the next time. With `--full` 100 million events, else 3 million. Where `chdb` is
installed (requirements/bench.txt), ClickHouse answers the same hunts over the same files, and the counts are compared.
"""

import os
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from bench.figures import Figures
from esante.services.soc.hunting import query_store
from esante.services.soc.hunting.model import Condition, Hunt, Operator
from esante.services.soc.hunting.parquet_file import engine
from esante.services.soc.hunting.rules import checked_hunt

MEMBERS = 10
SPAN = {"since": datetime(2026, 10, 1, tzinfo=UTC), "until": datetime(2026, 12, 1, tzinfo=UTC)}
EVENTS = """
CREATE OR REPLACE VIEW given AS SELECT
 (TIMESTAMP '2026-10-01' + to_days({day}) + to_milliseconds((i * 86400000 / {rows})::BIGINT))::TIMESTAMP_MS AS time,
 md5(concat('{member}-{day}-', i)) AS event_id, concat('source-', h % 20) AS source_id,
 [1007, 3002, 4001, 4003, 1001, 6005][1 + h % 6]::INTEGER AS class_uid, (h // 7 % 5)::INTEGER AS severity_id,
 (1 + h // 11 % 2)::INTEGER AS status_id,
 ['microsoft-windows-sysmon', 'security', 'fortigate', 'bind', 'orthanc'][1 + h % 5] AS product,
 concat('ws-', h // 13 % 800) AS host, concat('user', h // 17 % 1500) AS user_name,
 concat('10.', {member}, '.', h // 19 % 16, '.', h // 23 % 250) AS src_ip,
 concat(h // 29 % 40, '.', h // 31 % 10, '.', h // 37 % 5, '.', h // 41 % 10) AS dst_ip,
 [443, 80, 53, 445, 3389, 104, 2575][1 + h // 43 % 7]::INTEGER AS dst_port,
 concat('c:\\windows\\system32\\', ['svchost', 'powershell', 'cmd', 'rundll32', 'lsass', 'word'][1 + h // 47 % 6],
  '.exe') AS process,
 CASE WHEN i = 7777 AND {day} = 11 AND {member} = 3 THEN 'vssadmin delete needle-in-the-hay'
  WHEN h % 6 = 0 THEN concat('svchost.exe -k netsvcs -p -s service', h // 53 % 5000) ELSE '' END AS cmd_line,
 CASE WHEN h % 6 = 4 THEN concat('c:\\users\\user', h // 17 % 1500, '\\report-', h // 59 % 20, '.docx') ELSE '' END AS file,
 CASE WHEN h % 6 = 3 THEN concat('host', h // 61 % 30000, '.example.lu') ELSE '' END AS message,
 concat(chr(10), src_ip, chr(10), dst_ip, chr(10), CASE WHEN message <> '' THEN concat(message, chr(10)) ELSE '' END,
  CASE WHEN i = 7777 AND {day} = 17 AND {member} = 5 THEN concat('rare.example.org', chr(10)) ELSE '' END) AS observables,
 concat('{{"class_uid":', class_uid, ',"severity_id":', severity_id, ',"metadata":{{"version":"1.8.0","product":{{"name":"',
  product, '"}}}},"device":{{"hostname":"', host, '"}},"actor":{{"user":{{"name":"', user_name, '"}}}},"src_endpoint":{{"ip":"',
  src_ip, '"}},"dst_endpoint":{{"ip":"', dst_ip, '","port":', dst_port, '}},"unmapped":{{"LogonId":"0x',
  to_hex(h % 16777216), '"}}}}') AS event
FROM (SELECT i, (hash(i, {day}, {member}) >> 1)::BIGINT AS h FROM range({rows}) t(i))
"""


def _hunt(*conditions: tuple[str, Operator, str], **given: Any) -> Hunt:
    return checked_hunt(Hunt(conditions=tuple(Condition(*one) for one in conditions), **SPAN, **given))


HUNTS = {
    "an account on a host": _hunt(("host", Operator.EQUALS, "ws-77"), ("user_name", Operator.EQUALS, "user12")),
    "an address that every member meets every day": _hunt(("dst_ip", Operator.EQUALS, "7.3.3.1")),
    "a network": _hunt(("dst_ip", Operator.IN_NETWORK, "7.3.0.0/16")),
    "a part of a command line": _hunt(("cmd_line", Operator.CONTAINS, "needle-in")),
    "free text": _hunt(text="needle-in-the-hay"),
    "a rare observable": _hunt(("observables", Operator.EQUALS, "rare.example.org")),
    "an observable of every day": _hunt(("observables", Operator.EQUALS, "host777.example.lu")),
    "1,000 indicators, one of them seen": _hunt(
        any_observable=("rare.example.org", *(f"bad{number}.example.org" for number in range(999)))
    ),
}


def make_files(folder: Path, days: int, rows: int) -> None:
    """Write the files of `MEMBERS` members that are missing, `rows` events for each day."""
    conn = duckdb.connect(config={"threads": 2, "memory_limit": "4GB", "temp_directory": str(folder / "spill")})
    for member in range(MEMBERS):
        for day in range(days):
            path = folder / f"{member}-{day}.parquet"
            if path.exists():
                continue
            conn.execute(EVENTS.format(day=day, member=member, rows=rows))
            conn.execute(query_store.VALUES_COPY.format(path=folder / f"{member}-{day}.values.parquet"))
            part = path.with_suffix(".part")
            conn.execute(query_store.SORTED_COPY.format(path=part).replace("ORDER BY time, event_id", ""))
            part.rename(path)
    conn.close()


def search(paths: list[Path], hunt: Hunt) -> tuple[int, int, int]:
    """Return the matches of a hunt, as `hunting.search` looks for them, and how many files were opened of how many."""
    left = [str(path) for path in paths]
    conditions = query_store.values_conditions(hunt)
    if conditions:
        values = {str(path.with_suffix(".values.parquet")): str(path) for path in paths}
        held = [*values]
        with engine(held) as conn:
            for condition, parameters in conditions:
                statement = query_store.holders_statement(held, condition)
                held = [name for (name,) in conn.execute(statement, parameters).fetchall()] if held else []
        left = [values[name] for name in held]
    if not left:
        return 0, 0, len(paths)
    where, parameters = query_store.where(hunt)
    with engine(left) as conn:
        statement = query_store.count_statement(query_store.files_source(left), where)
        return sum(row[2] for row in conn.execute(statement, parameters).fetchall()), len(left), len(paths)


def clickhouse_count(folder: Path, hunt: Hunt) -> tuple[int, float]:
    """Return the matches that ClickHouse (chdb) finds in the same files, and its seconds."""
    import chdb

    where, values = query_store.where(hunt, query_store.CLICKHOUSE)
    parameters = {f"p{place}": _parameter(value) for place, value in enumerate(values, 1)}
    begin = time.perf_counter()
    answer = chdb.query(
        f"SELECT count() FROM file('{folder}/{{0..9}}-{{0..29}}.parquet', Parquet) WHERE {where}",
        "CSV",
        params=parameters,
    )
    return int(str(answer).strip()), time.perf_counter() - begin


def _parameter(value: Any) -> Any:
    """Return a value as ClickHouse reads parameters: texts with escapes, lists of quoted ones."""
    if isinstance(value, list):
        return f"[{','.join(_quoted(one) for one in value)}]"
    return _escaped(value) if isinstance(value, str) else value


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def _quoted(text: str) -> str:
    return "'" + _escaped(text).replace("'", "\\'") + "'"


async def hunts(folder: Path, seconds: float, full: bool) -> Figures:
    """Measure hunts over files of 10 members and 30 days, and ClickHouse over the same files."""
    kept = os.environ.get("ESANTE_HUNT_FILES")
    files = Path(kept) if kept else folder / "hunts"
    files.mkdir(parents=True, exist_ok=True)
    days, rows = (30, 333_334) if full else (3, 100_000)
    make_files(files, days, rows)
    paths = [files / f"{member}-{day}.parquet" for member in range(MEMBERS) for day in range(days)]
    size = sum(path.stat().st_size for path in paths) / (rows * len(paths))
    figures: Figures = {"events": f"{rows * len(paths):,} in {len(paths)} files, {size:.0f} bytes each"}
    try:
        import chdb  # noqa: F401
    except ImportError:
        figures["ClickHouse"] = "chdb is not installed"
    for name, hunt in HUNTS.items():
        begin, processor = time.perf_counter(), time.process_time()
        found, opened, _ = search(paths, hunt)
        figures[name] = (
            f"{time.perf_counter() - begin:.2f} s   processor {time.process_time() - processor:.2f} s"
            f"   {found:,} matches in {opened} files"
        )
        if "ClickHouse" not in figures:
            other, seconds = clickhouse_count(files, hunt)
            figures[f"{name}: ClickHouse"] = f"{seconds:.2f} s" if other == found else f"WRONG: {other:,} matches"
    figures["memory at most"] = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB"
    return figures


PARTS = {"hunts": hunts}
