"""Validation beside other libraries: the same Bundle of 100 entries and about 130 KB, all in one run."""

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

from bench.told import Figures
from bench.world import fhir_document
from esante.core.fhir import check, compile_path, decode, passes_fast_check
from esante.core.fhir.definitions import search_parameters
from esante.core.fhir.validation import check_invariants

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
    """Parsing, the fast pass, the whole check and the constraints; the peers; FHIRPath beside fhirpathpy."""
    name, bundle = _bundle()
    resource = decode(bundle)
    paths = [(p.expression, found) for found in _kinds(resource) for p in search_parameters() if _is_of(p, found)]
    document = fhir_document()
    check(bundle, invariants=True)
    gc.collect()
    gc.freeze()  # as the server does when it starts
    own = _least(
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
        figures[line] = _beside(own[key], own["orjson"])
    figures[f"the whole check of a document of {len(document):,} bytes"] = _beside(
        own["document"], own["document parsed"]
    )
    return figures | _peers(bundle, paths, own, seconds)


def _peers(bundle: bytes, paths: list[tuple[str, Any]], own: dict[str, float], seconds: float) -> Figures:
    """The same by other libraries, each beside `orjson` in its own process; the reason when they could not run."""
    job = {
        "bundle": bundle.decode(),
        "seconds": seconds / 6,
        "paths": paths,
        "faults": {k: json.dumps(v) for k, v in FAULTS.items()},
    }
    try:
        python = _environment()
        done = subprocess.run(
            [python, ROOT / "bench" / "peers.py"],
            input=orjson.dumps(job, default=float),
            stdout=subprocess.PIPE,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        return {"other libraries": f"NOT MEASURED: {error}"}
    theirs = json.loads(done.stdout)
    figures: Figures = {}
    for name in ("fhir.resources", "fhirkit-rs"):
        ratio = theirs[name] / theirs["orjson"]
        times = ratio / (own["accept"] / own["orjson"]), ratio / (own["check"] / own["orjson"])
        taken = "" if name in theirs["accepted"] else ", and refuses the Bundle"
        figures[name] = (
            f"{_beside(theirs[name], theirs['orjson'])}: {times[0]:.1f} x ours, {times[1]:.1f} x our check{taken}"
        )
    caught = {
        "esante": [k for k, v in FAULTS.items() if not check(orjson.dumps(v), invariants=True).ok],
        **theirs["caught"],
    }
    for name, faults in caught.items():
        figures[f"{name} misses"] = "; ".join(k for k in FAULTS if k not in faults) or "none of the faults tried"
    return figures | _expressions(paths, theirs["fhirpathpy"], seconds)


def _expressions(paths: list[tuple[str, Any]], theirs: list[float | None], seconds: float) -> Figures:
    """Search parameters' expressions, those that both can evaluate."""
    both = [(*pair, took) for pair, took in zip(paths, theirs, strict=True) if took is not None]
    compiled = [(compile_path(path, resource["resourceType"]), resource) for path, resource, _ in both]
    ours = [_least({"": lambda f=f, r=r: f.evaluate(r)}, seconds / 400)[""] for f, r in compiled]
    line = f"{len(both)} expressions of search parameters, each"
    peer = mean(took for *_, took in both)
    return {line: f"{mean(ours):.1f} µs; fhirpathpy {peer:.0f} µs, {peer / mean(ours):.0f} x"}


def _bundle() -> tuple[str, bytes]:
    """The first hundred entries of a Synthea transaction, of that which comes nearest to the size; without them a
    document of our own."""
    found = []
    for file in sorted(SYNTHEA.glob("*.json.gz")):
        bundle = orjson.loads(gzip.decompress(file.read_bytes()))
        if len(bundle["entry"]) >= ENTRIES:
            found.append((file.name, orjson.dumps({**bundle, "entry": bundle["entry"][:ENTRIES]})))
    if not found:
        return "made here, Synthea is absent", fhir_document(SIZE)
    return min(found, key=lambda each: abs(len(each[1]) - SIZE))


def _kinds(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The first resource of each type in the Bundle."""
    return list({entry["resource"]["resourceType"]: entry["resource"] for entry in reversed(bundle["entry"])}.values())


def _is_of(parameter: Any, resource: dict[str, Any]) -> bool:
    return (
        resource["resourceType"] in parameter.base and parameter.expression and "resolve()" not in parameter.expression
    )


def _least(works: dict[str, Work], seconds: float) -> dict[str, float]:
    """Processor time of each in microseconds, the least that was seen; they take turns, so that all meet the same
    moments."""
    counts = {name: _fitting(work) for name, work in works.items()}
    best = dict.fromkeys(works, float("inf"))
    end = time.perf_counter() + seconds
    while True:
        for name, work in works.items():
            best[name] = min(best[name], timeit(work, timer=time.process_time, number=counts[name]) / counts[name])
        if time.perf_counter() > end:
            return {name: took * 1e6 for name, took in best.items()}


def _fitting(work: Work) -> int:
    """How often to call for about a millisecond; what is made on first use is made here."""
    work()
    return max(1, int(0.001 / timeit(work, timer=time.process_time, number=1)))


def _beside(took: float, parse: float) -> str:
    return f"{took:,.0f} µs, {took / parse:.2f} x orjson"


def _environment() -> Path:
    """The Python of an environment with the other libraries, kept in the user's cache; made when it is not there."""
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
