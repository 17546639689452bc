"""Parquet files of an extraction: parts are written one by one, and the folder gets its name when it is whole."""

import shutil
from collections.abc import Collection
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from esante.services.research.datasets.model import PERSON

_OPEN, _FILE = 0o755, 0o644
"""Whoever reaches the folder may read it: only the sandbox of its permit does, by its own user."""


class ExtractionFolders:
    """The folders of extractions on this machine; nobody but the platform reaches the folder that they lie in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def whole(self, extraction_id: UUID) -> Path:
        """Return the folder of an extraction that is whole."""
        return self._folder / extraction_id.hex

    def growing(self, extraction_id: UUID) -> Path:
        """Return the folder of an extraction that is being made."""
        return self._folder / f"{extraction_id.hex}.part"

    def publish(self, extraction_id: UUID) -> Path | None:
        """Give an extraction that is whole its name, where it has not; return its folder, None where it is gone."""
        whole, growing = self.whole(extraction_id), self.growing(extraction_id)
        if growing.is_dir() and not whole.is_dir():
            growing.rename(whole)
        return whole if whole.is_dir() else None

    def remove(self, extraction_id: UUID) -> None:
        """Remove what there is of an extraction."""
        for folder in (self.whole(extraction_id), self.growing(extraction_id)):
            shutil.rmtree(folder, ignore_errors=True)

    def prepare(self, extraction_id: UUID, tables: Collection[str]) -> Path:
        """Make the folder of an extraction with one for each table; return it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        growing = self.growing(extraction_id)
        for folder in (growing, *(growing / name for name in tables)):
            folder.mkdir(exist_ok=True)
            folder.chmod(_OPEN)
        return growing


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
