"""Parquet files of an extraction: parts are written one by one.

Import this late: its library takes some ten MB, which a server without extractions does not need.
"""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from esante.services.research.datasets.model import PERSON

_FILE = 0o644
"""Whoever reaches the folder may read it: only the sandbox of its permit does, by its own user."""


def write_part(path: Path, table: pa.Table) -> None:
    """Write rows as a file, whole or not at all."""
    unfinished = path.with_suffix(".writing")
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.chmod(_FILE)
    unfinished.rename(path)


def remove_persons(folder: Path, pseudonyms: Collection[str]) -> None:
    """Remove the rows of persons from every part below a folder."""
    wanted = pa.array(sorted(pseudonyms), pa.string())
    for path in sorted(folder.glob("*/*.parquet")) if pseudonyms else ():
        table = pq.read_table(path)
        is_theirs = pc.is_in(table[PERSON], value_set=wanted)
        if pc.any(is_theirs).as_py():
            write_part(path, table.filter(pc.invert(is_theirs)))


def count_rows(folder: Path) -> int:
    """Return the number of rows below a folder."""
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("*/*.parquet"))


def pseudonyms_in(folder: Path) -> frozenset[str]:
    """Return every pseudonym of an extraction."""
    found = set[str]()
    for path in folder.glob("*/*.parquet"):
        found.update(pc.unique(pq.read_table(path, columns=[PERSON])[PERSON]).to_pylist())
    return frozenset(found)
