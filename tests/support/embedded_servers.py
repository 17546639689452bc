"""Embedded PostgreSQL servers, used by this process and by others."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from esante.core.storage.embedded import EmbeddedServer, start, stop

SOURCE_FOLDER = Path(__file__).resolve().parents[2] / "src"

USER_PROGRAM = """
import sys
from pathlib import Path
from esante.core.storage.embedded import EmbeddedError, start, stop
try:
    server = start(Path(sys.argv[1]))
except EmbeddedError as error:
    sys.exit(f"EmbeddedError: {error}")
print(server.dsn, server.pid, flush=True)
sys.stdin.read()
stop(Path(sys.argv[1]))
"""
"""A process that uses the server of a data directory: prints its dsn and process id, and runs until its input ends."""


@contextmanager
def running_server(data: Path) -> Iterator[EmbeddedServer]:
    """Run the server of a data directory."""
    server = start(data)
    try:
        yield server
    finally:
        stop(data)


def query_value(server: EmbeddedServer, sql: str, *arguments: object) -> Any:
    """Return the first value of the result."""

    async def query() -> Any:
        connection = await asyncpg.connect(server.dsn)
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close()

    return asyncio.run(query())


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_dead(pid: int) -> bool:
    """Wait up to 60 s for the end of a process; return whether it ended."""
    deadline = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def start_other_process(data: Path, **options: Any) -> subprocess.Popen[str]:
    """Start `USER_PROGRAM` for a data directory; `options` as of `subprocess.Popen`."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE_FOLDER)}
    return subprocess.Popen(
        [sys.executable, "-c", USER_PROGRAM, str(data)],
        **{"env": environment, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **options},
    )


def read_address(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Return the dsn and the process id of the server that a `USER_PROGRAM` prints."""
    assert process.stdout is not None
    dsn, pid = process.stdout.readline().split()
    return dsn, int(pid)
