"""Recompute the whole journal and name the first thing that is wrong.

Leaves are checked in chunks of complete subtrees by a few processes: contents against their digests, columns
against contents, and the chunk's own root; the chunk roots then give the root of the tree.
"""

import asyncio
import gc
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import asyncpg
import uvloop

from esante.journal import store
from esante.journal.keys import Signer, read_checkpoint
from esante.journal.merkle import LEAF, NODE, Frontier
from esante.journal.model import Expired
from esante.journal.seal import HEAD
from esante.storage import Database, Objects

CHUNK = 16**4
"""Leaves a chunk: a power of two, so that a full chunk is one complete subtree."""


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
        f"SELECT p.entry_id, p.digest, {store.DIGESTED} AS digested FROM journal_pending p"  # noqa: S608 - our own
        " LEFT JOIN journal_entry e USING (person_id, entry_id)"
    )
    report.waiting = len(rows)
    for row in rows:
        if hashlib.sha256(row["digested"] or b"").digest() != row["digest"]:
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
    gc.disable()  # a chunk is half a million small objects without cycles: collecting them costs a third
    return uvloop.run(_check_chunk(dsn, first, count, at_size))


async def _check_chunk(dsn: str, first: int, count: int, at_size: int) -> Chunk:
    """Check leaves `first + 1` to `first + count`; `at_size` asks for the subtrees of an earlier size too."""
    conn = await asyncpg.connect(dsn)
    try:
        rows = await _rows(conn, first + 1, first + count)
        expired, problems = await _without_content(conn, rows)
    finally:
        await conn.close()
    problems += _gaps(rows, first, count) + _altered(rows)
    hashes = _leaf_hashes(rows)
    inside = at_size - first
    earlier = b"".join(_subtrees(hashes[:inside])) if 0 <= inside <= count else None
    return Chunk(first, count, _subtrees(hashes), earlier, problems, expired)


async def _rows(conn: Any, first: int, last: int) -> list[Any]:
    """The leaves `first` to `last`, each beside its entry (nulls where that is gone), in order.

    Leaves are sealed in the order of time, so their entries lie in one range of the time-ordered key: read
    through that, a chunk costs one scan of its own rows and not a look-up for each.
    """
    low, high = await conn.fetchrow(
        "SELECT min(entry_id::text)::uuid, max(entry_id::text)::uuid FROM journal_leaf WHERE seq BETWEEN $1 AND $2",
        first,
        last,
    )
    rows: list[Any] = await conn.fetch(
        f"""
        SELECT l.seq, l.number, l.digest, CASE WHEN l.person_id = e.person_id THEN {store.DIGESTED} END
        FROM journal_leaf l LEFT JOIN (
            SELECT * FROM journal_entry WHERE entry_id BETWEEN $3 AND $4) e USING (entry_id)
        WHERE l.seq BETWEEN $1 AND $2
        """,  # noqa: S608 - an expression of our own
        first,
        last,
        low,
        high,
    )
    rows.sort(key=itemgetter(0))
    return rows


async def _without_content(conn: Any, rows: Sequence[Any]) -> tuple[list[int], list[tuple[int, str]]]:
    """Of the leaves whose content is not there: those whose entry says it expired, and what is wrong with others."""
    found = await conn.fetch(
        """
        SELECT l.seq, l.entry_id, e.person_id IS NULL AS gone, e.person_id <> l.person_id AS moved
        FROM journal_leaf l LEFT JOIN journal_entry e USING (entry_id) WHERE l.seq = ANY($1) ORDER BY l.seq
        """,
        [row[0] for row in rows if row[3] is None],
    )
    problems = [
        (row["seq"], f"entry {row['seq']} ({row['entry_id']}) was {'removed' if row['gone'] else 'moved'}")
        for row in found
        if row["gone"] or row["moved"]
    ]
    return [row["seq"] for row in found if not row["gone"] and not row["moved"]], problems


def _gaps(rows: Sequence[Any], first: int, count: int) -> list[tuple[int, str]]:
    if [row[0] for row in rows] == list(range(first + 1, first + count + 1)):
        return []
    have = Counter(row[0] for row in rows)
    wrong = next(seq for seq in range(first + 1, first + count + 1) if have[seq] != 1)
    told = "has two entries" if have[wrong] else "its leaf was removed from the tree"
    return [(wrong, f"entry {wrong}: {told}")]


def _altered(rows: Sequence[Any]) -> list[tuple[int, str]]:
    sha256 = hashlib.sha256
    return [
        (row[0], f"entry {row[0]} was altered: it is not what was sealed")
        for row in rows
        if row[3] is not None and sha256(row[3]).digest() != row[2]
    ]


def _leaf_hashes(rows: Sequence[Any]) -> list[bytes]:
    sha256 = hashlib.sha256
    return [sha256(LEAF + row[1].to_bytes(8, "big") + row[2]).digest() for row in rows]


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
