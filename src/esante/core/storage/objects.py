"""The object store: bytes under the name of their SHA-256, in files, S3, Azure or GCS."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, from_url

from esante.core.storage.database import Unavailable
from esante.core.storage.private_folder import make_private

INLINE_LIMIT = 64 * 1024
"""Bytes up to which content may lie in the database beside its row: one sync for many instead of one each."""

_NO_WAIT: int = getattr(os, "RWF_NOWAIT", 0)
"""The flag of `preadv` for what is in memory already; Linux has it."""
Piece = bytes | memoryview
"""A part of an object."""
_INCOMING = "incoming"
"""The folder of files that are not stored yet; what a killed process left there nobody reads."""


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 digest of `data` (32 bytes): its name in the store."""
    return hashlib.sha256(data).digest()


class Objects:
    """A content-addressed store; when `put` returns, the bytes are synced to disk or acknowledged by the service.

    Every method raises `Unavailable` when the store cannot be reached, refuses access, or its disk is full.
    """

    def __init__(self, store: Any, folder: Path | None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str, data: Path) -> "Objects":
        """Open the store at `url` (`s3://bucket/…`, `az://`, `gs://`, `file:///…`); by default files in `data`.

        Raises: `FolderError` when a folder for files is open to other accounts and cannot be closed.
        """
        if url and urlsplit(url).scheme != "file":
            return cls(from_url(url), None)
        folder = Path(urlsplit(url).path) if url else data / "objects"
        make_private(folder)
        return cls(LocalStore(folder), folder)

    async def put(self, data: bytes) -> bytes:
        """Store `data`, synced, and return its SHA-256 digest. The same bytes are stored once."""
        digest = sha256(data)
        await self.put_named(_object_name(digest), data)
        return digest

    async def get(self, digest: bytes) -> bytes:
        """Return the bytes whose SHA-256 is `digest`.

        Raises: FileNotFoundError when there are none, ValueError when the stored bytes have another digest.
        """
        data = await self.get_named(_object_name(digest))
        if sha256(data) != digest:
            raise ValueError(f"object {digest.hex()} is damaged: its bytes have another SHA-256")
        return data

    async def remove(self, digest: bytes) -> None:
        """Remove the bytes whose SHA-256 is `digest`; no error when there are none."""
        with _translated_errors(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, _object_name(digest))

    async def local_path(self, digest: bytes, cache: Path) -> Path:
        """Return a file with the bytes of that SHA-256, for software that reads files.

        It is the store's own file, or a copy in `cache`. Raises: as `get`.
        """
        data = await self.get(digest)
        if self._folder is not None:
            return self._folder / _object_name(digest)
        return await asyncio.to_thread(_write_once, cache / digest.hex(), data)

    async def put_named(self, name: str, data: bytes) -> None:
        """Store `data` under a name of the caller's choice, replacing what was there."""
        with _translated_errors():
            await obstore.put_async(self._store, name, data)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / name, self._folder)

    async def get_named(self, name: str) -> bytes:
        """Return the bytes under `name`. Raises: FileNotFoundError when there are none."""
        with _translated_errors():
            return bytes(await (await obstore.get_async(self._store, name)).bytes_async())

    def incoming(self) -> IO[bytes]:
        """Open a new file for bytes that come in, to be stored by `put_file`; closed otherwise, it is gone.

        Raises: `Unavailable` when there is no space.
        """
        with _translated_errors():
            return NamedTemporaryFile(dir=self._incoming_folder())

    def scratch(self) -> IO[bytes]:
        """Open a file without a name, for bytes that are needed for a while; it does not outlive the process.

        Raises: `Unavailable` when there is no space.
        """
        with _translated_errors():
            return TemporaryFile(dir=self._incoming_folder())

    def _incoming_folder(self) -> Path | None:
        folder = self._folder and self._folder / _INCOMING
        if folder is not None:
            folder.mkdir(exist_ok=True)
        return folder

    async def put_file(self, name: str, file: IO[bytes]) -> None:
        """Store the bytes of a file of `incoming` under a name of the caller's choice, which nothing has, synced."""
        with _translated_errors():
            file.flush()
            if self._folder is None:
                await obstore.put_async(self._store, name, Path(file.name))
            else:
                await asyncio.to_thread(_link_synced, file, self._folder / name, self._folder)

    async def get_range(self, name: str, start: int, length: int) -> Piece:
        """Return bytes of what is stored under `name`. Raises: FileNotFoundError when there are not so many."""
        with _translated_errors():
            if self._folder is not None:
                path = f"{self._folder}/{name}"
                found = _read_cached(path, start, length)
                if found is None:
                    found = await asyncio.to_thread(_read_range, path, start, length)
            else:
                found = bytes(await obstore.get_range_async(self._store, name, start=start, length=length))
        if len(found) != length:
            raise FileNotFoundError(name)
        return found

    async def path_of(self, name: str, copies: Path) -> Path:
        """Return a file with the bytes under `name`, for software that reads files.

        It is the store's own file, or a copy in the folder `copies`. Raises: FileNotFoundError when there are none.
        """
        if self._folder is not None:
            path = self._folder / name
            if not path.is_file():
                raise FileNotFoundError(name)
            return path
        path = copies / name.replace("/", "-")
        with _translated_errors():
            found = await obstore.get_async(self._store, name)
            with path.open("wb") as file:
                async for piece in found.stream():
                    await asyncio.to_thread(file.write, piece)
        return path

    async def remove_named(self, name: str) -> None:
        """Remove the bytes under `name`; no error when there are none."""
        with _translated_errors(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, name)

    async def remove_folder(self, folder: str) -> None:
        """Remove every object whose name begins with `folder` and a slash; no error when there is none."""
        with _translated_errors():
            async for found in obstore.list(self._store, f"{folder}/"):
                names = [entry["path"] for entry in found]
                await obstore.delete_async(self._store, names)
            if self._folder is not None:
                await asyncio.to_thread(_remove_empty_folder, self._folder / folder)

    async def folders(self, folder: str) -> list[str]:
        """Return the names of the folders directly in `folder`."""
        with _translated_errors():
            found = await obstore.list_with_delimiter_async(self._store, f"{folder}/")
        return [name.rstrip("/").rpartition("/")[2] for name in found["common_prefixes"]]


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise `Unavailable` for an error of a store that is full, refuses access or cannot be reached."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (GenericError, PermissionDeniedError, UnauthenticatedError, OSError) as error:
        raise Unavailable(f"the object store is not available: {str(error).partition(chr(10))[0]}") from error


def _object_name(digest: bytes) -> str:
    name = digest.hex()
    return f"{name[:2]}/{name[2:4]}/{name}"


def _link_synced(file: IO[bytes], path: Path, root: Path) -> None:
    """Give a file a second name, synced; of the folders only those that are new, and the one that holds it."""
    os.fsync(file.fileno())
    new = [parent for parent in path.parents if root in parent.parents and not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(file.name, path)
    for folder in dict.fromkeys((path.parent, *(one.parent for one in new))):
        _sync(folder, folder)


def _read_cached(path: str, start: int, length: int) -> Piece | None:
    """Return bytes of a file without a wait for the disk; None where they are not all in memory, or that is unknown.

    A thread of its own for each read costs as much as the read.
    """
    if not _NO_WAIT:
        return None
    found = bytearray(length)
    handle = os.open(path, os.O_RDONLY)
    try:
        complete = os.preadv(handle, [found], start, _NO_WAIT) == length
    except OSError:
        complete = False
    finally:
        os.close(handle)
    return memoryview(found) if complete else None


def _read_range(path: str, start: int, length: int) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.pread(handle, length, start)
    finally:
        os.close(handle)


def _remove_empty_folder(folder: Path) -> None:
    """Remove an empty folder, so that it stays removed after a power failure."""
    if folder.is_dir():
        folder.rmdir()
        _sync(folder.parent, folder.parent)


def _write_once(path: Path, data: bytes) -> Path:
    """Return `path`, written with `data` when it does not exist; the file appears complete or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(data)
        part.rename(path)
    return path


def _sync(path: Path, root: Path) -> None:
    """Sync a file and the folders above it up to `root`: the store itself only renames."""
    for place in (path, *[parent for parent in path.parents if parent == root or root in parent.parents]):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
