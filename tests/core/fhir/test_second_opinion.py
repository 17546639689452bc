"""What the paths of search parameters find, beside what another library finds: fhirpathpy, which interprets them."""

import gzip
import json
from collections.abc import Iterable
from typing import Any

import fhirpathpy
import orjson
from fhirpathpy.models import models

from esante.core.fhir import compile_path, decode
from esante.core.fhir.definitions import search_parameters
from tests.core.fhir.samples import allergy, composition, observation, patient

Json = dict[str, Any]
OF_A_TYPE = 3
"""Resources looked at of each type."""


def opinions(resource: Json) -> Iterable[tuple[str, list[Any], list[Any]]]:
    """Each expression that looks at a resource, what we find and what they find. `resolve()` is left out: it needs
    the resources around."""
    type_, decoded = resource["resourceType"], decode(orjson.dumps(resource))
    for parameter in search_parameters():
        expression = parameter.expression
        if type_ in parameter.base and expression and "resolve()" not in expression:
            ours = compile_path(expression, type_).evaluate(decoded)
            yield expression, ours, fhirpathpy.compile(expression, model=models["r4"])(resource)


def plain(found: list[Any]) -> Any:
    """Decimals as floats: the other library does not keep their digits everywhere."""
    return json.loads(json.dumps(found, default=float))


def held_together(resources: Iterable[Json]) -> int:
    """How many of the opinions found something; all are compared."""
    told = [opinion for resource in resources for opinion in opinions(resource)]
    assert [(path, ours, theirs) for path, ours, theirs in told if plain(ours) != plain(theirs)] == []
    return sum(bool(ours) for _, ours, _ in told)


def test_both_find_the_same_in_small_resources() -> None:
    assert held_together([patient(), observation(), allergy(), composition()]) > 20


def test_both_find_the_same_in_records_of_synthea(shared_data) -> None:
    found: dict[str, list[Json]] = {}
    for path in sorted((shared_data / "synthea").glob("*.json.gz"))[:6]:
        for entry in orjson.loads(gzip.decompress(path.read_bytes()))["entry"]:
            alike = found.setdefault(entry["resource"]["resourceType"], [])
            if len(alike) < OF_A_TYPE:
                alike.append(entry["resource"])
    assert len(found) >= 12
    assert held_together(resource for alike in found.values() for resource in alike) > 300
