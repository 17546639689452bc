"""Large bodies, of which a process works on one at a time.

What is made of a body in memory is several times its size: two that are worked on together would need twice as much.
So a large body is first written to a file that has no name, and waits there for its turn; a client that sends slowly
keeps nobody from working.
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
from esante.core.web.requests import take_in

LARGE = 1024 * 1024
"""Bytes from which a body is large."""
WAIT = 60.0
"""Seconds that a large body waits for its turn."""

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
_has_turn: ContextVar[bool] = ContextVar("has_turn", default=False)
"""Whether this is an entry of a batch whose turn it is."""


class LargeBodies:
    """The turns of one process."""

    def __init__(self, wait: float = WAIT) -> None:
        self._turn, self._wait = asyncio.Lock(), wait

    @asynccontextmanager
    async def body(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """The body of a request, at most `limit` bytes, to be worked on within the context.

        Problem 413 for more, 503 where its turn does not come; `Unavailable` where it cannot be written down.
        """
        with SpooledTemporaryFile(max_size=LARGE) as file:
            try:
                size = await take_in(request, limit, file)
            except OSError as error:
                raise Unavailable(f"a body cannot be written down: {error}") from error
            async with self.turn(size):
                yield _whole(file)

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """The turn of what has so many bytes; Problem 503 where it does not come."""
        if size <= LARGE or _has_turn.get():
            yield
            return
        await self._wait_for_turn()
        mark = _has_turn.set(True)
        try:
            yield
        finally:
            _has_turn.reset(mark)
            give_back()
            self._turn.release()

    async def _wait_for_turn(self) -> None:
        try:
            await asyncio.wait_for(self._turn.acquire(), self._wait)
        except TimeoutError:
            raise Problem(
                503,
                "throttled",
                N_("The service cannot answer right now."),
                remedy=N_("Nothing was changed. Please try again in a moment."),
                headers={"Retry-After": "30"},
            ) from None


def give_back() -> None:
    """Give free memory back to the system, of which the allocator of glibc keeps much after large pieces of work."""
    if _trim is not None:
        _trim(0)


def _whole(file: SpooledTemporaryFile[bytes]) -> bytes:
    """What is in a file; it is closed."""
    file.seek(0)
    with file:
        return file.read()
