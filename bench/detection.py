"""The part of the bench for detection: Sigma rules over recorded Windows events, beside Zircolite in the same run.

ESANTE_SIGMA_RULES: a folder of rules, such as `rules/windows` of SigmaHQ (its rules are not part of esante).
ESANTE_ZIRCOLITE: a checkout of Zircolite with its libraries in `.venv`; without it only esante is measured.
The events are the recorded attacks of the shared inputs, again and again; once as they are, and once with a new number
in every longer value, so that no value was seen before.
"""

import asyncio
import itertools
import json
import os
import subprocess
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import orjson

from bench.figures import Figures
from esante.services.soc import Detector, RuleSet, load_rules

SHARED = Path(os.environ.get("ESANTE_SHARED", Path(__file__).parents[2] / "shared"))
ROUNDS = 3
"""How often Zircolite, which needs minutes, gets the events."""


def recorded_lines() -> list[bytes]:
    """Return the events of the recorded attacks, a line of JSON each."""
    lines: list[bytes] = []
    for path in sorted((SHARED / "data" / "windows-attacks").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    lines += archive.read(name).splitlines()
    return lines


def renewed_lines(lines: list[bytes]) -> Iterator[bytes]:
    """Yield the events without end, with a new number in the middle of each longer value."""
    counter = itertools.count()
    while True:
        for line in lines:
            event = orjson.loads(line)
            for name, value in event.items():
                if isinstance(value, str) and len(value) > 8 and name not in ("Channel", "SourceName"):
                    event[name] = f"{value[: len(value) // 2]}{next(counter)}{value[len(value) // 2 :]}"
            yield orjson.dumps(event)


def match_lines(detector: Detector, lines: list[bytes]) -> Counter[str]:
    """Return how many events each rule finds, by its key."""
    found: Counter[str] = Counter()
    for line in lines:
        found.update(hit.rule.key for hit in detector.detect(orjson.loads(line)))
    return found


def rate(detector: Detector, lines: list[bytes], seconds: float) -> tuple[float, float]:
    """Return events a second by processor time and by the clock, JSON decoding included."""
    count, began, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        match_lines(detector, lines)
        count += len(lines)
    return count / (time.process_time() - used), count / (time.perf_counter() - began)


def _rate_of_process(rules: RuleSet, lines: list[bytes], seconds: float) -> tuple[float, float]:
    detector = Detector(rules)
    match_lines(detector, lines)
    return rate(detector, lines, seconds)


def zircolite(folder: Path, rules: Path, lines: list[bytes]) -> tuple[float, dict[str, int]]:
    """Return the seconds that Zircolite takes for the events, rules and start included, and its hits by rule id."""
    home = Path(os.environ["ESANTE_ZIRCOLITE"])
    events, out = folder / "events.json", folder / "detected.json"
    events.write_bytes(b"\n".join(lines))
    command = [str(home / ".venv/bin/python"), "zircolite.py", "--events", str(events), "--jsononly", "--ruleset"]
    command += [
        str(rules),
        "--pipeline",
        "sysmon",
        "windows-logsources",
        "--outfile",
        str(out),
        "--logfile",
        str(folder / "log"),
    ]
    began = time.perf_counter()
    subprocess.run(command, cwd=home, check=True, capture_output=True)
    taken = time.perf_counter() - began
    return taken, {one["id"]: one["count"] for one in json.loads(out.read_text("utf-8"))}


async def detection(folder: Path, seconds: float, full: bool) -> Figures:
    """Measure matching in one process and in two, and Zircolite."""
    folder.mkdir(parents=True, exist_ok=True)
    rules_folder = Path(os.environ.get("ESANTE_SIGMA_RULES", SHARED / "data" / "sigma" / "rules"))
    began = time.process_time()
    rules = load_rules(rules_folder)
    loaded = time.process_time() - began
    lines, detector = recorded_lines(), Detector(rules)
    began = time.process_time()
    hits = match_lines(detector, lines)
    first = time.process_time() - began
    found: Figures = {
        "rules loaded, not loaded": f"{len(rules.rules):,}, {len(rules.faults):,}",
        "loading the rules": f"{loaded:.1f} s of processor time",
        "first pass over the events, rules compiled in it": f"{first:.1f} s for {len(lines):,} events",
        "hits, rules with hits": f"{sum(hits.values()):,}, {len(hits):,}",
    }
    by_processor, by_clock = rate(detector, lines, seconds)
    found["events/s, one process, as recorded"] = (
        f"{by_processor:,.0f} by processor time, {by_clock:,.0f} by the clock"
    )
    new = list(itertools.islice(renewed_lines(lines), 60_000))
    began, used = time.perf_counter(), time.process_time()
    match_lines(detector, new)
    by_processor, by_clock = len(new) / (time.process_time() - used), len(new) / (time.perf_counter() - began)
    found["events/s, one process, no value seen before"] = (
        f"{by_processor:,.0f} by processor time, {by_clock:,.0f} by the clock"
    )
    with ProcessPoolExecutor(2) as pool:
        loop = asyncio.get_running_loop()
        tasks = [loop.run_in_executor(pool, _rate_of_process, rules, lines, seconds) for _ in range(2)]
        by_processor, by_clock = (sum(each) for each in zip(*await asyncio.gather(*tasks), strict=True))
    found["events/s, two processes, as recorded"] = (
        f"{by_processor:,.0f} by processor time, {by_clock:,.0f} by the clock"
    )
    if "ESANTE_ZIRCOLITE" in os.environ:
        start, _ = zircolite(folder, rules_folder, lines[:10])
        taken, theirs = zircolite(folder, rules_folder, lines * ROUNDS)
        ours = {key: count * ROUNDS for key, count in hits.items()}
        found["Zircolite, the same rules and events"] = (
            f"{len(lines) * ROUNDS / (taken - start):,.0f} events/s without its start of {start:.0f} s"
        )
        found["Zircolite: rules with equal hits, only there, only here, other counts"] = ", ".join(
            str(number)
            for number in (
                sum(ours.get(key) == count for key, count in theirs.items()),
                len(theirs.keys() - ours.keys()),
                len(ours.keys() - theirs.keys()),
                sum(key in ours and ours[key] != count for key, count in theirs.items()),
            )
        )
    return found


PARTS = {"detection": detection}
