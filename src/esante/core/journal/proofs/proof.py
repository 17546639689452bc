"""The proof file, with which a person checks their own entries without trusting the platform.

It is written piece by piece: a person with very many entries costs no more memory than one with few, and other
requests are served between the pieces.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from itertools import chain
from typing import Any
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.journal.cosignature import CosignatureVerifier
from esante.core.journal.merkle import Hashes, consistency_path, inclusion_siblings, subtree_root
from esante.core.journal.proofs import store
from esante.core.journal.signed_note import Signer
from esante.core.journal.tree_hashes import compute_from_tree
from esante.core.journal.witnesses import store as witness_store
from esante.core.storage import NIL, Connection, Database, Unavailable
from esante.core.types import Json

FORMAT = "esante-journal-proof/2"
ENTRIES_AT_ONCE = 100
"""Entries of one piece."""
_EXPIRIES, END = b'],\n"expiries":[', b"]}\n"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a proof is about: a person, the size of a signed tree, and how many entries they have in it."""

    person_id: UUID
    size: int
    count: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far a proof is written.

    So many entries, None before its beginning; then the records of expiries until a key, None while it is not at them.
    """

    entries: int | None = None
    expiry_id: UUID | None = None


class ExpiryNotSealed(Unavailable):
    """A content is gone, and the record of that is not in the tree of the proof: a newer one is needed."""


class ProofWriter:
    """Writes proofs of the journal of `origin`, with the newest co-signatures of `witnesses`."""

    def __init__(
        self, db: Database, signer: Signer, origin: str, witnesses: Sequence[CosignatureVerifier] = ()
    ) -> None:
        self._db, self._signer, self._origin, self._witnesses = db, signer, origin, witnesses

    async def subject(self, person_id: UUID, size: int) -> Subject:
        """Return the subject of a proof of a person in the tree of `size`."""
        return Subject(person_id, size, await store.count_leaves(self._db, person_id, size))

    async def pieces(self, subject: Subject, note: str, place: Place) -> AsyncIterator[tuple[bytes, Place]]:
        """Yield the JSON text of a proof from a place on, without its `END`, each piece with the place after it.

        A signed statement says how many entries the person has: the numbers run from 1 to it without a gap, so an
        entry that was left out, first, last or in between, shows. `expiries` are the entries that record why contents
        are gone. `note`: the signed checkpoint of the tree. Raises: `ExpiryNotSealed`.
        """
        if place.entries is None:
            place = Place(entries=0)
            yield await self._opening(subject, note), place
        async for piece in self._entries(subject, place):
            yield piece
        if place.expiry_id is None:
            if await store.has_later_expiry(self._db, subject.person_id, subject.size):
                raise ExpiryNotSealed("the end of a retention is not sealed yet")
            place = Place(subject.count, NIL)
            yield _EXPIRIES, place
        async for piece in self._expiries(subject, place):
            yield piece

    async def _opening(self, subject: Subject, note: str) -> bytes:
        """Return what stands before the entries."""
        signed = (str(subject.person_id), str(subject.count), str(subject.size), clock.now().isoformat())
        opening: Json = {
            "format": FORMAT,
            "person": str(subject.person_id),
            "key": {"name": self._signer.name, "ed25519": base64.b64encode(self._signer.public).decode()},
            "checkpoint": note,
            "statement": self._signer.sign(f"{self._origin}/person", *signed),
            "witnesses": await self._cosigned(subject.size),
        }
        return orjson.dumps(opening).removesuffix(b"}") + b',\n"entries":['

    async def _cosigned(self, size: int) -> list[Json]:
        """Return the newest checkpoint that each witness co-signed, each with the proof that the tree of `size`
        begins with its tree.
        """
        keys = {str(witness): witness for witness in self._witnesses}
        rows = await witness_store.newest_cosignatures(self._db, list(keys), size)
        found = []
        for row in rows:
            async with self._db.transaction("repeatable_read") as conn:
                path = await compute_from_tree(conn, partial(consistency_path, row["size"], size))
            line = keys[row["witness"]].cosignature_line(int(row["signed_at"].timestamp()), row["signature"])
            text, _, signatures = row["note"].rpartition("\n\n")
            found.append(
                {
                    "key": row["witness"],
                    "checkpoint": f"{text}\n\n{signatures}{line}",
                    "consistency": [hash_.hex() for hash_ in path],
                }
            )
        return found

    async def _entries(self, subject: Subject, place: Place) -> AsyncIterator[tuple[bytes, Place]]:
        """Yield the entries from a place on."""
        for done in range(place.entries or 0, subject.count, ENTRIES_AT_ONCE):
            last = min(done + ENTRIES_AT_ONCE, subject.count)
            ids = await store.entry_ids_between(self._db, subject.person_id, done + 1, last)
            yield await self._members(subject.person_id, ids, subject.size, first=not done), Place(entries=last)

    async def _expiries(self, subject: Subject, place: Place) -> AsyncIterator[tuple[bytes, Place]]:
        """Yield the records of ends of retentions from a place on."""
        while place.expiry_id is not None and (
            ids := await store.expiry_ids(self._db, subject.person_id, place.expiry_id, subject.size, ENTRIES_AT_ONCE)
        ):
            piece = await self._members(NIL, ids, subject.size, first=place.expiry_id == NIL)
            place = replace(place, expiry_id=ids[-1])
            yield piece, place

    async def _members(self, person_id: UUID, entry_ids: Sequence[UUID], size: int, *, first: bool) -> bytes:
        """Return entries of a person with their proofs as members of a JSON array; `first`: its first ones."""
        async with self._db.transaction("repeatable_read") as conn:
            rows = await store.proof_rows(conn, person_id, entry_ids)
            paths = await _paths(conn, [row["seq"] - 1 for row in rows], size)
        members = await asyncio.to_thread(_dump, rows, paths)
        return (b"\n" if first else b",\n") + members if members else b""


async def _paths(conn: Connection, positions: Sequence[int], size: int) -> list[list[bytes]]:
    """Return the inclusion proofs of leaves."""
    siblings = [inclusion_siblings(position, size) for position in positions]
    subtrees = set(chain.from_iterable(siblings))

    def roots(hashes: Hashes) -> dict[tuple[int, int], bytes]:
        return {subtree: subtree_root(*subtree, hashes) for subtree in subtrees}

    found = await compute_from_tree(conn, roots)
    return [[found[subtree] for subtree in path] for path in siblings]


def _dump(rows: Sequence[Any], paths: Sequence[Sequence[bytes]]) -> bytes:
    return b",\n".join(orjson.dumps(_entry(row, path)) for row, path in zip(rows, paths, strict=True))


def _entry(row: Any, path: Sequence[bytes]) -> Json:
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


def verifier_source() -> str:
    """Return the source of the verifier: one Python file that needs only the standard library."""
    return (files("esante.core.journal") / "standalone_verifier.py").read_text(encoding="utf-8")
