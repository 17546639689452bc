"""Recompute the whole journal and name the first thing that is wrong.

Leaves are checked in chunks of complete subtrees by a few processes: contents against their digests, columns
against contents, kept nodes against leaves, and the chunk's own root; the chunk roots then give the root of the
tree. Entries may be told and sealed meanwhile: whatever is compared comes from one look at the database.
"""

import asyncio
import gc
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import asyncpg
import uvloop

from esante.core.journal import store
from esante.core.journal.merkle import FANOUT_BITS, LEAF, NODE, Frontier
from esante.core.journal.model import Expired
from esante.core.journal.sealer import HEAD
from esante.core.journal.signed_note import Signer, read_checkpoint
from esante.core.storage import Database, Objects

CHUNK_LEVEL = 4
CHUNK = 1 << FANOUT_BITS * CHUNK_LEVEL
"""Leaves a chunk: a power of two, so that a full chunk is one complete subtree and a kept node itself."""


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
    """What one process found: the roots of the chunk's complete subtrees, problems, expired leaves.

    `whole` is False when leaves are missing or there twice: then there are no roots.
    """

    first: int
    count: int
    roots: list[bytes]
    at_size: bytes | None
    problems: list[tuple[int, str]]
    expired: list[int]
    whole: bool = True


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
    witness = await _witness(objects, signer, report)
    head = await store.last_checkpoint(db)
    size = head["size"] if head else 0
    if witness and witness[0] > size:
        text = f"entries {size + 1} to {witness[0]} were removed: a signed head of {witness[0]} entries is known"
        report.problems.append(text)
        witness = None
    chunks = await _chunks(dsn, size, witness[0] if witness else 0, progress, processes)
    for chunk in chunks:
        report.problems += [text for _, text in sorted(chunk.problems)]
    if head:
        _check_note(head, signer, report)
        if all(chunk.whole for chunk in chunks):
            await _check_tree(db, head, witness, chunks, report)
    expired = [seq for chunk in chunks for seq in chunk.expired]
    report.entries, report.expired = size, len(expired)
    await _check_numbers(db, report)
    await _check_strays(db, report)
    await _check_readers(db, report)
    await _check_expired(db, expired, report)
    return report


async def _witness(objects: Objects, signer: Signer, report: Report) -> tuple[int, bytes] | None:
    """The head kept outside the database: a tree that became shorter since cannot pass.

    It is written after the commit it tells of, so it must be read before the database is looked at.
    """
    try:
        return read_checkpoint(signer.opened((await objects.get_named(HEAD)).decode()))
    except FileNotFoundError:
        return None
    except ValueError as error:
        report.problems.append(f"the head kept beside the database is wrong: {error}")
        return None


async def _check_tree(
    db: Database, head: Any, witness: tuple[int, bytes] | None, chunks: Sequence[Chunk], report: Report
) -> None:
    """The tree of all chunks against the signed root, the kept nodes above the chunks, and the earlier head."""
    frontier, above, witnessed = Frontier(), dict[tuple[int, int], bytes](), None
    for chunk in chunks:
        if witness and chunk.at_size is not None:
            witnessed = Frontier.from_bytes(witness[0], frontier.to_bytes() + chunk.at_size).root()
        above |= _join(frontier, chunk)
    kept = await store.kept_hashes(db, [(level, position, 1) for level, position in above])
    report.problems += [text for _, text in _wrong_nodes(above, kept)]
    if frontier.root() != head["root"] and not report.problems:
        report.problems += _other_root(head, frontier)
    if witness and witnessed != witness[1] and not report.problems:
        report.problems.append(f"the tree of the first {witness[0]} entries is not the one signed earlier")


def _join(frontier: Frontier, chunk: Chunk) -> dict[tuple[int, int], bytes]:
    """Add a chunk's subtrees to the frontier, and return the kept nodes above it that it completes.

    Chunks begin at multiples of their size, so whole ones merge.
    """
    if chunk.count < CHUNK:
        frontier.roots += chunk.roots
        frontier.size += chunk.count
        return {}
    coarse = Frontier(frontier.size // CHUNK, frontier.roots)
    completed = coarse.append(chunk.roots[0])
    frontier.roots, frontier.size = coarse.roots, coarse.size * CHUNK
    return {(level + CHUNK_LEVEL, position): hash_ for level, position, hash_ in completed}


def _wrong_nodes(made: dict[tuple[int, int], bytes], kept: dict[tuple[int, int], bytes]) -> list[tuple[int, str]]:
    """The first kept node that is not what its leaves make, each with its last leaf; lower ones first."""
    for (level, position), hash_ in sorted(made.items()):
        if kept.get((level, position)) != hash_:
            width = 1 << FANOUT_BITS * level
            first, last = position * width + 1, (position + 1) * width
            return [(last, f"entries {first} to {last}: a leaf or a kept node is not what was sealed")]
    return []


def _other_root(head: Any, frontier: Frontier) -> list[str]:
    """Where the leaves make another root than the signed one, as far as the subtrees kept with it tell."""
    size, kept, first = head["size"], head["frontier"], 0
    if len(kept) == 32 * len(frontier.roots):
        for index, root in enumerate(frontier.roots):
            last = first + (1 << (size - first).bit_length() - 1)
            if kept[32 * index : 32 * index + 32] != root:
                return [f"entries {first + 1} to {last}: a leaf is not what was sealed"]
            first = last
    return [f"checkpoint {size}: the entries lead to another root"]


def _check_note(head: Any, signer: Signer, report: Report) -> None:
    try:
        size, root = read_checkpoint(signer.opened(head["note"]))
    except ValueError as error:
        report.problems.append(f"checkpoint {head['size']}: {error}")
        return
    if (size, root) != (head["size"], head["root"]):
        report.problems.append(f"checkpoint {head['size']}: its row and its signed note differ")


async def _check_numbers(db: Database, report: Report) -> None:
    """Each person's entries are numbered from 1 on without a gap, and as many as were counted.

    Sums of hashes under a seed that nobody knows beforehand are compared, which needs no sorting: a sum is that of
    the numbers 1 to n for no other n numbers.
    """
    rows = await db.fetch(
        """
        WITH told AS (
            SELECT person_id, count(*) AS entries, sum(hashint8extended(number, $1)) AS numbers
            FROM journal_leaf GROUP BY person_id),
        expected AS (
            SELECT n AS entries, sum(hashint8extended(n, $1)) OVER (ORDER BY n) AS numbers
            FROM generate_series(1::bigint, (SELECT max(entries) FROM told)) n)
        SELECT person_id FROM told FULL JOIN journal_person p USING (person_id)
        LEFT JOIN expected e ON e.entries = told.entries
        WHERE (told.entries, told.numbers) IS DISTINCT FROM (p.entries, e.numbers)
        ORDER BY person_id LIMIT 5
        """,
        _seed(),
    )
    report.problems += [f"the entries of person {row['person_id']} are not numbered without a gap" for row in rows]


def _seed() -> int:
    return secrets.randbits(63)


async def _check_strays(db: Database, report: Report) -> None:
    """Entries with no place in the tree that do not wait for one or with two, and leaves past the signed size."""
    if not await _each_has_one_place(db):
        await _name_strays(db, report)
    beyond = "SELECT min(seq) FROM journal_leaf WHERE seq > (SELECT coalesce(max(size), 0) FROM journal_checkpoint)"
    if leaf := await db.fetchval(beyond):
        report.problems.append(f"leaf {leaf} is past the newest checkpoint")
    rows = await db.fetch(
        f"SELECT p.entry_id, p.digest, {store.DIGESTED} AS digested FROM journal_pending p"  # noqa: S608 - our own
        " LEFT JOIN journal_entry e USING (person_id, entry_id)"
    )
    report.waiting = len(rows)
    for row in rows:
        if hashlib.sha256(row["digested"] or b"").digest() != row["digest"]:
            report.problems.append(f"entry {row['entry_id']}, not sealed yet, was altered or removed")


async def _each_has_one_place(db: Database) -> bool:
    """Whether the leaves and what waits to become one are of the entries that there are, each once.

    Compared by count and by the sum of hashes under a seed that nobody knows beforehand: three scans, no join.
    """
    same: bool = await db.fetchval(
        """
        SELECT (e.count, e.sum) IS NOT DISTINCT FROM (l.count, l.sum)
        FROM (SELECT count(*), sum(uuid_hash_extended(entry_id, $1)) FROM journal_entry) e,
             (SELECT count(*), sum(uuid_hash_extended(entry_id, $1)) FROM (
                SELECT entry_id FROM journal_leaf UNION ALL SELECT entry_id FROM journal_pending) all_places) l
        """,
        _seed(),
    )
    return same


async def _name_strays(db: Database, report: Report) -> None:
    strays = await db.fetch(
        """
        SELECT e.entry_id FROM journal_entry e
        WHERE NOT EXISTS (SELECT FROM journal_leaf l WHERE l.entry_id = e.entry_id)
          AND NOT EXISTS (SELECT FROM journal_pending p WHERE p.entry_id = e.entry_id)
        ORDER BY e.entry_id LIMIT 5
        """
    )
    report.problems += [f"entry {row['entry_id']} was inserted: it is not in the tree" for row in strays]
    doubles = await db.fetch(
        "SELECT entry_id, string_agg(seq::text, ', ' ORDER BY seq) AS places FROM journal_leaf"
        " GROUP BY entry_id HAVING count(*) > 1 ORDER BY min(seq) LIMIT 5"
    )
    report.problems += [
        f"entry {row['entry_id']} stands in the tree more than once: at {row['places']}" for row in doubles
    ]


async def _check_readers(db: Database, report: Report) -> None:
    """A reader that was set past the end would never be told of what is to come."""
    rows = await db.fetch(
        "SELECT c.reader, c.seq, h.size FROM journal_cursor c,"
        " (SELECT coalesce(max(size), 0) AS size FROM journal_checkpoint) h WHERE c.seq > h.size ORDER BY c.reader"
    )
    report.problems += [
        f"the reader {row['reader']} is at entry {row['seq']}, past the newest checkpoint: {row['size']}"
        for row in rows
    ]


async def _check_expired(db: Database, expired: Sequence[int], report: Report) -> None:
    """Each content that is gone must be one whose expiry was journalled."""
    if not expired:
        return
    async with db.transaction("repeatable_read") as conn:
        _, sealed = await store.after(conn, 0, [Expired.TYPE], 2**62)
        entries = [*sealed, *await store.waiting(conn, Expired.TYPE)]
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
    # A chunk and its entries fit into memory together: joined there, nothing is written to disk in between.
    conn = await asyncpg.connect(dsn, server_settings={"work_mem": "64MB"})
    try:
        rows = await _rows(conn, first + 1, first + count)
        expired, problems = await _without_content(conn, rows)
        heights = [(level, FANOUT_BITS * level) for level in range(1, CHUNK_LEVEL + 1) if count >> FANOUT_BITS * level]
        kept = await store.kept_hashes(conn, [(level, first >> bits, count >> bits) for level, bits in heights])
    finally:
        await conn.close()
    gaps = _gaps(rows, first, count)
    problems += gaps + _altered(rows)
    if gaps:
        return Chunk(first, count, [], None, problems, expired, whole=False)
    hashes = _leaf_hashes(rows)
    inside = at_size - first
    earlier = b"".join(_subtrees(hashes[:inside])) if 0 <= inside <= count else None
    nodes: dict[tuple[int, int], bytes] = {}
    roots = _subtrees(hashes, first, nodes)
    return Chunk(first, count, roots, earlier, problems + _wrong_nodes(nodes, kept), expired)


async def _rows(conn: Any, first: int, last: int) -> list[Any]:
    """The leaves `first` to `last`, each beside its entry (nulls where that is gone), in order.

    Leaves are sealed in the order of time, so their entries lie in one range of the time-ordered key: read
    through that, a chunk costs one scan of its own rows and not a look-up for each.
    """
    ends = "SELECT entry_id FROM journal_leaf WHERE seq BETWEEN $1 AND $2 ORDER BY entry_id"
    low, high = await conn.fetchrow(f"SELECT ({ends} LIMIT 1), ({ends} DESC LIMIT 1)", first, last)
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


def _subtrees(hashes: list[bytes], first: int = 0, nodes: dict[tuple[int, int], bytes] | None = None) -> list[bytes]:
    """The roots of the complete subtrees of a run of leaves from `first` on, left to right.

    `nodes` gets those that the sealer keeps, by level and position.
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
