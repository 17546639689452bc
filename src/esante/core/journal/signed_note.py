"""The key that signs checkpoints (Ed25519), and the signed notes in which they are published.

The format is the one of transparency logs (C2SP `signed-note` and `tlog-checkpoint`): origin, size and root, a
line each, then extension lines, an empty line, and the signature lines: the journal's, and those of witnesses.
"""

import base64
import hashlib
from dataclasses import dataclass, replace
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
        return self.verifier.key_id

    def sign(self, *lines: str) -> str:
        """Return the signed note of `lines`."""
        text = "".join(f"{line}\n" for line in lines)
        signature = base64.b64encode(self.key_id + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"

    @property
    def verifier(self) -> "NoteVerifier":
        """The public half, which another process may have."""
        return NoteVerifier(self.name, self.public)

    def verify_note(self, note: str) -> list[str]:
        """Return the lines of a signed note. Raises: ValueError unless this key signed exactly them."""
        return self.verifier.verify_note(note)


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """Verifies notes under one public key (32 bytes) and its name."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, 0x01, public key)."""
        return hashlib.sha256(self.name.encode() + b"\n\x01" + self.public).digest()[:4]

    def verify_note(self, note: str) -> list[str]:
        """Return the lines of a signed note. Raises: ValueError unless this key signed exactly them."""
        text, _, tail = note.partition("\n\n")
        key = self.name, self.key_id
        try:
            signatures = [_signature(line) for line in tail.removesuffix("\n").split("\n")]
            ours = [raw[4:] for name, raw in signatures if (name, raw[:4]) == key]
            if not ours:
                raise ValueError("the note is signed by another key")
            Ed25519PublicKey.from_public_bytes(self.public).verify(ours[0], f"{text}\n".encode())
        except (InvalidSignature, ValueError) as error:
            raise ValueError(f"the signature is invalid: {error or 'it does not match the text'}") from error
        return text.split("\n")


def _signature(line: str) -> tuple[str, bytes]:
    """Return the name and the bytes (key id, signature) of a signature line. Raises: ValueError for another line."""
    name, _, signature = line.removeprefix("— ").rpartition(" ")
    return name, base64.b64decode(signature, validate=True)


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class CheckpointText:
    """What the lines of a checkpoint note say.

    The last three are None in checkpoints of the version before: all their leaves have the first format.
    """

    origin: str
    size: int
    root: bytes
    sealed_at: datetime | None = None
    first_format: int | None = None
    """How many leaves, from the first on, have digests of the first format."""
    previous: int | None = None
    """The size of the checkpoint before, 0 for the first."""
    cursors: bytes | None = None
    """SHA-256 of how far each reader had come (`journal_checkpoint.cursors`)."""

    @property
    def first_format_leaves(self) -> int:
        """How many leaves have digests of the first format."""
        return self.size if self.first_format is None else self.first_format

    def lines(self) -> list[str]:
        """Return the lines of the note."""
        found = [self.origin, str(self.size), base64.b64encode(self.root).decode()]
        if self.sealed_at is not None:
            found.append(f"sealed {self.sealed_at.isoformat()}")
        if self.first_format is not None:
            cursors = base64.b64encode(self.cursors or b"").decode()
            found += [f"format 2 after {self.first_format}", f"previous {self.previous}", f"cursors {cursors}"]
        return found


def parse_checkpoint(lines: list[str]) -> CheckpointText:
    """Return what the lines of a checkpoint note say. Raises: ValueError for other lines."""
    if len(lines) < 3:
        raise ValueError("not a checkpoint: it needs an origin, a size and a root")
    parsed = CheckpointText(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True))
    said = [line.rpartition(" ") for line in lines[3:]]
    extensions = {key: value for key, _, value in said}
    if "sealed" in extensions:
        parsed = replace(parsed, sealed_at=datetime.fromisoformat(extensions["sealed"]))
    if "format 2 after" in extensions:
        parsed = replace(
            parsed,
            first_format=int(extensions["format 2 after"]),
            previous=int(extensions.get("previous", "-1")),
            cursors=base64.b64decode(extensions.get("cursors", ""), validate=True),
        )
    if parsed.lines() != lines:
        raise ValueError("not a checkpoint of this version: it has other lines")
    return parsed
