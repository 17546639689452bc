"""A log in memory whose checkpoints are submitted to witnesses; two of one key and other leaves are a fork."""

import base64
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from esante.core.journal import merkle
from esante.core.journal.signed_note import Signer

ORIGIN = "log.example/a"


class WitnessedLog:
    """A log of `size` leaves, its key, and the requests that it sends."""

    def __init__(
        self, size: int = 0, *, origin: str = ORIGIN, key: Ed25519PrivateKey | None = None, leaf: str = "leaf"
    ):
        self.key = key or Ed25519PrivateKey.generate()
        self.signer = Signer(self.key, origin)
        self.origin, self._leaf = origin, leaf
        self._kept: dict[int, list[bytes]] = {0: []}
        self._frontier = merkle.Frontier()
        self._roots = [merkle.EMPTY_ROOT]
        self.grow(size)

    def grow(self, leaves: int) -> None:
        """Append leaves."""
        for _ in range(leaves):
            hash_ = merkle.leaf_hash(f"{self._leaf} {self._frontier.size}".encode())
            self._kept[0].append(hash_)
            for level, _, node in self._frontier.append(hash_):
                self._kept.setdefault(level, []).append(node)
            self._roots.append(self._frontier.root())

    @property
    def size(self) -> int:
        """How many leaves the log has."""
        return self._frontier.size

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` leaves."""
        return self._roots[size]

    def text(self, size: int, *extensions: str) -> str:
        """Return the text of the checkpoint of a size."""
        lines = [self.origin, str(size), base64.b64encode(self.root(size)).decode(), *extensions]
        return "".join(f"{line}\n" for line in lines)

    def note(self, size: int, *extensions: str) -> str:
        """Return the signed checkpoint of a size."""
        return self.signer.sign(*self.text(size, *extensions).removesuffix("\n").split("\n"))

    def proof(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of `new` leaves begins with that of `old`."""
        if not 0 < old < new:
            return []
        return merkle.consistency_path(old, new, lambda level, first, n: self._kept[level][first : first + n])

    def body(self, old: int, size: int, *, proof: Sequence[bytes] | None = None, note: str = "") -> bytes:
        """Return the request that submits the checkpoint of a size."""
        hashes = self.proof(old, size) if proof is None else proof
        lines = [f"old {old}", *(base64.b64encode(hash_).decode() for hash_ in hashes)]
        return ("".join(f"{line}\n" for line in lines) + "\n" + (note or self.note(size))).encode()
