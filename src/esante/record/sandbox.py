"""The way to the processes that look into documents: started when needed, killed when they take too long."""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esante.storage import Overloaded

TIMEOUT = 10.0
WORKERS = 2
WAITING = 100
_WORKER = Path(__file__).with_name("inspect_worker.py")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look into a document found: `refused` and `findings` as (key, detail), `meta` from inside it."""

    refused: tuple[str, str] | None
    findings: tuple[tuple[str, str], ...]
    meta: dict[str, Any]


TOO_COMPLEX = Inspection(("too-complex", ""), (), {})


class Sandbox:
    """A few processes, one document at a time each; a document that kills or stalls one is refused."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._free: asyncio.LifoQueue[asyncio.subprocess.Process | None] = asyncio.LifoQueue()
        for _ in range(workers):
            self._free.put_nowait(None)
        self._workers, self._waiting = workers, 0

    async def inspect(self, kind: str, data: bytes) -> Inspection:
        """Look into a document of a kind (pdf, cda, image); raises `Overloaded` when too many wait."""
        if self._waiting >= WAITING:
            raise Overloaded("too many documents wait to be looked into")
        self._waiting += 1
        try:
            process = await self._free.get()
        finally:
            self._waiting -= 1
        try:
            if process is None or process.returncode is not None:
                process = await _start()
            found = await asyncio.wait_for(_ask(process, kind, data), TIMEOUT)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            await _stop(process)
            process, found = None, TOO_COMPLEX
        except BaseException:
            await asyncio.shield(_stop(process))
            process = None
            raise
        finally:
            self._free.put_nowait(process)
        return found

    async def close(self) -> None:
        """End the processes; waits for the documents they are at."""
        for _ in range(self._workers):
            await _stop(await self._free.get())
        for _ in range(self._workers):
            self._free.put_nowait(None)


async def _start() -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(_WORKER), stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env={}
    )


async def _stop(process: asyncio.subprocess.Process | None) -> None:
    if process is None:
        return
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.wait()


async def _ask(process: asyncio.subprocess.Process, kind: str, data: bytes) -> Inspection:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(kind[0].encode() + len(data).to_bytes(8, "big"))
    process.stdin.write(data)
    await process.stdin.drain()
    length = int.from_bytes(await process.stdout.readexactly(8), "big")
    answer = json.loads(await process.stdout.readexactly(length))
    refused = answer.get("refused")
    return Inspection(
        tuple(refused) if refused else None,
        tuple((key, detail) for key, detail in answer.get("findings", ())),
        answer.get("meta", {}),
    )
