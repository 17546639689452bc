"""Runs jobs in sandboxes: bounded in time, memory and answer; killed whole at a limit."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from esante.services.research.environment import isolation
from esante.services.research.environment.model import FAILURES, JobKind, JobLimits, SandboxResult

_WATCH_SECONDS, _END_SECONDS = 0.1, 2.0
_MAX_LINE, _MAX_MESSAGE, _MAX_NAME = 1_000_000, 2_000, 80
_PAGE = 4_096


class NoIsolation(Exception):
    """Jobs cannot be shut in on this machine; the text says why and what to do."""


class _Answer(msgspec.Struct):
    """The answer of the runner, as far as it is believed."""

    code: str
    message: str = ""
    line: int = 0
    tables: dict[str, str] = {}
    left_out: list[str] = []


async def run_in_sandbox(
    kind: JobKind, text: str, data: Path, tables: Mapping[str, str], limits: JobLimits
) -> SandboxResult:
    """Run a job over the files in `data`; `tables`: names of tables and their folders in it.

    A cancelled call kills the job. Raises: `NoIsolation` when nothing was run.
    """
    if missing := isolation.missing_programs():
        raise NoIsolation(f"{', '.join(missing)}: not installed. As root: apt-get install bubblewrap util-linux")
    job = {"kind": kind.value, "text": text, "tables": dict(tables), "limits": limits.in_sandbox}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *isolation.command(data, limits), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, env=_PATH
    )
    watch = asyncio.create_task(_watch_memory(process.pid, limits.memory))
    talk = asyncio.create_task(_talk(process, json.dumps(job).encode(), limits.output_size * 2))
    try:
        await asyncio.wait({watch, talk}, timeout=limits.seconds, return_when=asyncio.FIRST_COMPLETED)
        if not talk.done():
            return SandboxResult(code="memory" if watch.done() else "time")
        answer, errors = talk.result()
    finally:
        watch.cancel()
        await _end(process, kill=not talk.done())
        talk.cancel()
    if not answer and errors.startswith(b"bwrap:"):
        raise NoIsolation(_remedy(errors.decode("utf-8", "replace").strip()))
    return _result(answer)


_PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


async def _talk(process: asyncio.subprocess.Process, job: bytes, limit: int) -> tuple[bytes | None, bytes]:
    """Hand a job over; return the answer (None for one that is too long) and the beginning of what went wrong."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise ConnectionError("the sandbox has no pipes")
    with suppress(ConnectionError):
        process.stdin.write(job)
        await process.stdin.drain()
    process.stdin.close()
    answer = bytearray()
    while piece := await process.stdout.read(1 << 16):
        answer += piece
        if len(answer) > limit:
            return None, b""
    return bytes(answer), await process.stderr.read(2_000)


async def _end(process: asyncio.subprocess.Process, *, kill: bool) -> None:
    """Wait for the end of a sandbox; kill it at once, or when it does not end by itself."""
    if not kill:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _END_SECONDS)
            return
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def _watch_memory(pid: int, limit: int) -> None:
    """Return when the processes below one use more memory than is allowed."""
    while sum(map(_resident, _below(pid))) <= limit:  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(_WATCH_SECONDS)


def _below(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield int(child)
                yield from _below(int(child))


def _resident(pid: int) -> int:
    """Return the bytes of memory that a process has for itself, with what it shares of files in memory."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0


def _result(answer: bytes | None) -> SandboxResult:
    """Return an answer, checked: whatever ran in the sandbox may have written it."""
    if answer is None:
        return SandboxResult(code="output_size")
    try:
        found = msgspec.json.decode(answer, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return SandboxResult(code="killed")
    if found.code and found.code not in FAILURES:
        return SandboxResult(code="killed")
    return SandboxResult(
        code=found.code,
        message=found.message[:_MAX_MESSAGE],
        line=max(0, min(found.line, _MAX_LINE)),
        tables={name[:_MAX_NAME]: text for name, text in found.tables.items()} if not found.code else {},
        left_out=[name[:_MAX_NAME] for name in found.left_out],
    )


def _remedy(said: str) -> str:
    return (
        f"{said}. Jobs need user namespaces of the kernel: sysctl user.max_user_namespaces (and where they exist"
        " kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0); in a container,"
        " a profile that allows them"
    )


async def check_isolation(folder: Path) -> None:
    """Run a small job over an empty folder. Raises: `NoIsolation` when it cannot be shut in or does not run."""
    done = await run_in_sandbox(JobKind.SQL, "SELECT 1 AS one", folder, {}, JobLimits(seconds=60))
    if done.code:
        raise NoIsolation(f"a small job failed ({done.code}): the interpreter must be readable for all users")
