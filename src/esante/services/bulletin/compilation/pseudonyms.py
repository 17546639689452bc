"""The secret of the bulletin: it turns ids into keyed hashes, and seeds the noise of perturbed counts."""

import hmac
import os
from pathlib import Path

from esante.core.storage import read_or_create_key

_POSITIVE = (1 << 63) - 1


class BulletinKey:
    """One secret of 32 bytes, kept with the platform's keys; lose it, and new noise differs from the old."""

    def __init__(self, secret: bytes) -> None:
        self._subjects = hmac.digest(secret, b"subjects", "sha256")
        self._noise = hmac.digest(secret, b"noise", "sha256")
        self._known: dict[str, int] = {}

    @classmethod
    def open(cls, path: Path) -> "BulletinKey":
        """The secret in the file at `path`; made there, readable by its owner only, when there is none."""
        return cls(read_or_create_key(path, lambda: os.urandom(32)))

    def hashed(self, id_: str) -> int:
        """What stands for an id in the lake: 63 bits of HMAC-SHA256, so that two of a million hardly ever meet."""
        known = self._known.get(id_)
        if known is None:
            if len(self._known) >= 1_000_000:
                self._known.clear()
            known = self._known[id_] = self._number(self._subjects, id_.encode())
        return known

    def chance(self, cell_key: int) -> float:
        """A number from 0 (included) to 1 that nobody without the secret can tell from the cell's key."""
        return self._number(self._noise, cell_key.to_bytes(16, "big")) / (1 << 63)

    @staticmethod
    def _number(key: bytes, message: bytes) -> int:
        return int.from_bytes(hmac.digest(key, message, "sha256")[:8], "big") & _POSITIVE
