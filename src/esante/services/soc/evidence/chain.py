"""The hash chain of a case's evidence: each item's value covers the one before it. Pure."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from esante.core.web import N_
from esante.services.soc.evidence.model import EvidenceItem

_DOMAIN = b"esante-soc-evidence/1\0"
START = bytes(32)
"""The value before the first item."""


@dataclass(frozen=True, slots=True)
class ChainFault:
    """What is wrong with a chain at a position; `what` is a msgid."""

    position: int
    what: str


def chain_value(item: EvidenceItem) -> bytes:
    """Return the chain value of an item (32 bytes): SHA-256 over the value before it and everything it says."""
    said = [
        str(item.case_id),
        item.position,
        item.name,
        item.media_type,
        item.size,
        item.sha256.hex(),
        item.added_at.isoformat(),
        item.added_by,
    ]
    return hashlib.sha256(_DOMAIN + item.previous + orjson.dumps(said)).digest()


def chain_faults(
    items: Sequence[EvidenceItem],
    contents: Mapping[int, bool | None],
    journalled: Mapping[UUID, str | None],
) -> Iterator[ChainFault]:
    """Yield what is wrong with the evidence of a case, by position.

    `contents`: whether each stored content has its SHA-256, by position; None where it is lost. `journalled`: the
    chain values in entries of the journal by the key of the entry (hexadecimal; None: its content has expired).
    """
    previous = START
    for place, item in enumerate(items, 1):
        if item.position != place:
            yield ChainFault(place, N_("An item is missing here."))
            return
        if item.previous != previous or item.chain != chain_value(item):
            yield ChainFault(place, N_("This item, or one before it, was changed after it was added."))
        is_intact = contents.get(place)
        if is_intact is None:
            yield ChainFault(place, N_("The content is lost."))
        elif not is_intact:
            yield ChainFault(place, N_("The content was changed."))
        if item.entry_id not in journalled:
            yield ChainFault(place, N_("The journal has no entry of this item."))
        elif journalled[item.entry_id] not in (None, item.chain.hex()):
            yield ChainFault(place, N_("The journal has another value for this item."))
        previous = item.chain
