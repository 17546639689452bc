"""A queue for large request bodies, of which a process parses one at a time.

Parsing a body takes several times its size in memory: two at the same time would need twice as much. So a large
body is first written to an unnamed temporary file and waits there for its turn; a client that sends slowly does not
hold up the work on others. Nor does one whose document takes another process long: the turn ends meanwhile
(`outside_turn`). What clients may send at a time, have in files and have in work is bounded, for one and in total, and
the turns go round between them.
"""

import asyncio
import ctypes
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from tempfile import SpooledTemporaryFile
from typing import Any

from starlette.requests import Request

from esante.core.storage import Unavailable
from esante.core.web.i18n import N_
from esante.core.web.limits.fair_slots import FairSlots, QueueFull
from esante.core.web.problems import Problem
from esante.core.web.requests import read_body, stream_body

LARGE = 1024 * 1024
"""Bytes above which a body is large."""
WAIT_SECONDS = 60.0
"""Seconds that a large body waits for its turn."""
IN_WORK, CLIENT_IN_WORK = 3, 2
"""Large bodies of which a part is in memory, in total and of a client: one is parsed, the others wait for another
process, with their documents."""
WAITING, CLIENT_WAITING = 200, 50
"""Large bodies that wait for their turn in total, and of a client."""
UPLOADED, CLIENT_UPLOADED = 512 * 1024 * 1024, 192 * 1024 * 1024
"""Bytes of bodies that are being received or have been, in total and of a client: three of the largest."""

_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
_current: ContextVar["_Turn | None"] = ContextVar("turn", default=None)
"""The turn of the current task; an entry of a batch shares that of the batch."""


class LargeBodyQueue:
    """The queue of one process; `wait`: seconds that a large body waits for its turn. A client is any key."""

    def __init__(
        self, wait: float = WAIT_SECONDS, *, uploaded: int = UPLOADED, client_uploaded: int = CLIENT_UPLOADED
    ) -> None:
        self._lock, self._wait = asyncio.Lock(), wait
        self._slots = FairSlots(IN_WORK, CLIENT_IN_WORK, waiting=WAITING, waiting_per_client=CLIENT_WAITING)
        self._bound, self._client_bound = uploaded, client_uploaded
        self._uploaded: Counter[Hashable] = Counter()

    @asynccontextmanager
    async def body(self, request: Request, limit: int, client: Hashable) -> AsyncIterator[bytes]:
        """Read the body of a request of a client, at most `limit` bytes, to be worked on within the context.

        Raises: `Problem` 413 for a larger body, 429 when the client sends too much at once, 503 when all clients do
        or its turn does not come in time, `Unavailable` when it cannot be written to the temporary file.
        """
        if _current.get() is not None:
            yield await read_body(request, limit)
            return
        with self.upload(client) as upload, _CountedFile(upload) as file:
            try:
                size = await stream_body(request, limit, file)
            except OSError as error:
                raise Unavailable(f"cannot write a request body to a temporary file: {error}") from error
            async with self.turn(size, client):
                yield _read_and_close(file)

    @contextmanager
    def upload(self, client: Hashable, size: int = 0) -> Iterator["Upload"]:
        """Count the bytes of a client's upload, `size` at first, within the context.

        Raises: `Problem` 429 or 503 for more than may be sent at once.
        """
        upload = Upload(self, client)
        try:
            upload.add(size)
            yield upload
        finally:
            self._uploaded[client] -= upload.size
            if not self._uploaded[client]:
                del self._uploaded[client]

    @asynccontextmanager
    async def turn(self, size: int, client: Hashable) -> AsyncIterator[None]:
        """Wait for the turn of a body of `size` bytes; a small one, and an entry of a batch, need not wait.

        Raises: `Problem` 429 when too many bodies of the client wait, 503 when too many of all do or the turn does not
        come in time.
        """
        if size <= LARGE or _current.get() is not None:
            yield
            return
        turn = _Turn(self._lock)
        await self._acquire(turn, client)
        mark = _current.set(turn)
        try:
            yield
        finally:
            _current.reset(mark)
            turn.end()
            self._slots.release(client)

    async def _acquire(self, turn: "_Turn", client: Hashable) -> None:
        try:
            async with asyncio.timeout(self._wait):
                await self._slots.acquire(client)
                try:
                    await turn.begin()
                except BaseException:
                    self._slots.release(client)
                    raise
        except QueueFull as full:
            raise (_too_much_of_client() if full.of_client else _too_much()) from None
        except TimeoutError:
            raise _too_much() from None

    def count(self, client: Hashable, size: int) -> None:
        """Count bytes that a client has sent. Raises: `Problem` 429 or 503; then nothing is counted."""
        if self._uploaded[client] + size > self._client_bound:
            raise _too_much_of_client()
        if self._uploaded.total() + size > self._bound:
            raise _too_much()
        self._uploaded[client] += size


class Upload:
    """The bytes of one upload so far; `add` counts more."""

    def __init__(self, queue: LargeBodyQueue, client: Hashable) -> None:
        self._queue, self._client, self.size = queue, client, 0

    def add(self, size: int) -> None:
        """Count further bytes. Raises: `Problem` 429 or 503 for more than may be sent at once."""
        self._queue.count(self._client, size)
        self.size += size


class _CountedFile(SpooledTemporaryFile[bytes]):
    """A temporary file, in memory up to `LARGE` bytes, whose bytes are counted as those of an upload."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(max_size=LARGE)
        self._upload = upload

    def write(self, data: Any) -> int:
        """Count and write bytes. Raises: `Problem` 429 or 503, OSError."""
        self._upload.add(len(data))
        return super().write(data)


class _Turn:
    """The turn of one body: it has the lock of the process, but not while it is `outside_turn`."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock, self.has_lock = lock, False

    async def begin(self) -> None:
        """Wait for the lock."""
        await self._lock.acquire()
        self.has_lock = True

    def end(self) -> None:
        """Release the lock, if this turn has it."""
        if self.has_lock:
            self.has_lock = False
            trim_memory()
            self._lock.release()


@asynccontextmanager
async def outside_turn() -> AsyncIterator[None]:
    """Give the turn of the current task, if it has one, to others within the context, and then wait for it again.

    For what takes long without taking memory here, such as the work of another process on a document.
    """
    turn = _current.get()
    if turn is None or not turn.has_lock:
        yield
        return
    turn.end()
    try:
        yield
    except Exception:
        await turn.begin()  # not after a cancellation, which ends the work
        raise
    await turn.begin()


def trim_memory() -> None:
    """Return free memory to the system: the allocator of glibc keeps much of it after large pieces of work."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def _too_much() -> Problem:
    return Problem(
        503,
        "throttled",
        N_("The service is not available at the moment."),
        remedy=N_("Nothing has been changed. Try again in a moment."),
        headers={"Retry-After": "30", "Connection": "close"},
    )


def _too_much_of_client() -> Problem:
    return Problem(
        429,
        "throttled",
        N_("You are sending too many large files at once."),
        remedy=N_("Please wait until the others have arrived, then try again."),
        headers={"Retry-After": "30", "Connection": "close"},
    )


def _read_and_close(file: SpooledTemporaryFile[bytes]) -> bytes:
    file.seek(0)
    with file:
        return file.read()
