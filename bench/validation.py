"""Validation compared with other libraries: the same Bundle of 100 entries and about 130 KB, in one run."""

import gc
import gzip
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from timeit import timeit
from typing import Any

import orjson

from bench.bench_world import fhir_document
from bench.figures import Figures
from esante.core.fhir import check, compile_path, decode, passes_fast_check
from esante.core.fhir.definitions import search_parameters
from esante.core.fhir.validation.invariants import check_invariants

ROOT = Path(__file__).parent.parent
SYNTHEA = Path(os.environ.get("ESANTE_SHARED", ROOT.parent / "shared")) / "data" / "synthea"
REQUIREMENTS = ROOT / "requirements" / "bench.txt"
ENTRIES, SIZE = 100, 130_000
PATIENT: dict[str, Any] = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1990-01-01"}
FAULTS = {
    "an element that R4 does not have": PATIENT | {"birthDay": "1990"},
    "a day that does not exist": PATIENT | {"birthDate": "1990-02-31"},
    "a code outside its required binding": PATIENT | {"gender": "zzz"},
    "a broken constraint (pat-1)": PATIENT | {"contact": [{"gender": "male"}]},
}
Work = Callable[[], object]


async def validation(data: Path, seconds: float, full: bool) -> Figures:
    """Measure parsing, the fast pass, the whole check and the constraints; other libraries; FHIRPath."""
    name, bundle = _bundle()
    resource = decode(bundle)
    paths = [
        (p.expression, found)
        for found in _first_of_each_type(resource)
        for p in search_parameters()
        if _applies_to(p, found)
    ]
    document = fhir_document()
    check(bundle, invariants=True)
    gc.collect()
    gc.freeze()  # as the server does when it starts
    own = _measure_least(
        {
            "orjson": lambda: orjson.loads(bundle),
            "accept": lambda: passes_fast_check(bundle),
            "check": lambda: check(bundle),
            "constraints": lambda: list(check_invariants(resource)),
            "document": lambda: check(document),
            "document parsed": lambda: orjson.loads(document),
        },
        seconds,
    )
    figures: Figures = {"bundle": f"{len(bundle):,} bytes, {len(resource['entry'])} entries ({name})"}
    figures["orjson.loads"] = f"{own['orjson']:,.0f} µs"
    for line, key in (
        ("structure, formats and required bindings", "accept"),
        ("the whole check", "check"),
        ("the constraints of R4 alone", "constraints"),
    ):
        figures[line] = _relative_to_parsing(own[key], own["orjson"])
    figures[f"the whole check of a document of {len(document):,} bytes"] = _relative_to_parsing(
        own["document"], own["document parsed"]
    )
    return figures | _measure_other_libraries(bundle, paths, own, seconds)


def _measure_other_libraries(
    bundle: bytes, paths: list[tuple[str, Any]], own: dict[str, float], seconds: float
) -> Figures:
    """Measure other libraries, relative to `orjson` in the same process; or return why they could not run."""
    job = {
        "bundle": bundle.decode(),
        "seconds": seconds / 6,
        "paths": paths,
        "faults": {k: json.dumps(v) for k, v in FAULTS.items()},
    }
    try:
        python = _python_with_libraries()
        done = subprocess.run(
            [python, ROOT / "bench" / "peers.py"],
            input=orjson.dumps(job, default=float),
            stdout=subprocess.PIPE,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        return {"other libraries": f"NOT MEASURED: {error}"}
    others = json.loads(done.stdout)
    figures: Figures = {}
    for name in ("fhir.resources", "fhirkit-rs"):
        ratio = others[name] / others["orjson"]
        times = ratio / (own["accept"] / own["orjson"]), ratio / (own["check"] / own["orjson"])
        taken = "" if name in others["accepted"] else ", and refuses the Bundle"
        figures[name] = (
            f"{_relative_to_parsing(others[name], others['orjson'])}: {times[0]:.1f} x ours, {times[1]:.1f} x our check{taken}"
        )
    caught = {
        "esante": [k for k, v in FAULTS.items() if not check(orjson.dumps(v), invariants=True).ok],
        **others["caught"],
    }
    for name, faults in caught.items():
        figures[f"{name} misses"] = "; ".join(k for k in FAULTS if k not in faults) or "none of the faults tried"
    return figures | _expressions(paths, others["fhirpathpy"], seconds)


def _expressions(paths: list[tuple[str, Any]], others: list[float | None], seconds: float) -> Figures:
    """Measure the expressions of search parameters that both libraries can evaluate."""
    both = [
        (*pair, seconds_taken) for pair, seconds_taken in zip(paths, others, strict=True) if seconds_taken is not None
    ]
    compiled = [(compile_path(path, resource["resourceType"]), resource) for path, resource, _ in both]
    ours = [_measure_least({"": lambda f=f, r=r: f.evaluate(r)}, seconds / 400)[""] for f, r in compiled]
    line = f"{len(both)} expressions of search parameters, each"
    peer = mean(seconds_taken for *_, seconds_taken in both)
    return {line: f"{mean(ours):.1f} µs; fhirpathpy {peer:.0f} µs, {peer / mean(ours):.0f} x"}


def _bundle() -> tuple[str, bytes]:
    """Return name and bytes of the first hundred entries of the Synthea transaction nearest to the size.

    Without Synthea, a document of our own.
    """
    found = []
    for file in sorted(SYNTHEA.glob("*.json.gz")):
        bundle = orjson.loads(gzip.decompress(file.read_bytes()))
        if len(bundle["entry"]) >= ENTRIES:
            found.append((file.name, orjson.dumps({**bundle, "entry": bundle["entry"][:ENTRIES]})))
    if not found:
        return "made here, Synthea is absent", fhir_document(SIZE)
    return min(found, key=lambda each: abs(len(each[1]) - SIZE))


def _first_of_each_type(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the first resource of each type in the Bundle."""
    return list({entry["resource"]["resourceType"]: entry["resource"] for entry in reversed(bundle["entry"])}.values())


def _applies_to(parameter: Any, resource: dict[str, Any]) -> bool:
    return (
        resource["resourceType"] in parameter.base and parameter.expression and "resolve()" not in parameter.expression
    )


def _measure_least(works: dict[str, Work], seconds: float) -> dict[str, float]:
    """Return the least processor time of each work in microseconds; they take turns, so that all meet the same load."""
    counts = {name: _calls_per_millisecond(work) for name, work in works.items()}
    best = dict.fromkeys(works, float("inf"))
    end = time.perf_counter() + seconds
    while True:
        for name, work in works.items():
            best[name] = min(best[name], timeit(work, timer=time.process_time, number=counts[name]) / counts[name])
        if time.perf_counter() > end:
            return {name: seconds_taken * 1e6 for name, seconds_taken in best.items()}


def _calls_per_millisecond(work: Work) -> int:
    """Return the number of calls for about a millisecond; calls once, for what is created on first use."""
    work()
    return max(1, int(0.001 / timeit(work, timer=time.process_time, number=1)))


def _relative_to_parsing(seconds_taken: float, parse: float) -> str:
    return f"{seconds_taken:,.0f} µs, {seconds_taken / parse:.2f} x orjson"


def _python_with_libraries() -> Path:
    """Return the Python of an environment with the other libraries, created in the user's cache when missing."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "esante-bench" / digest
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        install = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", REQUIREMENTS]
        subprocess.run(install, check=True)
        ready.touch()
    return python
