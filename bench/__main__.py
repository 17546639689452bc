"""`make bench`: the figures of the performance targets and their comparisons, in one run.

    python -m bench [--full] [--seconds N] [PART ...]

Parts: deposit read timeline verify validation create load clinical bulletin forecasts decide replay export vaccination doses lots kept
adjudication immediate_payment incentives images detection intake hunts healthnet healthnet-supervision messages
encounters exchange match views restrictions ehds.
`--full` measures the timeline also with 1,000,000 documents, the replay of 1,000,000 verdicts, the bulletin and hunts over 100
million events, the advice for 100,000 persons and the match among 1,000,000. Raw results go to
docs/performance/latest.json.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from bench import (
    access,
    billing,
    bulk_export,
    detection,
    ehds,
    encounters,
    exchange,
    healthnet,
    healthnet_messages,
    healthnet_supervision,
    hunts,
    imaging,
    immediate_payment,
    incentives,
    matching,
    parts,
    restrictions,
    soc_intake,
    vaccination,
    vaccination_card,
    vaccination_lots,
    views,
)
from bench.processor_time import folder_prefix

PARTS = {
    **parts.PARTS,
    **access.PARTS,
    **bulk_export.PARTS,
    **immediate_payment.PARTS,
    **incentives.PARTS,
    **vaccination.PARTS,
    **vaccination_card.PARTS,
    **vaccination_lots.PARTS,
    **billing.PARTS,
    **imaging.PARTS,
    **ehds.PARTS,
    **detection.PARTS,
    **hunts.PARTS,
    **views.PARTS,
    **soc_intake.PARTS,
    **healthnet.PARTS,
    **healthnet_supervision.PARTS,
    **healthnet_messages.PARTS,
    **exchange.PARTS,
    **encounters.PARTS,
    **matching.PARTS,
    **restrictions.PARTS,
}


def fsync_rate(folder: Path) -> float:
    """Return how many times a second this disk syncs 8 KB appended to a file."""
    path = folder / "fsync"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    count, end = 0, time.perf_counter() + 1.0
    while time.perf_counter() < end:
        os.write(handle, b"x" * 8_192)
        os.fdatasync(handle)
        count += 1
    os.close(handle)
    path.unlink()
    return float(count)


async def main() -> int:
    """Run the parts and print their figures; return the exit status."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=" ".join(PARTS))
    parser.add_argument("--full", action="store_true", help="also with 1,000,000 documents (takes minutes)")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each load")
    options = parser.parse_args()
    part_names = options.parts or list(PARTS)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix=folder_prefix()) as folder:
        machine = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "fsync_per_second": round(fsync_rate(Path(folder))),
        }
        print("  ".join(f"{name}={value}" for name, value in machine.items()), flush=True)
        for name in part_names:
            began = time.perf_counter()
            found = await PARTS[name](Path(folder) / name, options.seconds, options.full)
            figures[name] = found
            print(f"\n{name} ({time.perf_counter() - began:.0f} s)")
            for line, value in found.items():
                print(f"  {line:<58} {value}")
            sys.stdout.flush()
    out = Path("docs/performance/latest.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
