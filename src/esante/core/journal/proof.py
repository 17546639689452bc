"""The proof file, with which a person checks their own entries without trusting the platform.

It is written piece by piece: a person with very many entries costs no more memory than one with few, and other
requests are served between the pieces.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.resources import files
from itertools import chain
from typing import Any
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.journal import proof_store
from esante.core.journal.merkle import Hashes, inclusion_siblings, leaf_hash, subtree_root
from esante.core.journal.sealer import leaf_data
from esante.core.journal.signed_note import Signer
from esante.core.storage import NIL, Database, Unavailable
from esante.core.types import Json

FORMAT = "esante-journal-proof/2"
ENTRIES_AT_ONCE = 100
"""Entries of one piece."""


async def proof_pieces(db: Database, signer: Signer, origin: str, person_id: UUID, head: Any) -> AsyncIterator[bytes]:
    """Yield the JSON text of a person's proof: their sealed entries with proofs that the tree of `head` has them.

    A signed statement says how many entries they have: the numbers run from 1 to it without a gap, so an entry that
    was left out, first, last or in between, shows. `expiries` are the entries that record why contents are gone.
    `head`: the row of a checkpoint. Raises: `Unavailable` when such an entry is not sealed yet.
    """
    size = head["size"]
    leaves = await proof_store.leaves_of(db, person_id, size)
    statement = signer.sign(f"{origin}/person", str(person_id), str(len(leaves)), str(size), clock.now().isoformat())
    start: Json = {
        "format": FORMAT,
        "person": str(person_id),
        "key": {"name": signer.name, "ed25519": base64.b64encode(signer.public).decode()},
        "checkpoint": head["note"],
        "statement": statement,
    }
    yield orjson.dumps(start).removesuffix(b"}") + b',\n"entries":['
    expiries: set[UUID] = set()
    async for piece in _entries(db, person_id, [leaf["entry_id"] for leaf in leaves], size, expiries):
        yield piece
    if await proof_store.are_sealed_later(db, list(expiries), size):
        raise Unavailable("the end of a retention is not sealed yet")
    yield b'],\n"expiries":['
    async for piece in _entries(db, NIL, sorted(expiries), size, set()):
        yield piece
    yield b"]}\n"


def verifier_source() -> str:
    """Return the source of the verifier: one Python file that needs only the standard library."""
    return (files("esante.core.journal") / "standalone_verifier.py").read_text(encoding="utf-8")


async def _entries(
    db: Database, person_id: UUID, entry_ids: Sequence[UUID], size: int, expiries: set[UUID]
) -> AsyncIterator[bytes]:
    """Yield the entries of a person as members of a JSON array; into `expiries` go those that record removals."""
    start = b"\n"
    for first in range(0, len(entry_ids), ENTRIES_AT_ONCE):
        wanted = entry_ids[first : first + ENTRIES_AT_ONCE]
        async with db.transaction("repeatable_read") as conn:
            rows = await proof_store.proof_rows(conn, person_id, wanted)
            siblings = [inclusion_siblings(row["seq"] - 1, size) for row in rows]
            subtrees = set(chain.from_iterable(siblings))
            needed: set[tuple[int, int, int]] = set()
            for subtree in subtrees:
                subtree_root(*subtree, _recording_hashes(needed))
            nodes = await proof_store.node_hashes(conn, [range_ for range_ in needed if range_[0]])
            sealed = await proof_store.leaf_rows(conn, [range_[1:] for range_ in needed if not range_[0]])
        expiries.update(row["expiry_id"] for row in rows if row["expiry_id"])
        hashes = _stored_hashes(nodes, {r["seq"] - 1: leaf_hash(leaf_data(r["number"], r["digest"])) for r in sealed})
        roots = {subtree: subtree_root(*subtree, hashes) for subtree in subtrees}
        members = [
            orjson.dumps(_entry(row, [roots[subtree] for subtree in path]))
            for row, path in zip(rows, siblings, strict=True)
        ]
        if members:
            yield start + b",\n".join(members)
            start = b",\n"
        await asyncio.sleep(0)


def _entry(row: Any, path: list[bytes]) -> Json:
    entry: Json = {
        "number": row["number"],
        "position": row["seq"] - 1,
        "id": str(row["entry_id"]),
        "at": row["at"].isoformat(),
        "type": row["type"],
    }
    if row["content"] is not None:
        entry |= {"salt": row["salt"].hex(), "content": row["content"].decode()}
    else:
        entry["expiry"] = str(row["expiry_id"]) if row["expiry_id"] else None
        if row["content_hash"]:
            entry["content_hash"] = row["content_hash"].hex()
        else:
            entry["digest"] = row["digest"].hex()
    return entry | {"path": [hash_.hex() for hash_ in path]}


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
