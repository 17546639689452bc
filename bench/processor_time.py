"""Processor time of a load by part: the server's workers, the database, the load generator."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PARTS = {"postgres": "database", "esante.cli": "server", "spawn_main": "server", "bench": "generator"}


def folder_prefix() -> str:
    """Return how the name of this run's folder begins, by which its database's processes are known."""
    return f"esante-bench-{os.getpid()}-"


def processor_seconds() -> dict[str, float]:
    """Return the seconds of processor time by part since the processes of this run began (Linux)."""
    seconds = dict.fromkeys(_PARTS.values(), 0.0)
    for command, ticks in _own_processes():
        part = next((part for marker, part in _PARTS.items() if marker in command), None)
        if part:
            seconds[part] += ticks / _TICKS
    return seconds


def _own_processes() -> Iterator[tuple[str, int]]:
    """Yield command line and ticks of this process, its descendants, and what works in its folder (the database)."""
    parents: dict[int, int] = {}
    found: dict[int, tuple[str, int]] = {}
    own = {os.getpid()}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            command, directory = (folder / "cmdline").read_text(), str((folder / "cwd").readlink())
        except OSError:
            continue  # ended in between, or another user's
        pid = int(folder.name)
        parents[pid], found[pid] = int(stat[1]), (command, int(stat[11]) + int(stat[12]))
        if folder_prefix() in directory:
            own.add(pid)
    for pid, process in found.items():
        if any(one in own for one in _line_of(pid, parents)):
            yield process


def _line_of(pid: int, parents: dict[int, int]) -> Iterator[int]:
    """Yield a process and those it descends from."""
    while pid in parents:
        yield pid
        pid = parents[pid]
