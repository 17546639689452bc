"""The key that signs checkpoints (Ed25519), and the signed notes in which they are published.

The format is the one of transparency logs (C2SP `signed-note` and `tlog-checkpoint`): origin, size and root, a
line each, then a time, an empty line, and the signature line.
"""

import base64
import hashlib
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from esante.core.storage import read_or_create_key


class Signer:
    """Signs and verifies notes under one key; `name` is the key's name in the signature line."""

    def __init__(self, key: Ed25519PrivateKey, name: str) -> None:
        self._key = key
        self.name = name
        self.public: bytes = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def open(cls, path: Path, name: str) -> "Signer":
        """Open the key in the PEM file at `path`; created there, readable by its owner only, when there is none.

        Raises: TypeError when the file has a key of another kind.
        """
        key = load_pem_private_key(read_or_create_key(path, _new_key), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{path} has a key of another kind; the journal needs Ed25519")
        return cls(key, name)

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, 0x01, public key)."""
        return hashlib.sha256(self.name.encode() + b"\n\x01" + self.public).digest()[:4]

    def sign(self, *lines: str) -> str:
        """Return the signed note of `lines`."""
        text = "".join(f"{line}\n" for line in lines)
        signature = base64.b64encode(self.key_id + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"

    def verify_note(self, note: str) -> list[str]:
        """Return the lines of a signed note. Raises: ValueError unless this key signed exactly them."""
        text, _, tail = note.partition("\n\n")
        name, _, signature = tail.removeprefix("— ").strip().rpartition(" ")
        try:
            raw = base64.b64decode(signature, validate=True)
            if name != self.name or raw[:4] != self.key_id:
                raise ValueError("the note is signed by another key")
            Ed25519PublicKey.from_public_bytes(self.public).verify(raw[4:], f"{text}\n".encode())
        except (InvalidSignature, ValueError) as error:
            raise ValueError(f"the signature is invalid: {error or 'it does not match the text'}") from error
        return text.split("\n")


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def checkpoint_lines(origin: str, size: int, root: bytes, at: datetime) -> tuple[str, ...]:
    """Return the lines of a checkpoint note."""
    return origin, str(size), base64.b64encode(root).decode(), f"sealed {at.isoformat()}"


def parse_checkpoint(lines: list[str]) -> tuple[int, bytes]:
    """Return size and root from the lines of a checkpoint note. Raises: ValueError for other lines."""
    if len(lines) < 3:
        raise ValueError("not a checkpoint: it needs an origin, a size and a root")
    return int(lines[1]), base64.b64decode(lines[2], validate=True)
