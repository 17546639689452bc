"""Measurements of other libraries, in an environment of their own without esante.

Reads a job as JSON from standard input (`bundle`, `faults` by name, `paths` as pairs of expression and resource) and
prints microseconds, and the faults that each library finds, as JSON.
"""

import json
import sys
import time
from timeit import timeit

import fhirkit
import fhirpathpy
import orjson
from fhir.resources.R4B import get_fhir_model_class
from fhirpathpy.models import models


def measure_least(work, seconds):
    """Return the least processor time of many runs in microseconds, measured as in `bench.validation`."""
    work()
    count = max(1, int(0.001 / timeit(work, timer=time.process_time, number=1)))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        best = min(best, timeit(work, timer=time.process_time, number=count) / count)
    return best * 1e6


def accepted_by_fhir_resources(data):
    """Return whether fhir.resources accepts a resource."""
    try:
        get_fhir_model_class(json.loads(data)["resourceType"]).model_validate_json(data)
    except ValueError:
        return False
    return True


def accepted_by_fhirkit(data):
    """Return whether fhirkit-rs finds no fault."""
    return not fhirkit.validate(data)


def measure_expression(path, resource, seconds):
    """Return the time of an expression in microseconds; None where fhirpathpy cannot evaluate it."""
    try:
        compiled = fhirpathpy.compile(path, model=models["r4"])
        return measure_least(lambda: compiled(resource), seconds)
    except Exception:
        return None


def main():
    """Measure the job of the standard input and print the results."""
    job = json.load(sys.stdin)
    bundle, seconds = job["bundle"], job["seconds"]
    data = bundle.encode()
    found = {
        "orjson": measure_least(lambda: orjson.loads(data), seconds),
        "fhir.resources": measure_least(lambda: accepted_by_fhir_resources(bundle), seconds),
        "fhirkit-rs": measure_least(lambda: accepted_by_fhirkit(data), seconds),
        "fhirpathpy": [measure_expression(path, resource, seconds / 100) for path, resource in job["paths"]],
        "accepted": [name for name, accepts in VALIDATORS.items() if accepts(bundle)],
        "caught": {
            name: [fault for fault, text in job["faults"].items() if not accepts(text)]
            for name, accepts in VALIDATORS.items()
        },
    }
    print(json.dumps(found))


VALIDATORS = {"fhir.resources": accepted_by_fhir_resources, "fhirkit-rs": accepted_by_fhirkit}

if __name__ == "__main__":
    main()
