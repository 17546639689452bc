"""What an agent keeps in its folder: keys, the last good bundle, what was tried; each file replaced as a whole.

| file | holds |
|---|---|
| `site.json` | the site, the controller's address, trusted keys; made by the enrolment |
| `identity.key`, `tunnel-N.key`, `sealing.key` | private keys; they never leave the folder |
| `good.json` | the last bundle that was applied and confirmed |
| `trial.json` | the bundle that is being tried; found at a start, the try failed |
| `refused.json` | the highest serial whose try failed |
| `sequence` | the number of the last signed request |
| `certificate.*` | see `certificate.py` |
"""

import contextlib
import json
import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from esante.services.healthnet.bundles.format import Bundle, Head

_SEQUENCES_AT_ONCE = 1_000
"""Numbers of requests reserved by one write; those that a crash leaves unused are skipped."""


class StateError(Exception):
    """The folder of the agent cannot be used; the message says why and what to do."""


class State:
    """The folder of an agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sequence = self._reserved = self._read_number("sequence")

    def write(self, name: str, content: bytes, mode: int = 0o600) -> None:
        """Replace a file all at once; it is on disk on return."""
        part = self.folder / f".{name}.part"
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / name)
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def remove(self, name: str) -> None:
        """Remove a file, if there."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / name).unlink()

    def write_json(self, name: str, value: Any) -> None:
        """Replace a file of JSON."""
        self.write(name, json.dumps(value).encode())

    def read_json(self, name: str) -> Any:
        """Return the content of a file of JSON, None when it is absent or damaged."""
        try:
            return json.loads((self.folder / name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def _read_number(self, name: str) -> int:
        value = self.read_json(name)
        return value if isinstance(value, int) else 0

    def site(self) -> dict[str, Any]:
        """Return what the enrolment made. Raises: StateError before it."""
        found = self.read_json("site.json")
        if not isinstance(found, dict):
            raise StateError(f"{self.folder} has no enrolment: run `enrol` with the token of the agency")
        return found

    def next_sequence(self) -> int:
        """Return a number greater than any before."""
        if self._sequence >= self._reserved:
            self._reserved = self._sequence + _SEQUENCES_AT_ONCE
            self.write_json("sequence", self._reserved)
        self._sequence += 1
        return self._sequence

    def _private(self, name: str, make: Any) -> bytes:
        path = self.folder / name
        if not path.exists():
            self.write(name, make())
        return path.read_bytes()

    def identity(self) -> Ed25519PrivateKey:
        """Return the key that signs requests and belongs to the certificate; made on first use."""
        raw = self._private("identity.key", lambda: _raw(Ed25519PrivateKey.generate()))
        return Ed25519PrivateKey.from_private_bytes(raw)

    def tunnel_key(self, generation: int) -> str:
        """Return the WireGuard private key (base64) of a generation; made on first use."""
        raw = self._private(f"tunnel-{generation}.key", lambda: _raw(X25519PrivateKey.generate()))
        return b64encode(raw).decode()

    def tunnel_public(self, generation: int) -> str:
        """Return the WireGuard public key (base64) of a generation."""
        key = X25519PrivateKey.from_private_bytes(b64decode(self.tunnel_key(generation)))
        return b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def generations(self) -> list[int]:
        """Return the generations of which there are keys."""
        return sorted(int(path.stem.partition("-")[2]) for path in self.folder.glob("tunnel-*.key"))

    def forget_generations(self, kept: set[int]) -> None:
        """Remove the keys of generations before the oldest one that is kept."""
        for generation in self.generations():
            if kept and generation < min(kept):
                self.remove(f"tunnel-{generation}.key")

    def sealing_key(self) -> bytes:
        """Return the key that opens pre-shared keys."""
        return (self.folder / "sealing.key").read_bytes()

    def keep_bundle(self, name: str, bundle: Bundle) -> None:
        """Keep a bundle that was verified."""
        self.write_json(name, {"head": vars(bundle.head), "parts": bundle.parts})

    def bundle(self, name: str) -> Bundle | None:
        """Return a kept bundle, None when there is none."""
        found = self.read_json(name)
        if not isinstance(found, dict):
            return None
        return Bundle(Head(**found["head"]), found["parts"])

    @property
    def refused_serial(self) -> int:
        """The highest serial whose try failed."""
        return self._read_number("refused.json")


def _raw(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
