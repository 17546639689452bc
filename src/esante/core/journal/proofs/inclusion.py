"""The proof of one entry: the entry, its place in the tree, the path to a signed head."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from esante.core.journal import store as journal_store
from esante.core.journal.merkle import inclusion_path, leaf_hash, root_from_inclusion
from esante.core.journal.model import Content, content_hash_of, digest_of
from esante.core.journal.proofs import store
from esante.core.journal.sealer import leaf_data
from esante.core.journal.signed_note import NoteVerifier, parse_checkpoint
from esante.core.journal.tree_hashes import compute_from_tree
from esante.core.storage import Database

MAX_PATH = 64


class EntryProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The proof of one entry; hashes and salt in hexadecimal, `content` as it is stored, `position` from 0."""

    person: UUID
    number: int
    position: int
    id: UUID
    at: datetime
    type: str
    salt: str
    content: str
    path: list[str]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class ProvedEntry:
    """What a proof shows: the entry's id, time, type and event (JSON), and the head that covers it."""

    id: UUID
    at: datetime
    type: str
    event: dict[str, Any]
    size: int
    sealed_at: datetime | None


async def entry_proof(db: Database, person_id: UUID, entry_id: UUID, size: int | None = None) -> EntryProof | None:
    """Return the proof of an entry in the newest tree, or in the newest one of at most `size` leaves.

    None while the entry is not sealed in it, and when its content is gone.
    """
    async with db.transaction("repeatable_read") as conn:
        rows = await store.proof_rows(conn, person_id, [entry_id])
        head = await journal_store.last_checkpoint(conn, size)
        if not rows or head is None or rows[0]["seq"] > head["size"] or rows[0]["content"] is None:
            return None
        row = rows[0]
        path = await compute_from_tree(conn, partial(inclusion_path, row["seq"] - 1, head["size"]))
    return EntryProof(
        person=person_id,
        number=row["number"],
        position=row["seq"] - 1,
        id=row["entry_id"],
        at=row["at"],
        type=row["type"],
        salt=row["salt"].hex(),
        content=row["content"].decode(),
        path=[hash_.hex() for hash_ in path],
        checkpoint=head["note"],
    )


def verify_entry(proof: EntryProof, verifier: NoteVerifier, origin: str) -> ProvedEntry:
    """Return what a proof shows. Raises: ValueError, with the reason, unless the entry is in the signed tree."""
    head = parse_checkpoint(verifier.verify_note(proof.checkpoint))
    if head.origin != origin:
        raise ValueError("the head is of another journal")
    if proof.position < head.first_format_leaves or not 0 < proof.number < 1 << 63 or len(proof.path) > MAX_PATH:
        raise ValueError("the place in the tree is impossible")
    if proof.at.tzinfo is None:
        raise ValueError("the time of the entry has no zone")
    content_hash = content_hash_of(bytes.fromhex(proof.salt), proof.content.encode())
    digest = digest_of(proof.id, proof.person, proof.at, proof.type, content_hash)
    leaf = leaf_hash(leaf_data(proof.number, digest))
    root = root_from_inclusion(proof.position, head.size, leaf, [bytes.fromhex(one) for one in proof.path])
    if root != head.root or proof.position >= head.size:
        raise ValueError("the entry is not in the tree of the signed head")
    content = msgspec.json.decode(proof.content, type=Content)
    event = msgspec.json.decode(content.event, type=dict[str, Any])
    return ProvedEntry(proof.id, proof.at, proof.type, event, head.size, head.sealed_at)
