"""What other libraries need for the same work; runs in an environment of its own, where esante is not.

Reads a job as JSON from standard input (`bundle`, `faults` by name, `paths` as pairs of expression and resource) and
prints microseconds, and which faults each library finds, as JSON.
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


def least(work, seconds):
    """Processor time in microseconds, the least of many runs; measured as in `bench.validation`."""
    work()
    count = max(1, int(0.001 / timeit(work, timer=time.process_time, number=1)))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        best = min(best, timeit(work, timer=time.process_time, number=count) / count)
    return best * 1e6


def by_fhir_resources(data):
    """Whether the library takes the resource."""
    try:
        get_fhir_model_class(json.loads(data)["resourceType"]).model_validate_json(data)
    except ValueError:
        return False
    return True


def by_fhirkit(data):
    """Whether the library finds nothing wrong."""
    return not fhirkit.validate(data)


def evaluated(path, resource, seconds):
    """The time of an expression, None where the library cannot evaluate it."""
    try:
        compiled = fhirpathpy.compile(path, model=models["r4"])
        return least(lambda: compiled(resource), seconds)
    except Exception:
        return None


def main():
    """Do the job."""
    job = json.load(sys.stdin)
    bundle, seconds = job["bundle"], job["seconds"]
    data = bundle.encode()
    found = {
        "orjson": least(lambda: orjson.loads(data), seconds),
        "fhir.resources": least(lambda: by_fhir_resources(bundle), seconds),
        "fhirkit-rs": least(lambda: by_fhirkit(data), seconds),
        "fhirpathpy": [evaluated(path, resource, seconds / 100) for path, resource in job["paths"]],
        "accepted": [name for name, accepts in JUDGES.items() if accepts(bundle)],
        "caught": {
            name: [fault for fault, text in job["faults"].items() if not accepts(text)]
            for name, accepts in JUDGES.items()
        },
    }
    print(json.dumps(found))


JUDGES = {"fhir.resources": by_fhir_resources, "fhirkit-rs": by_fhirkit}

if __name__ == "__main__":
    main()
