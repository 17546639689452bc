"""Work beside the requests: it leaves the processor to them."""

import asyncio
from time import thread_time

PAUSE_FACTOR = 4
"""Work pauses this many times as long as requests kept the processor busy."""
MAX_PAUSE_SECONDS = 0.25
_MIN_BUSY_SECONDS = 0.001


async def yield_to_requests() -> None:
    """Let requests of this process run first: the longer they keep it busy, the longer the work pauses."""
    before = thread_time()
    await asyncio.sleep(0)
    if pause := pause_seconds(thread_time() - before):
        await asyncio.sleep(pause)


def pause_seconds(busy: float) -> float:
    """Return how long work pauses after requests kept the processor busy for `busy` seconds in one turn."""
    return min(MAX_PAUSE_SECONDS, PAUSE_FACTOR * busy) if busy > _MIN_BUSY_SECONDS else 0.0
