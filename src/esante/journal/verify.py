"""Recompute the whole journal and name the first thing that is wrong.

Leaves are checked in chunks of complete subtrees by a few processes: contents against their digests, columns
against contents, and the chunk's own root; the chunk roots then give the root of the tree.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import asyncpg
import msgspec

from esante.journal import store
from esante.journal.keys import Signer, read_checkpoint
from esante.journal.merkle import LEAF, NODE, Frontier
from esante.journal.model import Expired, Head
from esante.journal.seal import HEAD
from esante.storage import Database, Objects

CHUNK = 16**4
"""Leaves a chunk: a power of two, so that a full chunk is one complete subtree."""

_head = msgspec.json.Decoder(Head)


@dataclass(slots=True)
class Report:
    """What the verification found; `ok` when nothing is wrong."""

    entries: int = 0
    expired: int = 0
    waiting: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one process found: the roots of the chunk's complete subtrees, problems, expired leaves."""

    first: int
    count: int
    roots: list[bytes]
    at_size: bytes | None
    problems: list[tuple[int, str]]
    expired: list[int]


async def verify(
    db: Database,
    objects: Objects,
    signer: Signer,
    dsn: str,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int | None = None,
) -> Report:
    """Check every entry, leaf, number, checkpoint and signature; `progress(done, total)` counts leaves."""
    report = Report()
    head = await store.last_checkpoint(db)
    size = head["size"] if head else 0
    witness = await _witness(objects, signer, size, report)
    frontier, expired, witnessed = Frontier(), list[int](), None
    for chunk in await _chunks(dsn, size, witness[0] if witness else 0, progress, processes):
        report.problems += [text for _, text in sorted(chunk.problems)]
        expired += chunk.expired
        if chunk.at_size is not None:
            witnessed = (
                Frontier.from_bytes(chunk.first + chunk.count, frontier.to_bytes() + chunk.at_size).root()
                if chunk.at_size
                else frontier.root()
            )
        _join(frontier, chunk)
    report.entries, report.expired = frontier.size, len(expired)
    if head:
        _check_head(head, frontier, signer, report)
    if witness and witnessed != witness[1] and not report.problems:
        report.problems.append(f"the tree of the first {witness[0]} entries is not the one signed earlier")
    await _check_numbers(db, report)
    await _check_strays(db, size, report)
    await _check_expired(db, expired, report)
    return report


async def _witness(objects: Objects, signer: Signer, size: int, report: Report) -> tuple[int, bytes] | None:
    """The head kept outside the database: a tree that became shorter since cannot pass."""
    try:
        known = read_checkpoint(signer.opened((await objects.get_named(HEAD)).decode()))
    except FileNotFoundError:
        return None
    except ValueError as error:
        report.problems.append(f"the head kept beside the database is wrong: {error}")
        return None
    if known[0] > size:
        report.problems.append(
            f"entries {size + 1} to {known[0]} were removed: a signed head of {known[0]} entries is known"
        )
        return None
    return known


def _join(frontier: Frontier, chunk: Chunk) -> None:
    """Add a chunk's subtrees to the frontier: chunks begin at multiples of their size, so whole ones merge."""
    if chunk.count < CHUNK:
        frontier.roots += chunk.roots
        frontier.size += chunk.count
        return
    coarse = Frontier(frontier.size // CHUNK, frontier.roots)
    coarse.append(chunk.roots[0])
    frontier.roots, frontier.size = coarse.roots, coarse.size * CHUNK


def _check_head(head: Any, frontier: Frontier, signer: Signer, report: Report) -> None:
    try:
        size, root = read_checkpoint(signer.opened(head["note"]))
    except ValueError as error:
        report.problems.append(f"checkpoint {head['size']}: {error}")
        return
    if (size, root) != (head["size"], head["root"]):
        report.problems.append(f"checkpoint {head['size']}: its row and its signed note differ")
    elif frontier.size != size:
        report.problems.append(f"the signed tree has {size} entries, {frontier.size} are there")
    elif frontier.root() != root and not report.problems:
        report.problems.append(f"checkpoint {size}: the entries lead to another root")


async def _check_numbers(db: Database, report: Report) -> None:
    rows = await db.fetch(
        """
        SELECT l.person_id, l.entries, l.distinct_numbers, l.last, p.entries AS counted FROM (
            SELECT person_id, count(*) AS entries, count(DISTINCT number) AS distinct_numbers, max(number) AS last
            FROM journal_leaf GROUP BY person_id) l
        FULL JOIN journal_person p USING (person_id)
        WHERE (l.entries, l.distinct_numbers, l.last, p.entries) IS DISTINCT FROM
              (p.entries, p.entries, p.entries, l.entries)
        ORDER BY person_id LIMIT 5
        """
    )
    report.problems += [f"the entries of person {row['person_id']} are not numbered without a gap" for row in rows]


async def _check_strays(db: Database, size: int, report: Report) -> None:
    """Entries with no place in the tree that do not wait for one, and leaves past the signed size."""
    strays = await db.fetch(
        """
        SELECT e.entry_id FROM journal_entry e
        WHERE NOT EXISTS (SELECT FROM journal_leaf l WHERE l.entry_id = e.entry_id)
          AND NOT EXISTS (SELECT FROM journal_pending p WHERE p.entry_id = e.entry_id)
        ORDER BY e.entry_id LIMIT 5
        """
    )
    report.problems += [f"entry {row['entry_id']} was inserted: it is not in the tree" for row in strays]
    if beyond := await db.fetchval("SELECT min(seq) FROM journal_leaf WHERE seq > $1", size):
        report.problems.append(f"leaf {beyond} is past the newest checkpoint")
    rows = await db.fetch(
        "SELECT p.entry_id, p.digest, e.salt, e.content FROM journal_pending p"
        " LEFT JOIN journal_entry e USING (person_id, entry_id)"
    )
    report.waiting = len(rows)
    for row in rows:
        content = (row["salt"] or b"") + (row["content"] or b"")
        if hashlib.sha256(content).digest() != row["digest"]:
            report.problems.append(f"entry {row['entry_id']}, not sealed yet, was altered or removed")


async def _check_expired(db: Database, expired: Sequence[int], report: Report) -> None:
    """Each content that is gone must be one whose expiry was journalled."""
    if not expired:
        return
    async with db.transaction() as conn:
        _, entries = await store.after(conn, 0, [Expired.TYPE], 2**62)
    ranges = sorted(tuple(run) for entry in entries if entry.event for run in entry.event.ranges)
    allowed = iter(ranges)
    run = next(allowed, None)
    for seq in sorted(expired):
        while run and run[1] < seq:
            run = next(allowed, None)
        if run is None or seq < run[0]:
            report.problems.append(f"entry {seq}: its content was removed and no expiry tells of it")
            return


async def _chunks(
    dsn: str, size: int, at_size: int, progress: Callable[[int, int], None], processes: int | None
) -> list[Chunk]:
    starts = range(0, size, CHUNK)
    workers = min(processes or os.cpu_count() or 1, len(starts))
    if workers <= 1:
        found = []
        for first in starts:
            found.append(await _check_chunk(dsn, first, min(CHUNK, size - first), at_size))
            progress(min(first + CHUNK, size), size)
        return found
    loop = asyncio.get_running_loop()
    done = 0
    with ProcessPoolExecutor(workers) as pool:
        tasks = [
            loop.run_in_executor(pool, _chunk_process, dsn, first, min(CHUNK, size - first), at_size)
            for first in starts
        ]
        for task in asyncio.as_completed(tasks):
            done += (await task).count
            progress(done, size)
        return [task.result() for task in tasks]


def _chunk_process(dsn: str, first: int, count: int, at_size: int) -> Chunk:
    return asyncio.run(_check_chunk(dsn, first, count, at_size))


async def _check_chunk(dsn: str, first: int, count: int, at_size: int) -> Chunk:
    """Check leaves `first + 1` to `first + count`; `at_size` asks for the subtrees of an earlier size too."""
    conn = await asyncpg.connect(dsn)
    try:
        leaves = await conn.fetch(
            "SELECT seq, entry_id, person_id, number, digest FROM journal_leaf"
            " WHERE seq > $1 AND seq <= $2 ORDER BY seq",
            first,
            first + count,
        )
        entries = await _entries(conn, leaves)
    finally:
        await conn.close()
    problems: list[tuple[int, str]] = []
    expired: list[int] = []
    problems += _gaps(leaves, first, count)
    _check_contents(leaves, entries, problems, expired)
    hashes = _leaf_hashes(leaves)
    inside = at_size - first if first <= at_size < first + count or at_size == first + count else -1
    earlier = b"".join(_subtrees(hashes[:inside])) if inside >= 0 else None
    return Chunk(first, count, _subtrees(hashes), earlier, problems, expired)


async def _entries(conn: Any, leaves: Sequence[Any]) -> dict[Any, Any]:
    """The entry rows of `leaves` by id."""
    if not leaves:
        return {}
    rows = await conn.fetch(
        "SELECT e.entry_id, e.person_id, e.at, e.type, e.salt, e.content FROM journal_leaf l"
        " JOIN journal_entry e USING (person_id, entry_id) WHERE l.seq >= $1 AND l.seq <= $2",
        leaves[0]["seq"],
        leaves[-1]["seq"],
    )
    return {row["entry_id"]: row for row in rows}


def _gaps(leaves: Sequence[Any], first: int, count: int) -> Iterator[tuple[int, str]]:
    if len(leaves) != count or any(b["seq"] - a["seq"] != 1 for a, b in pairwise(leaves)):
        have = {leaf["seq"] for leaf in leaves}
        missing = next(seq for seq in range(first + 1, first + count + 1) if seq not in have)
        yield missing, f"entry {missing}: its leaf was removed from the tree"


def _check_contents(
    leaves: Sequence[Any], entries: dict[Any, Any], problems: list[tuple[int, str]], expired: list[int]
) -> None:
    sha256, decode = hashlib.sha256, _head.decode
    for seq, entry_id, person_id, _, digest in leaves:
        row = entries.get(entry_id)
        if row is None:
            problems.append((seq, f"entry {seq} ({entry_id}) was removed"))
            continue
        _, _, at, type_, salt, content = row
        if content is None:
            expired.append(seq)
            continue
        if sha256((salt or b"") + content).digest() != digest:
            problems.append((seq, f"entry {seq} ({entry_id}) was altered"))
            continue
        head = decode(content)
        if (head.id, head.person, head.at, head.type) != (entry_id, person_id, at, type_):
            problems.append((seq, f"entry {seq} ({entry_id}): a column was altered"))


def _leaf_hashes(leaves: Sequence[Any]) -> list[bytes]:
    sha256 = hashlib.sha256
    return [sha256(LEAF + number.to_bytes(8, "big") + digest).digest() for _, _, _, number, digest in leaves]


def _subtrees(hashes: list[bytes]) -> list[bytes]:
    """The roots of the complete subtrees of a run of leaves, left to right."""
    sha256 = hashlib.sha256
    roots: list[bytes] = []
    while hashes:
        if len(hashes) & 1:
            roots.append(hashes.pop())
        pairs = iter(hashes)
        hashes = [sha256(NODE + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return roots[::-1]
