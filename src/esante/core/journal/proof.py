"""The proof file, with which a person checks their own entries without trusting the platform."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

from esante.core.journal import store
from esante.core.journal.merkle import Hashes, inclusion_path, leaf_hash
from esante.core.journal.sealer import leaf_data
from esante.core.journal.signed_note import Signer
from esante.core.storage import Database
from esante.core.types import Json

FORMAT = "esante-journal-proof/1"


async def person_proof(db: Database, signer: Signer, origin: str, person_id: UUID) -> Json | None:
    """Return all sealed entries of a person with inclusion proofs to the newest checkpoint; None before any seal.

    A signed statement says how many entries they have: the numbers run from 1 to it without a gap, so an entry that
    was left out, first, last or in between, shows.
    """
    async with db.transaction("repeatable_read") as conn:
        head = await store.last_checkpoint(conn)
        if head is None:
            return None
        size = head["size"]
        rows = await store.proof_rows(conn, person_id, size)
        needed: set[tuple[int, int, int]] = set()
        for row in rows:
            inclusion_path(row["seq"] - 1, size, _recording_hashes(needed))
        nodes = await store.node_hashes(conn, [range_ for range_ in needed if range_[0]])
        leaves = await store.leaf_rows(conn, [range_[1:] for range_ in needed if not range_[0]])
    hashes = _stored_hashes(nodes, {r["seq"] - 1: leaf_hash(leaf_data(r["number"], r["digest"])) for r in leaves})
    return {
        "format": FORMAT,
        "person": str(person_id),
        "key": {"name": signer.name, "ed25519": base64.b64encode(signer.public).decode()},
        "checkpoint": head["note"],
        "statement": signer.sign(
            f"{origin}/person", str(person_id), str(len(rows)), str(size), datetime.now(UTC).isoformat()
        ),
        "entries": [_entry(row, inclusion_path(row["seq"] - 1, size, hashes)) for row in rows],
    }


def verifier_source() -> str:
    """Return the source of the verifier: one Python file that needs only the standard library."""
    return (files("esante.core.journal") / "standalone_verifier.py").read_text(encoding="utf-8")


def _entry(row: Any, path: list[bytes]) -> Json:
    entry: Json = {
        "number": row["number"],
        "position": row["seq"] - 1,
        "id": str(row["entry_id"]),
        "at": row["at"].isoformat(),
        "type": row["type"],
    }
    if row["content"] is None:
        entry["digest"] = row["digest"].hex()
    else:
        entry |= {"salt": row["salt"].hex(), "content": row["content"].decode()}
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
