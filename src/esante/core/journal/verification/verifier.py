"""Verification of the journal: recomputes everything and names the first entry that is wrong.

Leaves are checked in chunks of complete subtrees by several processes (`leaf_chunks`): contents against their digests,
columns against contents, kept nodes against leaves, checkpoints against their signed notes, and the root of the chunk;
the chunk roots then give the root of the tree. Entries may be appended and sealed meanwhile: what is compared with
each other is read in one snapshot, or in an order in which it can only have grown.
"""

import asyncio
import base64
import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from esante.core.journal import store, tree_store
from esante.core.journal.merkle import CHUNK, CHUNK_LEVEL, Frontier
from esante.core.journal.model import Expired, FormatChanged
from esante.core.journal.retention import SignedExpiry, is_kept_long_enough, require_age, verify_expiry
from esante.core.journal.sealer import HEAD, INTERVAL, LOST_HEADS
from esante.core.journal.signed_note import CheckpointText, Signer, parse_checkpoint
from esante.core.journal.verification import leaf_chunks
from esante.core.journal.verification import store as verification_store
from esante.core.journal.verification.leaf_chunks import Chunk, ExpiredLeaf, Nodes, Work
from esante.core.storage import NIL, Database, Objects


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
class KnownHead:
    """A signed head from outside the database, and where it was kept."""

    checkpoint: CheckpointText
    place: str


async def verify(
    db: Database,
    objects: Objects,
    signer: Signer,
    origin: str,
    dsn: str,
    *,
    heads: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int | None = None,
) -> VerificationReport:
    """Check every entry, leaf, number, checkpoint and signature; `progress(done, total)` counts leaves.

    `heads`: signed heads that were kept elsewhere (notes by their place): the journal must begin with their trees.
    """
    report = VerificationReport()
    known = await _known_heads(objects, signer, origin, heads or {}, report)
    kept = await _kept_head(objects, signer, origin)  # before the database, which can only be further
    head = await store.last_checkpoint(db)
    size = head["size"] if head else 0
    for _ in range(2):  # it may follow the very first commit by a moment
        if head and kept is None:
            await asyncio.sleep(INTERVAL)
            kept = await _kept_head(objects, signer, origin)
    if head and kept is None:
        report.problems.append(f"the checkpoint kept outside the database (object {HEAD}) is missing")
    if isinstance(kept, KnownHead):
        known.append(kept)
    elif kept:
        report.problems.append(f"the checkpoint kept outside the database is invalid: {kept}")
    text = _unverified_text(head) if head else CheckpointText(origin, 0, b"")
    first_format = max(0, min(text.first_format_leaves, size))
    for found in known:
        report.problems += _shortening(found, size)
    known = [found for found in known if found.checkpoint.size <= size]
    watched = tuple(sorted({first_format, *(found.checkpoint.size for found in known)}))
    work = Work(dsn, size, first_format, origin, signer.verifier, watched)
    chunks = await _check_chunks(work, progress, processes)
    for chunk in chunks:
        report.problems += [problem for _, problem in sorted(chunk.problems)]
    if head and all(chunk.complete for chunk in chunks):
        roots = await _check_tree(db, head, chunks, report)
        _check_known_heads(known, roots, first_format, report)
        if text.first_format:
            await _check_format_change(db, work, roots, chunks, report)
    report.problems += [problem for chunk in chunks for _, problem in chunk.checkpoint_problems]
    expired = [leaf for chunk in chunks for leaf in chunk.expired]
    report.entries, report.expired = size, len(expired)
    await _check_numbers(db, report)
    await _check_places(db, report)
    await _check_cursors(db, head, report)
    await _check_witnesses(db, report)
    await _check_expired(db, work, expired, report)
    return report


async def _known_heads(
    objects: Objects, signer: Signer, origin: str, heads: Mapping[str, str], report: VerificationReport
) -> list[KnownHead]:
    """Return the heads that were given, and those of entries that an earlier journal lost (`Sealer`)."""
    notes = dict(heads)
    for folder in await objects.folders(LOST_HEADS):
        name = f"{LOST_HEADS}/{folder}/note"
        notes[f"object {name}"] = (await objects.get_named(name)).decode(errors="replace")
    found = []
    for place, note in notes.items():
        try:
            found.append(KnownHead(_checked_text(signer, origin, note), place))
        except ValueError as error:
            report.problems.append(f"the signed head in {place} is invalid: {error}")
    return found


async def _kept_head(objects: Objects, signer: Signer, origin: str) -> KnownHead | ValueError | None:
    """Return the checkpoint kept outside the database, why it is invalid, or None when there is none.

    It shows when the tree became shorter.
    """
    try:
        note = (await objects.get_named(HEAD)).decode(errors="replace")
        return KnownHead(_checked_text(signer, origin, note), "the object store")
    except FileNotFoundError:
        return None
    except ValueError as error:
        return error


def _checked_text(signer: Signer, origin: str, note: str) -> CheckpointText:
    """Return what a signed checkpoint of this journal says. Raises: ValueError for any other note."""
    text = parse_checkpoint(signer.verify_note(note))
    if text.origin != origin:
        raise ValueError(f"it is of another journal: {text.origin}")
    return text


def _unverified_text(head: Any) -> CheckpointText:
    """Return what a checkpoint row says; its signature is checked with its chunk."""
    try:
        return parse_checkpoint(head["note"].partition("\n\n")[0].split("\n"))
    except ValueError:
        return CheckpointText("", head["size"], head["root"], head["sealed_at"], first_format=0)


def _shortening(known: KnownHead, size: int) -> list[str]:
    first, last = size + 1, known.checkpoint.size
    if last <= size:
        return []
    place = "" if known.place == "the object store" else f" ({known.place})"
    return [f"entries {first} to {last} were removed: a signed head of {last} entries is known{place}"]


async def _check_tree(
    db: Database, head: Any, chunks: Sequence[Chunk], report: VerificationReport
) -> dict[int, bytes]:
    """Check the tree of all chunks against the signed root, the kept nodes above, and all checkpoints.

    Return the roots of the watched sizes.
    """
    frontier, above = Frontier(), Nodes()
    roots: dict[int, bytes] = {}
    problems: list[str] = []
    for chunk in chunks:
        before = frontier.to_bytes()
        for size, inside in chunk.watched.items():
            roots[size] = Frontier.from_bytes(size, before + inside).root()
        problems += [problem for _, problem in chunk.tree_problems]
        problems += [
            f"checkpoint {size}: its subtrees are not those of its entries"
            for prefix, size in chunk.prefixes.items()
            if prefix != before
        ]
        above |= _append_chunk(frontier, chunk)
    kept = await tree_store.node_hashes(db, [(level, position, 1) for level, position in above])
    report.problems += [text for _, text in leaf_chunks.first_wrong_node(above, kept)]
    report.problems += [
        f"the kept node {row['position']} of level {row['level']} belongs to no complete subtree"
        for row in await verification_store.nodes_out_of_place(db)
    ]
    if frontier.root() != head["root"] and not report.problems:
        report.problems += _explain_root_mismatch(head, frontier)
    if not report.problems:
        report.problems += problems[: verification_store.REPORTED_ROWS]
    return roots


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


def _check_known_heads(
    known: Sequence[KnownHead], roots: Mapping[int, bytes], first_format: int, report: VerificationReport
) -> None:
    """Check that the journal begins with the trees of heads kept elsewhere, and did not move its change of format."""
    if report.problems:
        return
    for found in known:
        text = found.checkpoint
        if roots.get(text.size) != text.root:
            report.problems.append(f"the tree of the first {text.size} entries is not the one signed in {found.place}")
        elif text.first_format not in (None, first_format) or (text.first_format is None and text.size > first_format):
            report.problems.append(f"the head in {found.place} signs another number of entries of the first format")


async def _check_format_change(
    db: Database, work: Work, roots: Mapping[int, bytes], chunks: Sequence[Chunk], report: VerificationReport
) -> None:
    """Check that the entry after the last one of the first format signs their tree and their heads."""
    async with db.transaction("repeatable_read") as conn:
        _, entries = await store.entries_after(conn, work.first_format, [FormatChanged.TYPE], 1)
    event = entries[0].event if entries and entries[0].person_id == NIL else None
    if event is None or (event.format, event.size) != (2, work.first_format):
        report.problems.append(f"entry {work.first_format + 1} does not record the change of format")
    elif report.problems:
        return
    elif event.root != base64.b64encode(roots[work.first_format]).decode():
        report.problems.append(f"the first {work.first_format} entries are not those at the change of format")
    elif event.heads != base64.b64encode(hashlib.sha256(b"".join(c.heads for c in chunks)).digest()).decode():
        report.problems.append(
            f"of one of the first {work.first_format} entries person, id, time or type was altered"
            " since the change of format"
        )


async def _check_numbers(db: Database, report: VerificationReport) -> None:
    """Check that each person's entries are numbered from 1 on without a gap, and as many as were counted."""
    rows = await verification_store.misnumbered_persons(db)
    report.problems += [f"the entries of person {row['person_id']} are not numbered without a gap" for row in rows]


async def _check_places(db: Database, report: VerificationReport) -> None:
    """Check that each entry has one place: in the tree, or among the pending; and that no leaf is past the tree."""
    if not await verification_store.entries_match_leaves(db):
        rows = await verification_store.entries_without_leaf(db)
        report.problems += [f"entry {row['entry_id']} was inserted: it is not in the tree" for row in rows]
        rows = await verification_store.entries_with_several_places(db)
        report.problems += [f"entry {row['entry_id']} has more than one place: {row['places']}" for row in rows]
    if leaf := await verification_store.leaf_past_checkpoint(db):
        report.problems.append(f"leaf {leaf} is past the newest checkpoint")
    rows = await verification_store.pending_digests(db)
    report.waiting = len(rows)
    for row in rows:
        if hashlib.sha256(row["digest_input"] or b"").digest() != row["digest"]:
            report.problems.append(f"entry {row['entry_id']}, not sealed yet, was altered or removed")


async def _check_cursors(db: Database, head: Any, report: VerificationReport) -> None:
    """Check that no consumer was set past the end, set back since the newest checkpoint, or stopped."""
    rows = await verification_store.cursors_past_checkpoint(db)
    report.problems += [
        f"the consumer {row['reader']} is at entry {row['seq']}, past the newest checkpoint: {row['size']}"
        for row in rows
    ]
    cursors = await verification_store.current_cursors(db)
    now = {row["reader"]: row["seq"] for row in cursors}
    if fault := leaf_chunks.cursor_fault(leaf_chunks.parse_cursors(head["cursors"] if head else ""), now):
        report.problems.append(fault)
    report.problems += [
        f"the consumer {row['reader']} is stopped: no failure postpones it so far" for row in cursors if row["stopped"]
    ]


async def _check_witnesses(db: Database, report: VerificationReport) -> None:
    """Check that no witness co-signed a larger tree than the journal has, and that none is stopped."""
    if row := await verification_store.cosignature_past_checkpoint(db):
        report.problems.append(
            f"a tree of {row['size']} entries was co-signed by {_key_name(row)}, the journal has fewer"
        )
    report.problems += [
        f"the witness {_key_name(row)} is stopped: no failure postpones it so far"
        for row in await verification_store.stopped_witnesses(db)
    ]


def _key_name(row: Any) -> str:
    name: str = row["witness"].partition("+")[0]
    return name


async def _check_expired(db: Database, work: Work, expired: Sequence[ExpiredLeaf], report: VerificationReport) -> None:
    """Check that each content that is missing is covered by a `journal.expired` entry, signed and after its time."""
    if not expired:
        return
    async with db.transaction("repeatable_read") as conn:
        _, sealed = await store.entries_after(conn, 0, [Expired.TYPE], 2**62)
        entries = [*sealed, *await store.pending_entries(conn, Expired.TYPE)]
    events: dict[UUID, SignedExpiry] = {}
    faults: dict[UUID, str] = {}
    for entry in entries:
        if entry.event is None or entry.person_id != NIL:
            continue
        is_first_format = entry.seq is not None and entry.seq <= work.first_format
        try:
            events[entry.id] = (
                require_age(entry.event, entry.at)
                if is_first_format
                else verify_expiry(entry.event, work.verifier, work.origin)
            )
        except ValueError as error:
            faults[entry.id] = str(error)
    for leaf in expired:
        candidates = [events.get(leaf.expiry_id)] if leaf.expiry_id else events.values()
        if any(event and covers(event, leaf) for event in candidates):
            continue
        known = faults.get(leaf.expiry_id) if leaf.expiry_id else next(iter(faults.values()), None)
        reason = f"no valid {Expired.TYPE} entry covers it" + (f": {known}" if known else "")
        report.problems.append(f"entry {leaf.seq}: its content was removed and {reason}")
        return


def covers(expiry: SignedExpiry, leaf: ExpiredLeaf) -> bool:
    """Return whether an end of retention is that of a leaf: its type, time, place, and how long it is kept."""
    event = expiry.event
    if leaf.type != event.type or leaf.at >= event.before:
        return False
    if not is_kept_long_enough(expiry, leaf.type, of_person=leaf.of_person):
        return False
    place = bisect_right(event.ranges, (leaf.seq, 2**62)) - 1
    return place >= 0 and event.ranges[place][0] <= leaf.seq <= event.ranges[place][1]


async def _check_chunks(work: Work, progress: Callable[[int, int], None], processes: int | None) -> list[Chunk]:
    """Check all leaves of a tree, in this process or in several; return the chunks in order."""
    parts = work.chunks()
    workers = min(processes or os.cpu_count() or 1, len(parts))
    if workers <= 1:
        found = []
        for first, count in parts:
            found.append(await leaf_chunks.check_chunk(work, first, count))
            progress(first + count, work.size)
        return found
    loop = asyncio.get_running_loop()
    done = 0
    with ProcessPoolExecutor(workers) as pool:
        tasks = [
            loop.run_in_executor(pool, leaf_chunks.check_chunk_in_process, work, first, count)
            for first, count in parts
        ]
        for task in asyncio.as_completed(tasks):
            done += (await task).count
            progress(done, work.size)
        return [task.result() for task in tasks]
