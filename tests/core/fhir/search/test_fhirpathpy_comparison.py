"""Paths of search parameters compared with fhirpathpy, an independent interpreter."""

import gzip
import json
from collections.abc import Iterable
from typing import Any

import fhirpathpy
import orjson
from fhirpathpy.models import models

from esante.core.fhir import compile_path, decode
from esante.core.fhir.definitions import search_parameters
from esante.core.types import Json
from tests.core.fhir.samples import allergy, composition, observation, patient

PER_TYPE = 3
"""Resources of each type that are compared."""


def results(resource: Json) -> Iterable[tuple[str, list[Any], list[Any]]]:
    """Yield each expression of a resource's type, our result and theirs; without `resolve()`, which needs other resources."""
    type_, decoded = resource["resourceType"], decode(orjson.dumps(resource))
    for parameter in search_parameters():
        expression = parameter.expression
        if type_ in parameter.base and expression and "resolve()" not in expression:
            ours = compile_path(expression, type_).evaluate(decoded)
            yield expression, ours, fhirpathpy.compile(expression, model=models["r4"])(resource)


def plain(found: list[Any]) -> Any:
    """Return decimals as floats: the other library does not keep their digits everywhere."""
    return json.loads(json.dumps(found, default=float))


def compare_results(resources: Iterable[Json]) -> int:
    """Compare all results, and return how many are not empty."""
    compared = [result for resource in resources for result in results(resource)]
    assert [(path, ours, theirs) for path, ours, theirs in compared if plain(ours) != plain(theirs)] == []
    return sum(bool(ours) for _, ours, _ in compared)


def test_small_resources_give_equal_results() -> None:
    assert compare_results([patient(), observation(), allergy(), composition()]) > 20


def test_synthea_resources_give_equal_results(shared_data) -> None:
    found: dict[str, list[Json]] = {}
    for path in sorted((shared_data / "synthea").glob("*.json.gz"))[:6]:
        for entry in orjson.loads(gzip.decompress(path.read_bytes()))["entry"]:
            of_type = found.setdefault(entry["resource"]["resourceType"], [])
            if len(of_type) < PER_TYPE:
                of_type.append(entry["resource"])
    assert len(found) >= 12
    assert compare_results(resource for of_type in found.values() for resource in of_type) > 300
