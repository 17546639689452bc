"""Co-signatures of witnesses on checkpoints (C2SP `tlog-cosignature`, the type for Ed25519).

A co-signature says: at this time no larger tree of this log was known to the witness, and the tree begins with every
smaller one that the witness signed.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from esante.core.journal.signed_note import VerifierKey, open_key

_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class CosignatureVerifier(VerifierKey):
    """Verifies co-signatures under the public key of a witness and its name."""

    TYPE = b"\x04"

    def verify(self, note: str) -> tuple[int, bytes]:
        """Return the time (seconds since 1970) and the signature of this witness on the checkpoint of a note.

        Raises: ValueError when it has none, or one that is invalid.
        """
        text, found = self.signatures(note)
        if not found:
            raise ValueError(f"{self.name} did not co-sign it")
        time, signature = int.from_bytes(found[0][:_TIME_BYTES], "big"), found[0][_TIME_BYTES:]
        if not self.is_signed(text, time, signature):
            raise ValueError(f"the co-signature of {self.name} is invalid")
        return time, signature

    def is_signed(self, text: str, time: int, signature: bytes) -> bool:
        """Return whether a signature is that of this witness on the text of a checkpoint at a time."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, _message(text, time))
        except InvalidSignature:
            return False
        return True

    def cosignature_line(self, time: int, signature: bytes) -> str:
        """Return the signature line of a co-signature."""
        return self.line(time.to_bytes(_TIME_BYTES, "big") + signature)


class Cosigner:
    """Co-signs checkpoints under the key of a witness and its name."""

    def __init__(self, key: Ed25519PrivateKey, name: str) -> None:
        self._key = key
        self.verifier = CosignatureVerifier(name, key.public_key().public_bytes_raw())

    @classmethod
    def open(cls, path: Path, name: str) -> "Cosigner":
        """Open the key in a PEM file (as `open_key`).

        Raises: ValueError for a name that no key may have; TypeError when the file has a key of another kind.
        """
        cosigner = cls(open_key(path), name)
        CosignatureVerifier.parse(str(cosigner.verifier))
        return cosigner

    def cosign(self, text: str, time: int) -> str:
        """Return the signature line on the text of a checkpoint at a time (seconds since 1970)."""
        return self.verifier.cosignature_line(time, self._key.sign(_message(text, time)))


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
