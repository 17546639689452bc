"""The Merkle tree of RFC 9162, section 2.1, over leaves that are appended one after the other."""

import hashlib
from collections.abc import Callable, Iterable, Sequence

LEAF, NODE = b"\x00", b"\x01"
FANOUT_BITS = 4
"""Roots of complete subtrees are kept at every fourth level, so a proof reads a few rows of 16 hashes."""
CHUNK_LEVEL = 4
CHUNK = 1 << FANOUT_BITS * CHUNK_LEVEL
"""Leaves of a chunk, the unit of work: a power of two, so that a full one is one complete subtree and a kept node."""

_sha256 = hashlib.sha256
Hashes = Callable[[int, int, int], Sequence[bytes]]
"""`hashes(level, first, count)` returns kept hashes; level 0 are leaf hashes, level k roots of 16^k leaves."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256(0x00 || data)."""
    return _sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return _sha256(NODE + left + right).digest()


EMPTY_ROOT = _sha256(b"").digest()


class Frontier:
    """The roots of the complete subtrees of a growing tree, left to right: enough to append further leaves."""

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size = size
        self.roots = list(roots)
        if len(self.roots) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} complete subtrees")

    def append(self, hash_: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf hash; return the kept nodes `(level, position, hash)` that it completes."""
        roots, size, height = self.roots, self.size, 0
        completed = []
        while size & 1:
            hash_ = _sha256(NODE + roots.pop() + hash_).digest()
            size >>= 1
            height += 1
            if height % FANOUT_BITS == 0:
                completed.append((height // FANOUT_BITS, size, hash_))
        roots.append(hash_)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the root of the tree."""
        if not self.roots:
            return EMPTY_ROOT
        result = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            result = node_hash(left, result)
        return result

    def to_bytes(self) -> bytes:
        """Return the subtree roots, concatenated (32 bytes each)."""
        return b"".join(self.roots)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Return the frontier of a tree of `size` leaves from the bytes of `to_bytes`."""
        return cls(size, [data[i : i + 32] for i in range(0, len(data), 32)])


def subtree_root(first: int, last: int, hashes: Hashes) -> bytes:
    """Return the root of leaves `first` to `last` (exclusive), from the largest kept hashes that fit."""
    count = last - first
    level = 0
    while count >= 16 ** (level + 1) and first % 16 ** (level + 1) == 0:
        level += 1
    width = 16**level
    frontier = Frontier()
    complete = count // width
    for hash_ in hashes(level, first // width, complete):
        frontier.append(hash_)
    root = frontier.root()
    if first + complete * width == last:
        return root
    split = 1 << ((count - 1).bit_length() - 1)
    return node_hash(subtree_root(first, first + split, hashes), subtree_root(first + split, last, hashes))


def inclusion_path(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves, leaf upwards (RFC 9162, 2.1.3.1).

    Raises: ValueError when the tree has no such leaf.
    """
    return [subtree_root(first, last, hashes) for first, last in inclusion_siblings(index, size)]


def inclusion_siblings(index: int, size: int) -> list[tuple[int, int]]:
    """Return the subtrees whose roots are the inclusion proof of a leaf: their leaves, first and last (exclusive).

    Raises: ValueError when the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    found, first, last = [], 0, size
    while last - first > 1:
        split = first + (1 << ((last - first - 1).bit_length() - 1))
        if index < split:
            found.append((split, last))
            last = split
        else:
            found.append((first, split))
            first = split
    return found[::-1]


def consistency_path(old: int, new: int, hashes: Hashes) -> list[bytes]:
    """Return the proof that the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162, 2.1.4.1).

    Raises: ValueError unless 0 < old <= new.
    """
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof from {old} to {new}")
    return _subproof(old, 0, new, hashes, known=True)


def _subproof(old: int, first: int, last: int, hashes: Hashes, *, known: bool) -> list[bytes]:
    """Return SUBPROOF of RFC 9162, 2.1.4.1; `known`: the verifier has the root of the old subtree already."""
    if old == last - first:
        return [] if known else [subtree_root(first, last, hashes)]
    split = 1 << ((last - first - 1).bit_length() - 1)
    middle = first + split
    if old <= split:
        return [
            *_subproof(old, first, middle, hashes, known=known),
            subtree_root(middle, last, hashes),
        ]
    return [
        *_subproof(old - split, middle, last, hashes, known=False),
        subtree_root(first, middle, hashes),
    ]


def root_from_inclusion(index: int, size: int, hash_: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root that follows from a leaf hash and its proof (RFC 9162, 2.1.3.2).

    Raises: ValueError when the proof is too long or too short.
    """
    node, last = index, size - 1
    for sibling in path:
        if last == 0:
            raise ValueError("the proof is too long")
        if node & 1 or node == last:
            hash_ = node_hash(sibling, hash_)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return hash_


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Return whether the proof shows that the old tree is the beginning of the new one (RFC 9162, 2.1.4.2)."""
    if old == new:
        return old_root == new_root and not path
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not 0 < old < new or not hashes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first_root = second_root = hashes[0]
    for hash_ in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first_root, second_root = node_hash(hash_, first_root), node_hash(hash_, second_root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second_root = node_hash(second_root, hash_)
        node, last = node >> 1, last >> 1
    return last == 0 and first_root == old_root and second_root == new_root
