"""Files of released versions, each generated at its first request: the same bytes on every server."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from esante import __version__
from esante.services.bulletin.publication.dcat import Edition
from esante.services.bulletin.publication.issue_files import Encoder, plan_files, write_file
from esante.services.bulletin.publication.model import IssueDocument, PublishedFile
from esante.services.bulletin.releases.published import PublishedVintage


class ReleaseFiles:
    """The cache of generated files in a folder, for this version of the program and this base URL."""

    def __init__(self, folder: Path, base_url: str) -> None:
        version = hashlib.sha256(f"{__version__} {base_url}".encode()).hexdigest()[:12]
        self._folder = folder / version
        self._generating = asyncio.Lock()

    def list_files(self, document: IssueDocument) -> list[PublishedFile]:
        """Return all files of a version; their paths are names, and they have no size yet."""
        return [file for file, _ in plan_files(document)]

    async def get(self, document: IssueDocument, name: str) -> PublishedFile | None:
        """Return a file on disk by its name, generated when missing; None for an unknown name."""
        for file, encode in plan_files(document):
            if file.path.name == name:
                return await self._on_disk(document, file, encode)
        return None

    async def generate_all(self, document: IssueDocument) -> list[PublishedFile]:
        """Return all files of a version on disk, generated when missing."""
        return [await self._on_disk(document, file, encode) for file, encode in plan_files(document)]

    async def _on_disk(self, document: IssueDocument, file: PublishedFile, encode: Encoder) -> PublishedFile:
        path = self._folder / f"{document.dated_at.timestamp():.0f}" / file.path.name
        if not path.exists():
            async with self._generating:
                await asyncio.to_thread(_generate, file, encode, document, path.parent)
        return replace(file, path=path)


def _generate(file: PublishedFile, encode: Encoder, document: IssueDocument, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_file(file, encode(document), folder)


def make_edition(published: PublishedVintage, files: Sequence[PublishedFile] = ()) -> Edition:
    """Return a released version as an entry of catalogues and feeds."""
    vintage = published.vintage
    return Edition(vintage.period, vintage.number, vintage.status, published.released_at, files, vintage.reason)
