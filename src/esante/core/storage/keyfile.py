"""Key files of the platform: created on first use, readable by their owner only."""

import os
from collections.abc import Callable
from pathlib import Path


def read_or_create_key(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the content of the file at `path`; when there is none, create it with what `make` returns.

    Of several processes that start at once one creates the file, and all use its key.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path, make())
    return path.read_bytes()


def _create(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    _write_private(part, content)
    try:
        os.link(part, path)
    except FileExistsError:
        pass  # another process has created it meanwhile
    finally:
        part.unlink()


def replace_key(path: Path, content: bytes) -> None:
    """Replace the key in the file at `path`, all at once; the one before is gone."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    _write_private(part, content)
    part.replace(path)


def _write_private(path: Path, content: bytes) -> None:
    """Write a new file that its owner only can read; it is on disk on return."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
