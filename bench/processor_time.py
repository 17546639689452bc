"""Processor time of a load by part: the server's workers, the database, the load generator."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PARTS = {"postgres": "database", "esante.cli": "server", "spawn_main": "server", "bench": "generator"}


def processor_seconds() -> dict[str, float]:
    """Return the seconds of processor time by part since its processes began (Linux; other users' are not counted)."""
    seconds = dict.fromkeys(_PARTS.values(), 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended in between
        part = next((part for marker, part in _PARTS.items() if marker in command), None)
        if part:
            seconds[part] += (int(stat[11]) + int(stat[12])) / _TICKS
    return seconds
