"""What a witness remembers: of each log the checkpoint that it signed last, as a file in a folder of its own.

A witness that forgot would sign a second history. So a file is on disk before the signature leaves, one process at a
time may use the folder, and a file that is damaged stops the witness.
"""

import fcntl
import hashlib
import os
from pathlib import Path

from esante.core.journal import EMPTY_ROOT, CosignatureVerifier, split_note
from esante.core.storage import make_private
from esante.core.witness.submission import TreeHead, parse_tree_head


class StateError(RuntimeError):
    """The folder cannot be used; the message says why."""


class WitnessState:
    """The checkpoints that a witness signed last, in a folder that this process has locked."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder, self._lock = folder, lock

    @classmethod
    def open(cls, folder: Path) -> "WitnessState":
        """Lock the folder, made when there is none. Raises: `StateError` when another process has locked it."""
        make_private(folder)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise StateError(f"another witness runs with the folder {folder}") from error
        return cls(folder, lock)

    def close(self) -> None:
        """Unlock the folder."""
        os.close(self._lock)

    def last_signed(self, origin: str, verifier: CosignatureVerifier) -> TreeHead:
        """Return the head of a log that the witness of `verifier` signed last, by default that of the empty tree.

        Raises: `StateError` when the file is not what this witness wrote.
        """
        path = self._path(origin)
        if not path.exists():
            return TreeHead(origin, 0, EMPTY_ROOT)
        try:
            note = path.read_text(encoding="utf-8")
            verifier.verify(note)
            head = parse_tree_head(split_note(note)[0])
        except ValueError as error:
            raise StateError(f"{path} is not a checkpoint that this witness signed: {error}") from error
        if head.origin != origin:
            raise StateError(f"{path} is a checkpoint of another log: {head.origin}")
        return head

    def store(self, origin: str, note: str) -> None:
        """Store the checkpoint of a log with the co-signature; it is on disk on return, or the one before is."""
        path = self._path(origin)
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(self._folder)

    def _path(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
