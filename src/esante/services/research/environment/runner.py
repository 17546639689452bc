"""The program in the sandbox: runs one job over the files in /data, and hands over the tables that it made.

It is run by its path, knows nothing of the platform, and is trusted with nothing: whoever reads its answer checks it.
Input: one JSON object (`kind`, `text`, `tables`, `limits`). Output: a JSON object, with tables as texts of CSV.
"""

import builtins
import contextlib
import csv
import io
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

DATA, SCRATCH = "/data", "/scratch"
OUTPUT = Path("/output")
MAX_TABLES, MAX_ROWS, MAX_MESSAGE = 20, 10_000, 2_000
_JOB = "<job>"


class Refused(Exception):
    """A job that asks for what is not to be had; the text says what."""


def main() -> None:
    """Run the job of standard input in a child process, and write what it leaves."""
    job = json.loads(sys.stdin.buffer.read())
    limits, job["kinds"] = job["limits"], set()
    _limit(limits)
    # What the job does with this pipe is its own affair: whoever reads the answer does not believe it.
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        null = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        failure = _run(job)
        os.write(write_end, json.dumps(failure).encode()[:4_096])
        os._exit(0)
    os.close(write_end)
    said = b""
    while piece := os.read(read_end, 4_096):
        said = (said + piece)[:4_096]
        if said.endswith(b"}"):
            break
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # everything in this namespace but its first process and this one
    answer = json.loads(said) if said else {"code": "killed", "signal": os.waitstatus_to_exitcode(status)}
    if not answer["code"]:
        answer |= _collect(limits)
    sys.stdout.write(json.dumps(answer))


def _limit(limits: dict[str, int]) -> None:
    for name, value in (
        (resource.RLIMIT_AS, limits["address_space"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, limits["file_size"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(name, (value, value))


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job; return what went wrong: `code` "" for nothing."""
    try:
        conn = _connect(job)
        if job["kind"] == "sql":
            _run_sql(conn, job)
        else:
            _run_python(conn, job)
    except MemoryError:
        return {"code": "memory"}
    except Refused as error:
        return {"code": "refused", "message": str(error)[:MAX_MESSAGE]}
    except BaseException as error:
        return _failure(job, error)
    return {"code": ""}


def _connect(job: dict[str, Any]) -> Any:
    import duckdb

    config: dict[str, Any] = {
        "threads": 2,
        "memory_limit": f"{job['limits']['memory'] * 6 // 10}B",
        "temp_directory": SCRATCH,
    }
    conn = duckdb.connect(config=config)
    conn.execute("SET autoinstall_known_extensions = false")
    conn.execute("SET autoload_known_extensions = false")
    conn.execute("SET allowed_directories = ?", [[DATA]])
    conn.execute("SET enable_external_access = false")
    conn.execute("SET lock_configuration = true")
    for name, folder in job["tables"].items():
        conn.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{DATA}/{folder}/*.parquet')")  # noqa: S608
    return conn


def _run_sql(conn: Any, job: dict[str, Any]) -> None:
    """Run statements; each that returns rows makes a table, numbered from 1."""
    number = 0
    statements = conn.extract_statements(job["text"])
    job["kinds"] = {one.type.name for one in statements}
    for statement in statements:
        found = conn.execute(statement)
        if statement.type.name != "SELECT":
            continue
        number += 1
        _write(f"result_{number}", [one[0] for one in found.description], found.fetchmany(MAX_ROWS + 1))
    if not number:
        raise Refused("no statement returned rows: end with a SELECT")


def _run_python(conn: Any, job: dict[str, Any]) -> None:
    """Run cells (divided by lines `# %%`) in order, in one name space."""
    names = {"sql": conn.sql, "output": _output, "tables": dict(job["tables"]), "__name__": "__main__"}
    # The divided text keeps its line numbers, so that errors name lines of the whole.
    line, lines = 0, job["text"].splitlines()
    starts = [number for number, one in enumerate(lines) if one.startswith("# %%")] or [0]
    for start, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        cell = "\n" * start + "\n".join(lines[start:end])
        exec(compile(cell, _JOB, "exec"), names)  # noqa: S102 - this is what the sandbox is for
        line = end
    if not any(OUTPUT.iterdir()):
        raise Refused(f'nothing was handed over in {line} lines: call output("name", table)')


def _output(name: str, table: Any) -> None:
    """Hand a table over: a relation of DuckDB, a table of Arrow, a data frame, or a list of dictionaries."""
    if not isinstance(name, str) or not name.isidentifier() or len(name) > 40:
        raise Refused("the name of a table is at most 40 letters, digits and underscores")
    if hasattr(table, "fetchall") and hasattr(table, "limit"):
        _write(name, list(table.columns), table.limit(MAX_ROWS + 1).fetchall())
        return
    if hasattr(table, "to_arrow"):
        table = table.to_arrow()
    if hasattr(table, "to_pylist"):
        table = table.to_pylist()
    elif hasattr(table, "to_dict"):
        table = table.to_dict("records")
    rows = list(table)
    header = list(rows[0]) if rows else []
    _write(name, header, [[one[key] for key in header] for one in rows])


def _write(name: str, header: list[Any], rows: list[Any]) -> None:
    if len(rows) > MAX_ROWS:
        raise Refused(f"a table of more than {MAX_ROWS:,} rows cannot be handed over: count instead")
    with (OUTPUT / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _failure(job: dict[str, Any], error: BaseException) -> dict[str, Any]:
    """Return what is said of an error: never what the job could have put into its text.

    Of SELECT statements, which keep nothing, the parser and the binder speak of the statement and of names of columns;
    of all else the class is told, when it is one of the language's own, and the line.
    """
    import duckdb

    spoken = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.PermissionException)
    if isinstance(error, duckdb.OutOfMemoryException):
        return {"code": "memory"}
    if job["kind"] == "sql":
        may_speak = isinstance(error, duckdb.ParserException) if not job["kinds"] else job["kinds"] == {"SELECT"}
        message = str(error)[:MAX_MESSAGE] if may_speak and isinstance(error, spoken) else type(error).__name__
        return {"code": "sql", "message": message}
    name = type(error).__name__
    known = getattr(builtins, name, None) is type(error) or name in {one.__name__ for one in spoken}
    if isinstance(error, SyntaxError):
        return {"code": "python", "message": name, "line": error.lineno or 0}
    frames = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == _JOB]
    return {"code": "python", "message": name if known else "Exception", "line": (frames or [0])[-1] or 0}


def _collect(limits: dict[str, int]) -> dict[str, Any]:
    """Return the regular files of the output folder as texts: links and all else are named, and not followed."""
    tables: dict[str, str] = {}
    left_out, size = list[str](), 0
    for path in sorted(OUTPUT.iterdir(), key=lambda one: one.name):
        if path.is_symlink() or not path.is_file() or path.suffix != ".csv" or len(tables) == MAX_TABLES:
            left_out.append(path.name[:80])
            continue
        text = path.read_bytes()[: limits["file_size"]]
        size += len(text)
        if size > limits["output_size"]:
            return {"code": "output_size", "tables": {}, "left_out": []}
        tables[path.stem] = io.TextIOWrapper(io.BytesIO(text), "utf-8", "replace", newline="").read()
    return {"tables": tables, "left_out": left_out}


if __name__ == "__main__":
    main()
