"""The files of released versions, each made when it is first asked for: the same bytes on every server."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from esante import __version__
from esante.services.bulletin.publication import File, Paper, planned, written
from esante.services.bulletin.publication.dcat import Edition
from esante.services.bulletin.releases.published import Shelved


class Files:
    """The files in a folder of this version of the program."""

    def __init__(self, folder: Path, base_url: str) -> None:
        about = hashlib.sha256(f"{__version__} {base_url}".encode()).hexdigest()[:12]
        self._folder = folder / about
        self._making = asyncio.Lock()

    def listed(self, laid_out: Paper) -> list[File]:
        """All files of a version, their paths mere names; those not made yet without their size."""
        return [file for file, _ in planned(laid_out)]

    async def get(self, laid_out: Paper, name: str) -> File | None:
        """A file on disk by its name; None for a name that no file of the version has."""
        for file, make in planned(laid_out):
            if file.path.name == name:
                return await self._made(laid_out, file, make)
        return None

    async def all(self, laid_out: Paper) -> list[File]:
        """All files of a version, on disk."""
        return [await self._made(laid_out, file, make) for file, make in planned(laid_out)]

    async def _made(self, laid_out: Paper, file: File, make: Callable[[Paper], bytes]) -> File:
        path = self._folder / f"{laid_out.at.timestamp():.0f}" / file.path.name
        if not path.exists():
            async with self._making:
                await asyncio.to_thread(_make, file, make, laid_out, path.parent)
        return replace(file, path=path)


def _make(file: File, make: Callable[[Paper], bytes], laid_out: Paper, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    written(file, make(laid_out), folder)


def edition(one: Shelved, files: Sequence[File] = ()) -> Edition:
    """A released version as catalogues and feeds tell of it."""
    vintage = one.vintage
    return Edition(vintage.period, vintage.number, vintage.status, one.released_at, files, vintage.reason)
