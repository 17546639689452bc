"""Where the processor time of a load goes: the server's workers, the database, the load generator itself."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PARTS = {"postgres": "database", "esante.cli": "server", "spawn_main": "server", "bench": "generator"}


def used() -> dict[str, float]:
    """Seconds of processor time by part since its processes began (Linux; those of others are not counted)."""
    found = dict.fromkeys(_PARTS.values(), 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended in between
        part = next((part for sign, part in _PARTS.items() if sign in command), None)
        if part:
            found[part] += (int(stat[11]) + int(stat[12])) / _TICKS
    return found
