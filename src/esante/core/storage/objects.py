"""The object store: bytes under the name of their SHA-256, in files, S3, Azure or GCS."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, from_url

from esante.core.storage.database import Unavailable

INLINE_LIMIT = 64 * 1024
"""Bytes up to which content may lie in the database beside its row: one sync for many instead of one each."""


def sha256(data: bytes) -> bytes:
    """The SHA-256 digest of `data` (32 bytes): its name in the store."""
    return hashlib.sha256(data).digest()


class Objects:
    """A content-addressed store; what `put` has returned for is on disk (or acknowledged by the service).

    Every method raises `Unavailable` when the store cannot be reached or its disk is full.
    """

    def __init__(self, store: Any, folder: Path | None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str, data: Path) -> "Objects":
        """The store at `url` (`s3://bucket/prefix`, `az://`, `gs://`, `file:///…`), by default files in `data`."""
        if url and urlsplit(url).scheme != "file":
            return cls(from_url(url), None)
        folder = Path(urlsplit(url).path) if url else data / "objects"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(LocalStore(folder), folder)

    async def put(self, data: bytes) -> bytes:
        """Store `data`, synced; returns its SHA-256. The same bytes are stored once."""
        digest = sha256(data)
        await self.put_named(_path(digest), data)
        return digest

    async def get(self, digest: bytes) -> bytes:
        """The bytes whose SHA-256 is `digest`; raises FileNotFoundError when absent, ValueError when damaged."""
        data = await self.get_named(_path(digest))
        if sha256(data) != digest:
            raise ValueError(f"object {digest.hex()} is damaged: its bytes have another SHA-256")
        return data

    async def local(self, digest: bytes, cache: Path) -> Path:
        """A file with the bytes of that SHA-256, for software that reads files: the store's own, or a copy in `cache`.

        Raises what `get` raises.
        """
        data = await self.get(digest)
        if self._folder is not None:
            return self._folder / _path(digest)
        return await asyncio.to_thread(_copied, cache / digest.hex(), data)

    async def put_named(self, name: str, data: bytes) -> None:
        """Store `data` under a name of one's own, replacing what was there."""
        with _reached():
            await obstore.put_async(self._store, name, data)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / name, self._folder)

    async def get_named(self, name: str) -> bytes:
        """The bytes under `name`; raises FileNotFoundError when absent."""
        with _reached():
            return bytes(await (await obstore.get_async(self._store, name)).bytes_async())

    async def remove_folder(self, folder: str) -> None:
        """Remove all that was put under names that begin with `folder` and a slash; nothing there is no error."""
        with _reached():
            async for found in obstore.list(self._store, f"{folder}/"):
                names = [entry["path"] for entry in found]
                await obstore.delete_async(self._store, names)
            if self._folder is not None:
                await asyncio.to_thread(_remove_folder, self._folder / folder)

    async def folders(self, folder: str) -> list[str]:
        """The names of the folders in a folder of names of one's own."""
        with _reached():
            found = await obstore.list_with_delimiter_async(self._store, f"{folder}/")
        return [name.rstrip("/").rpartition("/")[2] for name in found["common_prefixes"]]


@contextmanager
def _reached() -> Iterator[None]:
    """Turns what a store says that is full, shut or out of reach into `Unavailable`."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (GenericError, PermissionDeniedError, UnauthenticatedError, OSError) as error:
        raise Unavailable(f"the object store is not available: {str(error).partition(chr(10))[0]}") from error


def _path(digest: bytes) -> str:
    name = digest.hex()
    return f"{name[:2]}/{name[2:4]}/{name}"


def _remove_folder(folder: Path) -> None:
    """Remove an empty folder, so that it stays removed after a power cut."""
    if folder.is_dir():
        folder.rmdir()
        _sync(folder.parent, folder.parent)


def _copied(path: Path, data: bytes) -> Path:
    """The file at `path`, made with `data` if it is not there; it is never there in part."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(data)
        part.rename(path)
    return path


def _sync(path: Path, root: Path) -> None:
    """Sync a file and the folders that name it: the store itself only renames."""
    for place in (path, *[parent for parent in path.parents if parent == root or root in parent.parents]):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
