"""The request by which a log submits a checkpoint (C2SP `tlog-witness`, "add-checkpoint")."""

import base64
import re
from dataclasses import dataclass

from esante.core.journal import split_note

MAX_PROOF_LINES = 63
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What the first three lines of a checkpoint say (C2SP `tlog-checkpoint`)."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint as a signed note, with its text and head, and the proof that its tree begins with `old` leaves."""

    old: int
    proof: tuple[bytes, ...]
    note: str
    text: str
    head: TreeHead


def parse_submission(body: bytes) -> Submission:
    """Return what a request submits. Raises: ValueError when it is malformed."""
    start, _, note = body.decode().partition("\n\n")
    first, *proof = start.split("\n")
    if not first.startswith("old ") or len(proof) > MAX_PROOF_LINES:
        raise ValueError("the first line gives no old size, or too many lines of a proof follow")
    text, _ = split_note(note)
    return Submission(
        parse_size(first.removeprefix("old ")), tuple(map(_parse_hash, proof)), note, text, parse_tree_head(text)
    )


def parse_tree_head(text: str) -> TreeHead:
    """Return the head that the text of a checkpoint gives. Raises: ValueError when it is malformed."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines):
        raise ValueError("a checkpoint has an origin, a size and a root, and no empty line")
    return TreeHead(lines[0], parse_size(lines[1]), _parse_hash(lines[2]))


def parse_size(text: str) -> int:
    """Return a size in decimal without leading zeros. Raises: ValueError for another text."""
    if not _SIZE.fullmatch(text):
        raise ValueError("a size is not decimal")
    return int(text)


def _parse_hash(line: str) -> bytes:
    value = base64.b64decode(line, validate=True)
    if len(value) != _HASH_BYTES or base64.b64encode(value).decode() != line:
        raise ValueError("a hash is not the base64 of 32 bytes")
    return value
