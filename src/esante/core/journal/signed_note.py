"""The key that signs checkpoints (Ed25519), and the signed notes in which they are published.

The format is the one of transparency logs (C2SP `signed-note` and `tlog-checkpoint`): origin, size and root, a
line each, then extension lines, an empty line, and the signature lines: the journal's, and those of witnesses.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Self

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

_LINE = re.compile(r"\u2014 (.+) ([A-Za-z0-9+/]+={0,2})")


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
        return cls(open_key(path), name)

    def sign(self, *lines: str) -> str:
        """Return the signed note of `lines`."""
        text = "".join(f"{line}\n" for line in lines)
        return f"{text}\n{self.verifier.line(self._key.sign(text.encode()))}"

    @property
    def verifier(self) -> "NoteVerifier":
        """The public half, which another process may have."""
        return NoteVerifier(self.name, self.public)

    def verify_note(self, note: str) -> list[str]:
        """Return the lines of a signed note. Raises: ValueError unless this key signed exactly them."""
        return self.verifier.verify_note(note)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key (Ed25519, 32 bytes) and its name, for signatures of one type (C2SP `signed-note`)."""

    TYPE: ClassVar[bytes]
    """The byte by which ids and texts of keys tell types of signatures apart."""
    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, type, public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.TYPE + self.public).digest()[:4]

    def __str__(self) -> str:
        """Return the key as a text ("Verifier keys"): name, id, type and public key."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.TYPE + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key of a text. Raises: ValueError for a text of another form or type."""
        name, _, rest = text.partition("+")
        encoded = rest.partition("+")[2]
        try:
            typed = base64.b64decode(encoded, validate=True)
        except ValueError:
            typed = b""
        if typed[:1] != cls.TYPE or len(typed) != 33:
            raise ValueError(f"not a verifier key of type {cls.TYPE[0]}: {text!r}")
        key = cls(name, typed[1:])
        if str(key) != text or not name or any(map(str.isspace, name)):
            raise ValueError(f"not a verifier key (name+id+key): {text!r}")
        return key

    def line(self, signature: bytes) -> str:
        """Return the line of a signature of this key."""
        return f"\u2014 {self.name} {base64.b64encode(self.id + signature).decode()}\n"

    def signatures(self, note: str) -> tuple[str, list[bytes]]:
        """Return the text of a note and the signatures on it that name this key.

        Raises: ValueError when it is no signed note.
        """
        text, lines = split_note(note)
        return text, [raw[4:] for name, raw in lines if (name, raw[:4]) == (self.name, self.id)]


@dataclass(frozen=True, slots=True)
class NoteVerifier(VerifierKey):
    """Verifies notes under one public key and its name."""

    TYPE = b"\x01"

    def verify_note(self, note: str) -> list[str]:
        """Return the lines of a signed note. Raises: ValueError unless this key signed exactly them."""
        try:
            text, ours = self.signatures(note)
            if not ours:
                raise ValueError("the note is signed by another key")
            for signature in ours:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError) as error:
            raise ValueError(f"the signature is invalid: {str(error) or 'it does not match the text'}") from error
        return text.removesuffix("\n").split("\n")


def open_key(path: Path) -> Ed25519PrivateKey:
    """Return the key in the PEM file at `path`; created there, readable by its owner only, when there is none.

    Raises: TypeError when the file has a key of another kind.
    """
    key = load_pem_private_key(read_or_create_key(path, _new_key), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} has a key of another kind; an Ed25519 key is needed")
    return key


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the text of a note, and of each signature line the name and the bytes (key id, signature).

    Raises: ValueError when it is no signed note (C2SP `signed-note`, "Format").
    """
    text, separator, tail = note.rpartition("\n\n")
    lines = [_LINE.fullmatch(line) for line in tail.removesuffix("\n").split("\n")]
    if not separator or not tail.endswith("\n") or any(char < " " and char != "\n" for char in note):
        raise ValueError("not a signed note")
    signatures = [(line[1], base64.b64decode(line[2], validate=True)) for line in lines if line]
    if len(signatures) < len(lines):
        raise ValueError("not a signed note: it has another line among its signatures")
    return f"{text}\n", signatures


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
