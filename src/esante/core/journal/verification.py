"""Verification of the journal: recomputes everything and names the first entry that is wrong.

Leaves are checked in chunks of complete subtrees by several processes: contents against their digests, columns
against contents, kept nodes against leaves, and the root of the chunk; the chunk roots then give the root of the
tree. Entries may be appended and sealed meanwhile: what is compared with each other is read in one snapshot.
"""

import asyncio
import gc
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import asyncpg
import uvloop

from esante.core.journal import store, verification_store
from esante.core.journal.merkle import FANOUT_BITS, LEAF, NODE, Frontier
from esante.core.journal.model import Expired
from esante.core.journal.sealer import HEAD
from esante.core.journal.signed_note import Signer, parse_checkpoint
from esante.core.storage import Database, Objects

Nodes: TypeAlias = dict[tuple[int, int], bytes]
"""Hashes by (level, position)."""
LeafProblem: TypeAlias = tuple[int, str]
"""A leaf (`seq`) and what is wrong with it."""
CHUNK_LEVEL = 4
CHUNK = 1 << FANOUT_BITS * CHUNK_LEVEL
"""Leaves of a chunk: a power of two, so that a full chunk is one complete subtree and a kept node itself."""


@dataclass(slots=True)
class VerificationReport:
    """The result of a verification: numbers of entries, and the problems as texts."""

    entries: int = 0
    """Sealed entries."""
    expired: int = 0
    """Sealed entries whose content was removed at the end of its retention."""
    waiting: int = 0
    """Entries that are not sealed yet."""
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Chunk:
    """The result of one chunk: the roots of its complete subtrees, problems, expired leaves."""

    first: int
    """The 0-based position of its first leaf."""
    count: int
    roots: list[bytes]
    earlier_roots: bytes | None
    """The concatenated subtree roots of its leaves up to the earlier checkpoint, where that lies in this chunk."""
    problems: list[LeafProblem]
    expired: list[int]
    complete: bool = True
    """False when leaves are missing or stored twice: then there are no roots."""


async def verify(
    db: Database,
    objects: Objects,
    signer: Signer,
    dsn: str,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int | None = None,
) -> VerificationReport:
    """Check every entry, leaf, number, checkpoint and signature; `progress(done, total)` counts leaves."""
    report = VerificationReport()
    witness = await _earlier_checkpoint(objects, signer, report)
    head = await store.last_checkpoint(db)
    size = head["size"] if head else 0
    if witness and witness[0] > size:
        text = f"entries {size + 1} to {witness[0]} were removed: a signed head of {witness[0]} entries is known"
        report.problems.append(text)
        witness = None
    chunks = await _check_chunks(dsn, size, witness[0] if witness else 0, progress, processes)
    for chunk in chunks:
        report.problems += [text for _, text in sorted(chunk.problems)]
    if head:
        _check_note(head, signer, report)
        if all(chunk.complete for chunk in chunks):
            await _check_tree(db, head, witness, chunks, report)
    expired = [seq for chunk in chunks for seq in chunk.expired]
    report.entries, report.expired = size, len(expired)
    await _check_numbers(db, report)
    await _check_places(db, report)
    await _check_cursors(db, report)
    await _check_expired(db, expired, report)
    return report


async def _earlier_checkpoint(
    objects: Objects, signer: Signer, report: VerificationReport
) -> tuple[int, bytes] | None:
    """Return size and root of the checkpoint kept outside the database: it shows when the tree became shorter.

    It is written after the commit of its entries, so it must be read before the database is.
    """
    try:
        return parse_checkpoint(signer.verify_note((await objects.get_named(HEAD)).decode()))
    except FileNotFoundError:
        return None
    except ValueError as error:
        report.problems.append(f"the checkpoint kept outside the database is invalid: {error}")
        return None


async def _check_tree(
    db: Database, head: Any, witness: tuple[int, bytes] | None, chunks: Sequence[Chunk], report: VerificationReport
) -> None:
    """Check the tree of all chunks against the signed root, the kept nodes above, and the earlier checkpoint."""
    frontier, above, witnessed = Frontier(), Nodes(), None
    for chunk in chunks:
        if witness and chunk.earlier_roots is not None:
            witnessed = Frontier.from_bytes(witness[0], frontier.to_bytes() + chunk.earlier_roots).root()
        above |= _append_chunk(frontier, chunk)
    kept = await store.node_hashes(db, [(level, position, 1) for level, position in above])
    report.problems += [text for _, text in _first_wrong_node(above, kept)]
    if frontier.root() != head["root"] and not report.problems:
        report.problems += _explain_root_mismatch(head, frontier)
    if witness and witnessed != witness[1] and not report.problems:
        report.problems.append(f"the tree of the first {witness[0]} entries is not the one signed earlier")


def _append_chunk(frontier: Frontier, chunk: Chunk) -> Nodes:
    """Add a chunk's subtrees to the frontier, and return the kept nodes above it that it completes.

    Chunks begin at multiples of their size, so the roots of full ones are leaves of a coarser tree.
    """
    if chunk.count < CHUNK:
        frontier.roots += chunk.roots
        frontier.size += chunk.count
        return {}
    coarse = Frontier(frontier.size // CHUNK, frontier.roots)
    completed = coarse.append(chunk.roots[0])
    frontier.roots, frontier.size = coarse.roots, coarse.size * CHUNK
    return {(level + CHUNK_LEVEL, position): hash_ for level, position, hash_ in completed}


def _first_wrong_node(computed: Nodes, kept: Nodes) -> list[LeafProblem]:
    """Return the first kept node that its leaves contradict, lowest level first: its last leaf, and a text; or []."""
    for (level, position), hash_ in sorted(computed.items()):
        if kept.get((level, position)) != hash_:
            width = 1 << FANOUT_BITS * level
            first, last = position * width + 1, (position + 1) * width
            return [(last, f"entries {first} to {last}: a leaf or a kept node is not what was sealed")]
    return []


def _explain_root_mismatch(head: Any, frontier: Frontier) -> list[str]:
    """Return where the leaves contradict the signed root, as exactly as the subtrees stored with it allow."""
    size, kept, first = head["size"], head["frontier"], 0
    if len(kept) == 32 * len(frontier.roots):
        for index, root in enumerate(frontier.roots):
            last = first + (1 << (size - first).bit_length() - 1)
            if kept[32 * index : 32 * index + 32] != root:
                return [f"entries {first + 1} to {last}: a leaf is not what was sealed"]
            first = last
    return [f"checkpoint {size}: the root computed from the entries is another"]


def _check_note(head: Any, signer: Signer, report: VerificationReport) -> None:
    try:
        size, root = parse_checkpoint(signer.verify_note(head["note"]))
    except ValueError as error:
        report.problems.append(f"checkpoint {head['size']}: {error}")
        return
    if (size, root) != (head["size"], head["root"]):
        report.problems.append(f"checkpoint {head['size']}: its row and its signed note differ")


async def _check_numbers(db: Database, report: VerificationReport) -> None:
    """Check that each person's entries are numbered from 1 on without a gap, and as many as were counted."""
    rows = await verification_store.misnumbered_persons(db)
    report.problems += [f"the entries of person {row['person_id']} are not numbered without a gap" for row in rows]


async def _check_places(db: Database, report: VerificationReport) -> None:
    """Check that each entry has one place: in the tree, or among the pending; and that no leaf is past the tree."""
    if not await verification_store.entries_match_leaves(db):
        rows = await verification_store.entries_without_leaf(db)
        report.problems += [f"entry {row['entry_id']} was inserted: it is not in the tree" for row in rows]
        rows = await verification_store.entries_with_several_leaves(db)
        report.problems += [
            f"entry {row['entry_id']} is in the tree more than once: at {row['places']}" for row in rows
        ]
    if leaf := await verification_store.leaf_past_checkpoint(db):
        report.problems.append(f"leaf {leaf} is past the newest checkpoint")
    rows = await verification_store.pending_digests(db)
    report.waiting = len(rows)
    for row in rows:
        if hashlib.sha256(row["digest_input"] or b"").digest() != row["digest"]:
            report.problems.append(f"entry {row['entry_id']}, not sealed yet, was altered or removed")


async def _check_cursors(db: Database, report: VerificationReport) -> None:
    """Check that no consumer was set past the end: it would never get the entries to come."""
    rows = await verification_store.cursors_past_checkpoint(db)
    report.problems += [
        f"the consumer {row['reader']} is at entry {row['seq']}, past the newest checkpoint: {row['size']}"
        for row in rows
    ]


async def _check_expired(db: Database, expired: Sequence[int], report: VerificationReport) -> None:
    """Check that each content that is missing is covered by a `journal.expired` entry."""
    if not expired:
        return
    async with db.transaction("repeatable_read") as conn:
        _, sealed = await store.entries_after(conn, 0, [Expired.TYPE], 2**62)
        entries = [*sealed, *await store.pending_entries(conn, Expired.TYPE)]
    ranges = iter(sorted(tuple(range_) for entry in entries if entry.event for range_ in entry.event.ranges))
    range_ = next(ranges, None)
    for seq in sorted(expired):
        while range_ and range_[1] < seq:
            range_ = next(ranges, None)
        if range_ is None or seq < range_[0]:
            report.problems.append(f"entry {seq}: its content was removed and no {Expired.TYPE} entry covers it")
            return


async def _check_chunks(
    dsn: str, size: int, earlier_size: int, progress: Callable[[int, int], None], processes: int | None
) -> list[Chunk]:
    """Check all leaves of a tree of `size`, in this process or in several; return the chunks in order."""
    starts = range(0, size, CHUNK)
    workers = min(processes or os.cpu_count() or 1, len(starts))
    if workers <= 1:
        found = []
        for first in starts:
            found.append(await _check_chunk(dsn, first, min(CHUNK, size - first), earlier_size))
            progress(min(first + CHUNK, size), size)
        return found
    loop = asyncio.get_running_loop()
    done = 0
    with ProcessPoolExecutor(workers) as pool:
        tasks = [
            loop.run_in_executor(pool, _check_chunk_in_process, dsn, first, min(CHUNK, size - first), earlier_size)
            for first in starts
        ]
        for task in asyncio.as_completed(tasks):
            done += (await task).count
            progress(done, size)
        return [task.result() for task in tasks]


def _check_chunk_in_process(dsn: str, first: int, count: int, earlier_size: int) -> Chunk:
    gc.disable()  # half a million small objects without cycles: collecting garbage costs a third of the time
    return uvloop.run(_check_chunk(dsn, first, count, earlier_size))


async def _check_chunk(dsn: str, first: int, count: int, earlier_size: int) -> Chunk:
    """Check leaves `first + 1` to `first + count`; compute also the subtrees up to `earlier_size` if it is in them."""
    # A chunk and its entries fit into `work_mem` together, so the join writes no temporary files.
    conn = await asyncpg.connect(dsn, server_settings={"work_mem": "64MB"})
    try:
        rows = await verification_store.leaves_with_entries(conn, first + 1, first + count)
        expired, problems = await _check_missing_contents(conn, rows)
        heights = [(level, FANOUT_BITS * level) for level in range(1, CHUNK_LEVEL + 1) if count >> FANOUT_BITS * level]
        kept = await store.node_hashes(conn, [(level, first >> bits, count >> bits) for level, bits in heights])
    finally:
        await conn.close()
    gaps = _find_gap(rows, first, count)
    problems += gaps + _find_altered(rows)
    if gaps:
        return Chunk(first, count, [], None, problems, expired, complete=False)
    hashes = _leaf_hashes(rows)
    inside = earlier_size - first
    earlier = b"".join(_subtree_roots(hashes[:inside])) if 0 <= inside <= count else None
    nodes: Nodes = {}
    roots = _subtree_roots(hashes, first, nodes)
    return Chunk(first, count, roots, earlier, problems + _first_wrong_node(nodes, kept), expired)


async def _check_missing_contents(conn: Any, rows: Sequence[Any]) -> tuple[list[int], list[LeafProblem]]:
    """Return of the leaves without content those whose entry is still there, and the problems of the others."""
    owners = await verification_store.leaf_owners(conn, [row[0] for row in rows if row[3] is None])
    problems = [
        (row["seq"], f"entry {row['seq']} ({row['entry_id']}) was {'removed' if row['removed'] else 'moved'}")
        for row in owners
        if row["removed"] or row["moved"]
    ]
    return [row["seq"] for row in owners if not row["removed"] and not row["moved"]], problems


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


def _leaf_hashes(rows: Sequence[Any]) -> list[bytes]:
    sha256 = hashlib.sha256
    return [sha256(LEAF + row[1].to_bytes(8, "big") + row[2]).digest() for row in rows]


def _subtree_roots(hashes: list[bytes], first: int = 0, nodes: Nodes | None = None) -> list[bytes]:
    """Return the roots of the complete subtrees of the leaves from position `first` on, left to right.

    Into `nodes` go those that the sealer keeps, by (level, position).
    """
    sha256, height = hashlib.sha256, 0
    roots: list[bytes] = []
    while hashes:
        if nodes is not None and height and height % FANOUT_BITS == 0:
            start = first >> height
            nodes.update(((height // FANOUT_BITS, start + i), hash_) for i, hash_ in enumerate(hashes))
        if len(hashes) & 1:
            roots.append(hashes.pop())
        pairs = iter(hashes)
        hashes = [sha256(NODE + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        height += 1
    return roots[::-1]
