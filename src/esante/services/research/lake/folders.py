"""The folders of extractions: each gets its name when it is whole."""

import shutil
from collections.abc import Collection
from pathlib import Path
from uuid import UUID

_OPEN = 0o755
"""Whoever reaches a folder may read it: only the sandbox of its permit does, by its own user."""


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
