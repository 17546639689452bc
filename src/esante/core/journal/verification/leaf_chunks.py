"""Verification of the leaves of one chunk, in a process of its own: entries, digests, kept nodes, checkpoints."""

import gc
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import uvloop

from esante.core.journal import tree_store
from esante.core.journal.merkle import CHUNK, CHUNK_LEVEL, FANOUT_BITS, LEAF, NODE, Frontier
from esante.core.journal.signed_note import CheckpointText, NoteVerifier
from esante.core.journal.verification import store as verification_store
from esante.core.journal.verification.cosignatures import cosignature_problems
from esante.core.storage import NIL

Nodes: TypeAlias = dict[tuple[int, int], bytes]
"""Hashes by (level, position)."""
LeafProblem: TypeAlias = tuple[int, str]
"""A leaf (`seq`) or the size of a checkpoint, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the chunks of one verification share: the database, the tree, the key, sizes of known heads."""

    dsn: str
    size: int
    first_format: int
    """How many leaves have digests of the first format."""
    origin: str
    verifier: NoteVerifier
    watched: tuple[int, ...] = ()
    """Sizes for which the tree is computed besides those of the checkpoints."""

    def chunks(self) -> list[tuple[int, int]]:
        """Return the chunks: the 0-based position of the first leaf, and the number of leaves.

        The last one is never full, and may be empty: the checkpoints at its beginning belong to it.
        """
        return [(first, min(CHUNK, self.size - first)) for first in range(0, self.size + 1, CHUNK)]


class ExpiredLeaf(NamedTuple):
    """A leaf whose content was removed, and the entry that is named as the record of it."""

    seq: int
    type: str
    at: datetime
    of_person: bool
    """Whether the entry is filed under a person."""
    expiry_id: UUID | None


@dataclass(slots=True)
class Chunk:
    """The result of one chunk: the roots of its complete subtrees, problems, expired leaves."""

    first: int
    """The 0-based position of its first leaf."""
    count: int
    problems: list[LeafProblem]
    checkpoint_problems: list[LeafProblem]
    expired: list[ExpiredLeaf]
    heads: bytes = b""
    """SHA-256 of the heads of its entries of the first format, empty when it has none."""
    complete: bool = True
    """False when leaves are missing or stored twice: then what follows is empty."""
    roots: list[bytes] = field(default_factory=list)
    tree_problems: list[LeafProblem] = field(default_factory=list)
    """Checkpoints whose root or subtrees are not those of the leaves."""
    prefixes: dict[bytes, int] = field(default_factory=dict)
    """The subtree roots before this chunk as its checkpoints have them, each with the size of a checkpoint."""
    watched: dict[int, bytes] = field(default_factory=dict)
    """For the watched sizes in this chunk the concatenated subtree roots of its leaves up to there."""


def check_chunk_in_process(work: Work, first: int, count: int) -> Chunk:
    """Check a chunk (see `check_chunk`) in a process that does nothing else."""
    gc.disable()  # half a million small objects without cycles: collecting garbage costs a third of the time
    return uvloop.run(check_chunk(work, first, count))


async def check_chunk(work: Work, first: int, count: int) -> Chunk:
    """Check the leaves `first + 1` to `first + count`.

    With them the checkpoints from `first` leaves to the next chunk, and the co-signatures on these.
    """
    # A chunk and its entries fit into `work_mem` together, so the join writes no temporary files.
    conn = await asyncpg.connect(work.dsn, server_settings={"work_mem": "64MB", "timezone": "UTC"})
    try:
        rows = await verification_store.leaves_with_entries(conn, first + 1, first + count, work.first_format)
        expired, problems = await _check_suspects(conn, work, [row[0] for row in rows if row[5]])
        heights = [(level, FANOUT_BITS * level) for level in range(1, CHUNK_LEVEL + 1) if count >> FANOUT_BITS * level]
        kept = await tree_store.node_hashes(conn, [(level, first >> bits, count >> bits) for level, bits in heights])
        last = min(first + CHUNK - 1, work.size)
        cosignatures = await verification_store.cosignatures_between(conn, first, last)  # before what they are on
        checkpoints = await verification_store.checkpoints_between(conn, first, last)
    finally:
        await conn.close()
    gaps = _find_gap(rows, first, count)
    before = checkpoints.pop(0) if checkpoints and checkpoints[0]["size"] < first else None
    notes = {row["size"]: row["note"] for row in checkpoints}
    cosigned = list(cosignature_problems(cosignatures, notes))[: verification_store.REPORTED_ROWS]
    chunk = Chunk(
        first,
        count,
        problems + gaps + _find_altered(rows),
        _check_checkpoints(work, checkpoints, before) + cosigned,
        expired,
        _heads(rows, work.first_format),
        complete=not gaps,
    )
    if not gaps:
        nodes: Nodes = {}
        levels = _levels(_leaf_hashes(rows), first, nodes)
        chunk.problems += first_wrong_node(nodes, kept)
        chunk.roots = _roots(levels, count)
        chunk.watched = {
            size: b"".join(_roots(levels, size - first))
            for size in work.watched
            if first <= size <= first + count and size - first < CHUNK
        }
        for row in checkpoints:
            _check_subtrees(row, _roots(levels, row["size"] - first), chunk)
    return chunk


async def _check_suspects(conn: Any, work: Work, leaves: list[int]) -> tuple[list[ExpiredLeaf], list[LeafProblem]]:
    """Return the leaves whose retention ended, and the problems of others with something missing or too much."""
    expired, problems = [], []
    for row in await verification_store.suspect_entries(conn, leaves):
        seq, name = row["seq"], f"entry {row['seq']} ({row['entry_id']})"
        if row["removed"] or row["moved"]:
            problems.append((seq, f"{name} was {'removed' if row['removed'] else 'moved'}"))
        elif row["has_salt"] != row["has_content"]:
            kind = "a content without its salt" if row["has_content"] else "a salt without its content"
            problems.append((seq, f"{name} has {kind}"))
        elif row["has_content"]:
            problems.append((seq, f"{name} has a content, and what is left of one"))
        elif row["has_hash"] == (seq <= work.first_format):
            kind = "a hash that nothing signs" if row["has_hash"] else "not the hash of its content"
            problems.append((seq, f"{name} was altered: it has {kind}"))
        else:
            expired.append(ExpiredLeaf(seq, row["type"], row["at"], row["person_id"] != NIL, row["expiry_id"]))
    return expired, problems


def _check_checkpoints(work: Work, rows: Sequence[Any], before: Any) -> list[LeafProblem]:
    """Compare every column of checkpoints (but the subtrees) with their signed notes, and the cursors of each with
    those of the one before; return the first problems.
    """
    problems: list[LeafProblem] = []
    for row in rows:
        fault = _note_fault(work, row, before)
        if not fault:
            fault = cursor_fault(parse_cursors(before["cursors"] if before else ""), parse_cursors(row["cursors"]))
        if fault:
            problems.append((row["size"], f"checkpoint {row['size']}: {fault}"))
        before = row
    return problems[: verification_store.REPORTED_ROWS]


def _note_fault(work: Work, row: Any, before: Any) -> str:
    """Return how a checkpoint and its note differ, or an empty text."""
    try:
        lines = work.verifier.verify_note(row["note"])
    except ValueError as error:
        return str(error)
    expected = CheckpointText(work.origin, row["size"], row["root"], row["sealed_at"])
    cursors = row["cursors"]
    if row["size"] > work.first_format:
        digest = hashlib.sha256(cursors.encode()).digest()
        expected = CheckpointText(
            work.origin,
            row["size"],
            row["root"],
            row["sealed_at"],
            work.first_format,
            before["size"] if before else 0,
            digest,
        )
    elif cursors:
        return "its row has cursors that its note does not sign"
    found = expected.lines()
    if lines == found:
        return ""
    if len(lines) == len(found) and [place for place, line in enumerate(lines) if line != found[place]] == [5]:
        return f"the checkpoint before it, {lines[5].removeprefix('previous ')}, was removed, or one was inserted"
    return "its row and its signed note differ"


def parse_cursors(text: str) -> dict[str, int]:
    """Return the cursors that a checkpoint keeps, by reader; what is no number counts as 0."""
    split = [line.rpartition(" ") for line in text.splitlines()]
    return {reader: int(seq) if seq.isdecimal() else 0 for reader, _, seq in split}


def cursor_fault(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Return which reader was set back since `before`, or removed, or an empty text."""
    for reader, seq in before.items():
        if reader not in now:
            return f"the consumer {reader} was at entry {seq}, and its cursor was removed"
        if now[reader] < seq:
            return f"the consumer {reader} was set back from entry {seq} to {now[reader]}"
    return ""


def _check_subtrees(row: Any, inside: Sequence[bytes], chunk: Chunk) -> None:
    """Compare the root and the subtrees of a checkpoint with those of its leaves in this chunk."""
    own, size = b"".join(inside), row["size"]
    prefix, rest = row["frontier"][: len(row["frontier"]) - len(own)], row["frontier"][-len(own) :] if own else b""
    if len(row["frontier"]) != 32 * size.bit_count() or rest != own:
        chunk.tree_problems.append((size, f"checkpoint {size}: its subtrees are not those of its entries"))
    elif Frontier.from_bytes(size, row["frontier"]).root() != row["root"]:
        chunk.tree_problems.append((size, f"checkpoint {size}: its root is not that of its entries"))
    else:
        chunk.prefixes.setdefault(prefix, size)


def _find_gap(rows: Sequence[Any], first: int, count: int) -> list[LeafProblem]:
    """Return the first leaf that is missing or stored twice, with a text; or []."""
    if [row[0] for row in rows] == list(range(first + 1, first + count + 1)):
        return []
    have = Counter(row[0] for row in rows)
    wrong = next(seq for seq in range(first + 1, first + count + 1) if have[seq] != 1)
    reason = "has two entries" if have[wrong] else "its leaf was removed from the tree"
    return [(wrong, f"entry {wrong}: {reason}")]


def _find_altered(rows: Sequence[Any]) -> list[LeafProblem]:
    """Return the leaves whose entry does not have the sealed digest, each with a text."""
    sha256 = hashlib.sha256
    return [
        (row[0], f"entry {row[0]} was altered: it is not what was sealed")
        for row in rows
        if row[3] is not None and sha256(row[3]).digest() != row[2]
    ]


def _heads(rows: Sequence[Any], first_format: int) -> bytes:
    """Return SHA-256 of the heads of the entries of the first format, empty when there are none."""
    if not rows or rows[0][0] > first_format:
        return b""
    return hashlib.sha256(b"".join(row[4] or b"" for row in rows)).digest()


def _leaf_hashes(rows: Sequence[Any]) -> list[bytes]:
    sha256 = hashlib.sha256
    return [sha256(LEAF + row[1].to_bytes(8, "big", signed=row[1] < 0) + row[2]).digest() for row in rows]


def _levels(hashes: list[bytes], first: int, nodes: Nodes) -> list[list[bytes]]:
    """Return the roots of the complete subtrees of the leaves from position `first` on, by height, left to right.

    Into `nodes` go those that the sealer keeps, by (level, position).
    """
    sha256, levels = hashlib.sha256, [hashes]
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(NODE + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        height = len(levels)
        if height % FANOUT_BITS == 0:
            start = first >> height
            nodes.update(((height // FANOUT_BITS, start + i), hash_) for i, hash_ in enumerate(hashes))
        levels.append(hashes)
    return levels


def _roots(levels: Sequence[Sequence[bytes]], count: int) -> list[bytes]:
    """Return the roots of the complete subtrees of the first `count` leaves, left to right."""
    return [
        levels[height][(count >> height) - 1] for height in reversed(range(count.bit_length())) if count >> height & 1
    ]


def first_wrong_node(computed: Nodes, kept: Nodes) -> list[LeafProblem]:
    """Return the first kept node that its leaves contradict, lowest level first: its last leaf, and a text; or []."""
    for (level, position), hash_ in sorted(computed.items()):
        if kept.get((level, position)) != hash_:
            width = 1 << FANOUT_BITS * level
            first, last = position * width + 1, (position + 1) * width
            return [(last, f"entries {first} to {last}: a leaf or a kept node is not what was sealed")]
    return []
