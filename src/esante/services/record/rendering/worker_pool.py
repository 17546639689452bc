"""A pool of processes that open documents: started when needed, killed when a task takes too long."""

import asyncio
import json
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path

from esante.core.storage import Overloaded
from esante.core.types import Json
from esante.core.web import FairSlots, QueueFull, outside_turn

TIMEOUT = 10.0
"""Seconds for one task; the largest real documents take two on a slow machine."""
WORKERS, WORKERS_OF_CLIENT = 3, 2
"""Processes in total, and at most for documents of one client, so that one is left for the others."""
MAX_WAITING, MAX_WAITING_OF_CLIENT = 100, 64
"""Documents that wait for a process, in total and of one client."""
QUARANTINE = 600.0
"""Seconds for which a document that cost a process is not opened again: its other pages would cost one each."""
MAX_QUARANTINED = 1_000
"""Documents in quarantine at one time; the oldest leaves it first."""
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of a part of an answer; a longer one is an error of the worker."""
_WORKER = Path(__file__).with_name("worker")
_DEAD = (ConnectionError, asyncio.IncompleteReadError)
Answer = tuple[Json, bytes]
"""The head of an answer (a JSON object) and its bytes."""


class WorkerFailure(Exception):
    """No process could open the document: it makes every one crash or time out."""


class WorkerPool:
    """Some processes with one document at a time each: a document that crashes or stalls one affects no other.

    `program`: the folder of the program of the processes; its messages are those of `worker/__main__.py`. `timeout`:
    seconds for one task, with what the process loads for its first one; None: `TIMEOUT`.
    """

    def __init__(self, workers: int = WORKERS, program: Path = _WORKER, timeout: float | None = None) -> None:
        self._free = [_Worker(program, timeout) for _ in range(workers)]
        self._workers = tuple(self._free)
        of_client = min(WORKERS_OF_CLIENT, workers)
        self._slots = FairSlots(workers, of_client, waiting=MAX_WAITING, waiting_per_client=MAX_WAITING_OF_CLIENT)
        self._quarantine: OrderedDict[bytes, float] = OrderedDict()

    async def run(self, request: Json, data: bytes, key: bytes | None = None, *, client: Hashable = None) -> Answer:
        """Run a task of a client (any key) on a document (see `worker/__main__.py`) and return its answer.

        A large request body gives its turn to others meanwhile. `key` identifies the document over several tasks: once
        it cost a process, it is refused for `QUARANTINE` seconds without another try.

        Raises: `WorkerFailure`, and `Overloaded` when too many requests wait or no process can be started.
        """
        async with outside_turn():
            try:
                async with self._slots.slot(client):
                    return await self._run(request, data, key)
            except QueueFull as full:
                raise Overloaded("too many documents are waiting for a worker process; try again later") from full

    async def _run(self, request: Json, data: bytes, key: bytes | None) -> Answer:
        """Run a task in a free process; the caller has a slot."""
        worker = self._free.pop()
        try:
            if self._is_quarantined(key):
                raise WorkerFailure
            try:
                return await worker.run(request, data)
            except _DEAD:  # perhaps killed for another reason, such as the memory of the machine: a second try
                return await worker.run(request, data)
        except (TimeoutError, *_DEAD) as error:
            self._put_in_quarantine(key)
            raise WorkerFailure from error
        finally:
            self._free.append(worker)

    async def close(self) -> None:
        """Stop the processes, each after its current document."""
        for worker in self._workers:  # a client each: no bound for one keeps this from having all of them
            await self._slots.acquire(worker)
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        for worker in self._workers:
            self._slots.release(worker)

    def _is_quarantined(self, key: bytes | None) -> bool:
        return key is not None and time.monotonic() - self._quarantine.get(key, -QUARANTINE) < QUARANTINE

    def _put_in_quarantine(self, key: bytes | None) -> None:
        if key is not None:
            self._quarantine[key] = time.monotonic()
            self._quarantine.move_to_end(key)
            if len(self._quarantine) > MAX_QUARANTINED:
                self._quarantine.popitem(last=False)


class _Worker:
    """A process, started when needed. After any error it is killed, and the next request starts another."""

    def __init__(self, program: Path, timeout: float | None) -> None:
        self._program, self._timeout = program, timeout
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, request: Json, data: bytes) -> Answer:
        """Return the answer to one request. Raises: TimeoutError, or one of `_DEAD` when the process dies."""
        try:
            process = await self._ensure_started()
            return await asyncio.wait_for(_exchange(process, request, data), self._timeout or TIMEOUT)
        except BaseException:
            await asyncio.shield(self.stop())
            raise

    async def stop(self) -> None:
        """Kill the process, if one is running."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()

    async def _ensure_started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            command = [sys.executable, "-I", str(self._program)]
            pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=pipe, stdout=pipe, stderr=null, env={}
                )
            except OSError as error:
                raise Overloaded(
                    "no worker process can be started; check the limits on processes and memory"
                ) from error
        return self._process


async def _exchange(process: asyncio.subprocess.Process, request: Json, data: bytes) -> Answer:
    """Send a request and return the answer. Raises: one of `_DEAD` when the process dies."""
    if process.stdin is None or process.stdout is None:
        raise ConnectionError("the worker process has no pipes")
    text = json.dumps(request).encode()
    process.stdin.write(len(text).to_bytes(4, "big") + text + len(data).to_bytes(8, "big"))
    process.stdin.write(data)
    await process.stdin.drain()
    head: Json = json.loads(await _read_part(process.stdout, 4))
    return head, await _read_part(process.stdout, 8)


async def _read_part(stream: asyncio.StreamReader, width: int) -> bytes:
    """Return a part of a message, which follows its length of `width` bytes."""
    length = int.from_bytes(await stream.readexactly(width), "big")
    if length > MAX_ANSWER:
        raise ConnectionError(f"the answer of the worker has {length:,} bytes, over {MAX_ANSWER:,}")
    return await stream.readexactly(length)
