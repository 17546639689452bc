"""The secret of statistics: pseudonyms in place of ids, and the noise of perturbed counts."""

import hmac
import os
from pathlib import Path

from esante.core.storage import read_or_create_key

_POSITIVE = (1 << 63) - 1


class StatisticsKey:
    """A secret of 32 bytes, kept with the platform's keys; with another one, noise and pseudonyms differ."""

    def __init__(self, secret: bytes) -> None:
        self._subjects = hmac.digest(secret, b"subjects", "sha256")
        self._noise = hmac.digest(secret, b"noise", "sha256")
        self._known: dict[str, int] = {}

    @classmethod
    def open(cls, path: Path) -> "StatisticsKey":
        """Return the secret in the file at `path`; it is made, readable by its owner only, when it is missing."""
        return cls(read_or_create_key(path, lambda: os.urandom(32)))

    def pseudonym_of(self, id_: str) -> int:
        """Return the pseudonym of an id: 63 bits of HMAC-SHA256, so that collisions among a million are improbable."""
        known = self._known.get(id_)
        if known is None:
            if len(self._known) >= 1_000_000:
                self._known.clear()
            known = self._known[id_] = self._positive_hmac(self._subjects, id_.encode())
        return known

    def uniform(self, cell_key: int) -> float:
        """Return a number in [0, 1) from a cell key; not predictable without the secret."""
        return self._positive_hmac(self._noise, cell_key.to_bytes(16, "big")) / (1 << 63)

    @staticmethod
    def _positive_hmac(key: bytes, message: bytes) -> int:
        return int.from_bytes(hmac.digest(key, message, "sha256")[:8], "big") & _POSITIVE
