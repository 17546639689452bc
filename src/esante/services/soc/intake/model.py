"""Types of the intake."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

MAX_MESSAGE = 1 << 20
"""Bytes of one message at most; of a longer one its beginning is kept, with the reason."""
KEPT_OF_BROKEN = 8_192
"""Bytes that are kept of a message that is too long."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A message that could not be received whole: its beginning, why, and what its sender can do."""

    head: bytes
    reason: str


Message = bytes | Broken


@dataclass(slots=True, eq=False)
class Delivery:
    """Messages of one sender that were received at once, in their order.

    `done` is set when all are stored; `stored`, `faults`: how many are, and how many of them could not be read.
    `handed`: how many were handed to the pipeline.
    """

    tenant_id: UUID
    source_id: UUID
    quota: int
    messages: Sequence[Message]
    received_at: datetime
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    size: int = 0
    handed: int = 0
    stored: int = 0
    faults: int = 0

    def __post_init__(self) -> None:
        self.size = sum(size_of(one) for one in self.messages)


def size_of(message: Message) -> int:
    """Return the bytes of a message."""
    return len(message) if isinstance(message, bytes) else len(message.head)
