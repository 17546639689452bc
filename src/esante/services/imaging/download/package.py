"""The ZIP file of a study: its files as they were received, a DICOMDIR, an index page, and what proves them whole."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypedDict

from esante.core import clock
from esante.services.imaging.archive.contents import Contents
from esante.services.imaging.dicomweb.zip_stream import ZipStream
from esante.services.imaging.download.dicomdir import lay_out
from esante.services.imaging.manifest import merkle_root
from esante.services.imaging.model import Instance, Series, Study

INDEX, DICOMDIR, SUMS = "INDEX.HTM", "DICOMDIR", "SHA256SUMS.TXT"


@dataclass(frozen=True, slots=True)
class Packed:
    """What the index page shows: the path of each instance and of the preview of each series, and what checks them."""

    paths: Mapping[str, str]
    previews: Mapping[str, str]
    check: "Fingerprints"


class Fingerprints(TypedDict):
    """Paths and SHA-256 of instances in the order of the Merkle tree, and its root (hexadecimal digits)."""

    files: list[tuple[str, str]]
    root: str


PreviewMaker = Callable[[], AsyncIterator[tuple[str, bytes]]]
"""Yields pictures (JPEG) of series with their UID, one after the other."""
IndexMaker = Callable[[Packed], Awaitable[str]]
"""Returns the index page."""


async def stream_package(
    contents: Contents,
    study: Study,
    series: Sequence[Series],
    instances: Sequence[Instance],
    previews: PreviewMaker,
    index: IndexMaker,
) -> AsyncIterator[bytes]:
    """Yield the ZIP file of a study."""
    media = await asyncio.to_thread(lay_out, study, series, instances)
    check, written = fingerprints(instances, media.paths), ZipStream()
    shown: dict[str, str] = {}
    now = clock.now()
    async for series_uid, picture in previews():
        shown[series_uid] = f"PREVIEWS/SE{len(shown):06d}.JPG"
        async for piece in written.add(shown[series_uid], now, len(picture), _once(picture)):
            yield piece
    page = (await index(Packed(media.paths, shown, check))).encode()
    sums = checksums(check, {DICOMDIR: media.dicomdir, INDEX: page})
    for name, data in ((INDEX, page), (DICOMDIR, media.dicomdir), (SUMS, sums)):
        async for piece in written.add(name, now, len(data), _once(data)):
            yield piece
    for one in instances:
        pieces = contents.stream(one, ((0, one.size),))
        async for piece in written.add(media.paths[one.instance_uid], one.received_at, one.size, pieces):
            yield piece
    yield written.end()


def fingerprints(instances: Sequence[Instance], paths: Mapping[str, str]) -> Fingerprints:
    """Return what a copy of a study is checked against."""
    found = sorted(instances, key=lambda one: one.instance_uid)
    root = merkle_root(one.sha256 for one in found).hex()
    return {"files": [(paths[one.instance_uid], one.sha256.hex()) for one in found], "root": root}


def checksums(check: Fingerprints, others: Mapping[str, bytes]) -> bytes:
    """Return the list of hashes as `sha256sum --check` takes it; the instances in the order of the Merkle tree."""
    files, root = check["files"], check["root"]
    lines = [
        "# Check with: sha256sum --check SHA256SUMS.TXT",
        f"# Merkle root (RFC 9162) over the hashes of the next {len(files)} files, by SOP Instance UID: {root}",
    ]
    lines += [f"{fingerprint}  {path}" for path, fingerprint in files]
    lines += [f"{sha256(data).hexdigest()}  {name}" for name, data in others.items()]
    return "".join(f"{line}\n" for line in lines).encode()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
