"""A queue for large request bodies, of which a process works on one at a time.

Working on a body takes several times its size in memory: two at the same time would need twice as much. So a large
body is first written to an unnamed temporary file and waits there for its turn; a client that sends slowly does not
hold up the work on others.
"""

import asyncio
import ctypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from tempfile import SpooledTemporaryFile

from starlette.requests import Request

from esante.core.storage import Unavailable
from esante.core.web.i18n import N_
from esante.core.web.problems import Problem
from esante.core.web.requests import stream_body

LARGE = 1024 * 1024
"""Bytes above which a body is large."""
WAIT_SECONDS = 60.0
"""Seconds that a large body waits for its turn."""

_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
_has_turn: ContextVar[bool] = ContextVar("has_turn", default=False)
"""Whether the current task works on an entry of a batch that has its turn already."""


class LargeBodyQueue:
    """The queue of one process; `wait`: seconds that a large body waits for its turn."""

    def __init__(self, wait: float = WAIT_SECONDS) -> None:
        self._lock, self._wait = asyncio.Lock(), wait

    @asynccontextmanager
    async def body(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """Read the body of a request, at most `limit` bytes, to be worked on within the context.

        Raises: `Problem` 413 for a larger body, `Problem` 503 when its turn does not come in time, `Unavailable` when
        it cannot be written to the temporary file.
        """
        with SpooledTemporaryFile(max_size=LARGE) as file:
            try:
                size = await stream_body(request, limit, file)
            except OSError as error:
                raise Unavailable(f"cannot write a request body to a temporary file: {error}") from error
            async with self.turn(size):
                yield _read_and_close(file)

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Wait for the turn of a body of `size` bytes; a small one, and an entry of a batch, need not wait.

        Raises: `Problem` 503 when the turn does not come in time.
        """
        if size <= LARGE or _has_turn.get():
            yield
            return
        await self._acquire()
        mark = _has_turn.set(True)
        try:
            yield
        finally:
            _has_turn.reset(mark)
            trim_memory()
            self._lock.release()

    async def _acquire(self) -> None:
        try:
            await asyncio.wait_for(self._lock.acquire(), self._wait)
        except TimeoutError:
            raise Problem(
                503,
                "throttled",
                N_("The service cannot answer right now."),
                remedy=N_("Nothing was changed. Please try again in a moment."),
                headers={"Retry-After": "30"},
            ) from None


def trim_memory() -> None:
    """Return free memory to the system: the allocator of glibc keeps much of it after large pieces of work."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def _read_and_close(file: SpooledTemporaryFile[bytes]) -> bytes:
    file.seek(0)
    with file:
        return file.read()
