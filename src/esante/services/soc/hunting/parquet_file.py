"""Parquet files of events: written sorted, read back, compared with what they were made from."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esante.services.soc.hunting import query_store
from esante.services.soc.hunting.event_columns import schema

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY = "1GB"
"""Memory of one engine; what needs more goes to files beside the objects or fails."""
THREADS = 2
_PIECE = 1 << 20


class ArchiveFault(Exception):
    """A file that does not hold what it was made from."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was found in a file when it was read back."""

    rows: int
    size: int
    sha256: bytes
    first_at: datetime | None
    last_at: datetime | None


@contextmanager
def engine(paths: list[str], folder: Path | None = None, *, memory: str = MEMORY) -> Iterator[Any]:
    """Open a DuckDB that can open these files and no others; `folder`: for what memory cannot hold."""
    import duckdb

    config: dict[str, Any] = {"threads": THREADS, "memory_limit": memory, "autoinstall_known_extensions": False}
    with tempfile.TemporaryDirectory(dir=folder, prefix="hunt-") as scratch:
        conn = duckdb.connect(config=config | {"temp_directory": scratch})
        try:
            conn.execute("SET preserve_insertion_order = false")
            conn.execute("SET allowed_paths = ?", [paths])
            conn.execute("SET enable_external_access = false")
            conn.execute("SET lock_configuration = true")
            yield conn
        finally:
            conn.close()


def write_sorted(batches: Iterator["pa.RecordBatch"], path: Path, values: Path) -> FileFacts:
    """Write batches of events as a sorted file at `path`, read it back, and return what is in it.

    Their different values go to the file `values`.

    Raises: `ArchiveFault` when the file does not hold the same rows.
    """
    import pyarrow as pa

    with tempfile.TemporaryDirectory(dir=path.parent, prefix="unsorted-") as scratch:
        unsorted = Path(scratch) / "events.arrow"
        count = _spool(batches, unsorted)
        with engine([str(path), str(values)], path.parent) as conn, pa.memory_map(str(unsorted)) as memory:
            table = pa.ipc.open_file(memory).read_all()
            conn.register("given", table)
            given = _check(conn, "given")
            conn.execute(query_store.SORTED_COPY.format(path=path))
            conn.execute(query_store.VALUES_COPY.format(path=values))
            conn.unregister("given")
            written = _check(conn, f"read_parquet('{path}')")
    if given != written or written[0] != count:
        raise ArchiveFault(f"the file has {written[:2]}, the events are {given[:2]}")
    if written[0] != written[1]:
        raise ArchiveFault(f"{written[0]} events have {written[1]} keys")
    return FileFacts(written[0], path.stat().st_size, file_digest(path), written[2], written[3])


def file_digest(path: Path) -> bytes:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.digest()


def _spool(batches: Iterator["pa.RecordBatch"], path: Path) -> int:
    """Write batches as an Arrow file, so that a large day needs no memory; return the number of rows."""
    import pyarrow as pa

    count = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema()) as writer:
        for batch in batches:
            writer.write(batch)
            count += batch.num_rows
    return count


def _check(conn: Any, source: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] = conn.execute(query_store.CHECK.format(source=source)).fetchone()
    return found
