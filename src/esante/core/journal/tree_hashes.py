"""What is computed from hashes of the stored tree: inclusion and consistency proofs, by a few reads."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from esante.core.journal import tree_store
from esante.core.journal.merkle import Hashes, leaf_hash
from esante.core.journal.sealer import leaf_data
from esante.core.storage import Connection

T = TypeVar("T")


async def compute_from_tree(conn: Connection, work: Callable[[Hashes], T]) -> T:
    """Return what `work` computes from the hashes of the tree, in a snapshot of `conn`.

    It is called twice, in a thread: first with empty hashes, to see which it asks for, then with those read at once.
    """
    needed: set[tuple[int, int, int]] = set()
    await asyncio.to_thread(work, _recording_hashes(needed))
    nodes = await tree_store.node_hashes(conn, [range_ for range_ in needed if range_[0]])
    leaves = await tree_store.leaf_rows(conn, [range_[1:] for range_ in needed if not range_[0]])

    def compute() -> T:
        leaf_hashes = {row["seq"] - 1: leaf_hash(leaf_data(row["number"], row["digest"])) for row in leaves}
        return work(_stored_hashes(nodes, leaf_hashes))

    return await asyncio.to_thread(compute)


def _recording_hashes(needed: set[tuple[int, int, int]]) -> Hashes:
    """Return a source of empty hashes that records in `needed` the ranges (level, first, count) a proof asks for."""

    def hashes(level: int, first: int, count: int) -> list[bytes]:
        needed.add((level, first, count))
        return [b""] * count

    return hashes


def _stored_hashes(nodes: dict[tuple[int, int], bytes], leaves: dict[int, bytes]) -> Hashes:
    """Return a source of the hashes of `nodes` by (level, position), and of `leaves` by position."""

    def hashes(level: int, first: int, count: int) -> list[bytes]:
        get: Callable[[int], bytes] = leaves.__getitem__ if not level else lambda i: nodes[level, i]
        return [get(position) for position in range(first, first + count)]

    return hashes
