"""Signing of bundles: the key pair of the controller, and envelopes."""

from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from esante.services.healthnet.bundles.format import DOMAIN, Head, Parts, changes, digest_of, key_id

VALIDITY = 30 * 24 * 3600
"""Seconds for which a bundle may be accepted; one that was accepted stays in force."""


class BundleSigner:
    """Signs heads of bundles."""

    ALGORITHM = "Ed25519"

    def __init__(self, private: bytes) -> None:
        """Take the private key (32 bytes)."""
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = key_id(self.public)

    @property
    def trusted(self) -> dict[str, dict[str, str]]:
        """The public key as agents keep it."""
        return {self.key_id: {"algorithm": self.ALGORITHM, "public": self.public.hex()}}

    def sign(self, content: bytes, domain: bytes = DOMAIN) -> dict[str, str]:
        """Return the signature over a content, with the names of its key and algorithm."""
        value = self._key.sign(domain + content).hex()
        return {"algorithm": self.ALGORITHM, "key": self.key_id, "value": value}


class Signers:
    """The keys in use: one, or two while a new one is announced. Agents accept a signature of any that they trust."""

    def __init__(self, signers: Sequence[BundleSigner]) -> None:
        self._signers = signers

    @property
    def trusted(self) -> dict[str, dict[str, str]]:
        """The public keys as agents keep them."""
        return {name: key for one in self._signers for name, key in one.trusted.items()}

    def sign(self, content: bytes) -> list[dict[str, str]]:
        """Return the signatures over a content."""
        return [one.sign(content) for one in self._signers]


def head_of(site: str, serial: int, parts: Parts, now: float, restores: int = 0) -> Head:
    """Return the head of new parts of a site."""
    made = int(now)
    return Head(site, serial, made, made, made + VALIDITY, digest_of(parts), restores)


def whole_envelope(head: str, signatures: list[Mapping[str, str]], parts: Parts) -> dict[str, Any]:
    """Return an envelope with whole parts."""
    return {"head": head, "signatures": signatures, "parts": parts}


def changes_envelope(
    head: str, signatures: list[Mapping[str, str]], parts: Parts, base: int, before: Parts
) -> dict[str, Any]:
    """Return an envelope with what changed since the parts of an earlier serial."""
    return {"head": head, "signatures": signatures, "base": base, "changes": changes(before, parts)}
