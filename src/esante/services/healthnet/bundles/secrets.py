"""Secrets of the control plane, all derived from one root key: nothing secret is in the database.

| secret | of | known to |
|---|---|---|
| token secret | a token's id | the controller, and who was handed the token |
| sealing key | a token's secret | the controller, the site that enrolled with it |
| pre-shared key | two sites and the generations of their keys | the controller, the two sites |

Pre-shared keys travel sealed with the sealing key (AES-SIV, 256 bits), which never travels: it comes from the token,
that is handed over outside the network. Derivation is HMAC-SHA-256.
"""

import hmac
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

ROOT_BYTES = 64


def derive(key: bytes, label: str) -> bytes:
    """Return a key (32 bytes) of another one for a purpose."""
    return hmac.digest(key, label.encode(), "sha256")


def sealing_key_of(token_secret: bytes) -> bytes:
    """Return the sealing key (64 bytes) of the site that enrolled with a token."""
    return derive(token_secret, "sealing 1") + derive(token_secret, "sealing 2")


class Secrets:
    """What is derived from the root key (64 bytes)."""

    def __init__(self, root: bytes) -> None:
        if len(root) != ROOT_BYTES:
            raise ValueError(f"the root key of the network has {len(root)} bytes and not {ROOT_BYTES}")
        self._tokens, self._pairs = derive(root, "tokens"), derive(root, "pre-shared keys")
        self._signing = derive(root, "signing keys")
        self.signing_key, self.release_key = derive(root, "signing of bundles"), derive(root, "signing of releases")

    def signing_key_of(self, generation: int) -> bytes:
        """Return the private key (32 bytes) of a generation that signs bundles; the first one is 1."""
        return self.signing_key if generation == 1 else derive(self._signing, str(generation))

    def token_secret(self, token_id: UUID) -> bytes:
        """Return the secret of a token (32 bytes)."""
        return derive(self._tokens, str(token_id))

    def sealing_key(self, token_id: UUID) -> bytes:
        """Return the sealing key of the site that enrolled with a token."""
        return sealing_key_of(self.token_secret(token_id))

    def pre_shared_key(self, one: tuple[str, int], other: tuple[str, int]) -> bytes:
        """Return the key (32 bytes) of a tunnel between two sites with their generations, in any order."""
        first, second = sorted((one, other))
        return derive(self._pairs, f"{first[0]}\n{first[1]}\n{second[0]}\n{second[1]}")


def seal(sealer: AESSIV, name: str, secret: bytes) -> str:
    """Return a secret sealed under its name (hexadecimal); the same input gives the same text."""
    return sealer.encrypt(secret, [name.encode()]).hex()
