"""The way to the processes that open documents: started when needed, killed when they take too long."""

import asyncio
import json
import signal
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from esante.core.storage import Overloaded

TIMEOUT = 10.0
"""Seconds for one task; the largest real documents take two on a slow machine."""
WORKERS = 2
WAITING = 100
SHUNNED = 600.0
"""Seconds in which a document that cost a process is not opened again: its other pages would cost one each."""
REMEMBERED = 1_000
MAX_ANSWER = 64 * 1024 * 1024
_WORKER = Path(__file__).with_name("worker")
_GONE = (ConnectionError, asyncio.IncompleteReadError)
Answer = tuple[dict[str, Any], bytes]


class Unopened(Exception):
    """No process could open the document: it crashes or stalls every one."""


class Sandbox:
    """A few processes, one document at a time each; a document that kills or stalls one harms no other."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._workers = [_Worker() for _ in range(workers)]
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._free.put_nowait(worker)
        self._waiting = 0
        self._bad: OrderedDict[bytes, float] = OrderedDict()

    async def ask(self, request: dict[str, Any], data: bytes, key: bytes | None = None) -> Answer:
        """Have a task done on a document (see `worker/__main__.py`); the answer's object and its bytes.

        `key` names the document over several tasks: once it cost a process, it is `Unopened` for some minutes
        without another try. Raises `Unopened`, and `Overloaded` when too many wait or no process can start.
        """
        if self._waiting >= WAITING:
            raise Overloaded("too many documents wait to be opened")
        self._waiting += 1
        try:
            worker = await self._free.get()
        finally:
            self._waiting -= 1
        try:
            if self._is_bad(key):
                raise Unopened
            try:
                return await worker.ask(request, data)
            except _GONE:  # killed perhaps for another reason, such as the machine's memory: the document gets
                return await worker.ask(request, data)  # a second process
        except (TimeoutError, *_GONE) as error:
            self._shun(key)
            raise Unopened from error
        finally:
            self._free.put_nowait(worker)

    async def close(self) -> None:
        """End the processes; waits for the documents they are at."""
        for _ in self._workers:
            await (await self._free.get()).stop()
        for worker in self._workers:
            self._free.put_nowait(worker)

    def _is_bad(self, key: bytes | None) -> bool:
        return key is not None and time.monotonic() - self._bad.get(key, -SHUNNED) < SHUNNED

    def _shun(self, key: bytes | None) -> None:
        if key is not None:
            self._bad[key] = time.monotonic()
            self._bad.move_to_end(key)
            if len(self._bad) > REMEMBERED:
                self._bad.popitem(last=False)


class _Worker:
    """A process, started when needed. Whatever goes wrong, it is killed and the next request starts another."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, request: dict[str, Any], data: bytes) -> Answer:
        """The answer to one request; raises TimeoutError, or one of `_GONE` when the process dies."""
        try:
            process = await self._running()
            return await asyncio.wait_for(_ask(process, request, data), TIMEOUT)
        except BaseException:
            await asyncio.shield(self.stop())
            raise

    async def stop(self) -> None:
        """Kill the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            command = [sys.executable, "-I", str(_WORKER)]
            pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=pipe, stdout=pipe, stderr=nothing, env={}
                )
            except OSError as error:
                raise Overloaded("no process can be started to open documents") from error
        return self._process


async def _ask(process: asyncio.subprocess.Process, request: dict[str, Any], data: bytes) -> Answer:
    assert process.stdin is not None
    assert process.stdout is not None
    text = json.dumps(request).encode()
    process.stdin.write(len(text).to_bytes(4, "big") + text + len(data).to_bytes(8, "big"))
    process.stdin.write(data)
    await process.stdin.drain()
    head: dict[str, Any] = json.loads(await _part(process.stdout, 4))
    return head, await _part(process.stdout, 8)


async def _part(stream: asyncio.StreamReader, width: int) -> bytes:
    """A part of a message after its length of `width` bytes; no honest answer is as long as `MAX_ANSWER`."""
    length = int.from_bytes(await stream.readexactly(width), "big")
    if length > MAX_ANSWER:
        raise ConnectionError("the answer is too long")
    return await stream.readexactly(length)
