"""Pseudonyms of persons within a permit: those of two permits cannot be joined."""

import base64
import hmac
import os
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from esante.core.storage import read_or_create_key

PREFIX, _BYTES = "P", 15
LENGTH = len(PREFIX) + _BYTES * 8 // 5
"""Characters of a pseudonym: 120 bits of HMAC-SHA256, so that two of a country never meet."""


class PseudonymKey:
    """The secret from which the keys of permits are derived; it is kept with the platform's keys."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def open(cls, path: Path) -> "PseudonymKey":
        """Return the secret in the file at `path`; it is made, readable by its owner only, when it is missing."""
        return cls(read_or_create_key(path, lambda: os.urandom(32)))

    def of_permit(self, permit_id: UUID) -> "Pseudonyms":
        """Return the pseudonyms of a permit."""
        return Pseudonyms(hmac.digest(self._secret, b"permit" + permit_id.bytes, "sha256"))


class Pseudonyms:
    """The pseudonyms of one permit."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, person_id: UUID) -> str:
        """Return the pseudonym of a person."""
        digest = hmac.digest(self._key, person_id.bytes, "sha256")[:_BYTES]
        return PREFIX + base64.b32encode(digest).decode()

    def all_of(self, persons: Iterable[UUID]) -> frozenset[str]:
        """Return the pseudonyms of persons."""
        return frozenset(map(self.of, persons))
