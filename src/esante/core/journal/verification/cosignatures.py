"""Verification of the kept co-signatures of witnesses, against the checkpoints that they are on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from esante.core.journal.cosignature import CosignatureVerifier
from esante.core.journal.signed_note import split_note


def cosignature_problems(rows: Sequence[Any], notes: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """Yield the co-signatures that are not what a witness gave: the size of the checkpoint, and a text.

    `rows`: columns as `COSIGNATURE`. `notes`: the signed notes of the checkpoints by size.
    """
    for row in rows:
        size, fault = row["size"], _fault(row, notes.get(row["size"]))
        if fault:
            yield size, f"the co-signature of {row['witness'].partition('+')[0]} on checkpoint {size} {fault}"


def _fault(row: Any, note: str | None) -> str:
    if note is None:
        return "is of no checkpoint that is kept"
    try:
        key, (text, _) = CosignatureVerifier.parse(row["witness"]), split_note(note)
    except ValueError as error:
        return f"cannot be verified: {error}"
    time = row["signed_at"].timestamp()
    if not time.is_integer() or not key.is_signed(text, int(time), row["signature"]):
        return "is invalid"
    return ""
