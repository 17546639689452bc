"""Secret files of the platform's own, made once and readable by their owner only."""

import os
from pathlib import Path


def create_secret(path: Path, content: bytes) -> None:
    """Write a secret so that of two processes that start at once, one wins and both use what it wrote."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
