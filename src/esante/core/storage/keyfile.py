"""Keys of the platform: files that their owner alone may read, made on first use."""

import os
from collections.abc import Callable
from pathlib import Path


def key_file(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file at `path` holds; when there is none, what `make` gives is put there first.

    Of several processes that start at once one wins, and all use its key.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path, make())
    return path.read_bytes()


def _create(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
