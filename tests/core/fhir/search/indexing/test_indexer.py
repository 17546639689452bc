"""The index of real resources: generated code agrees with FHIRPath."""

import gzip
import json
from decimal import Decimal

import orjson
import pytest

from esante.core.fhir.definitions import load_definitions
from esante.core.fhir.search import index_json, index_resource
from esante.core.fhir.search.indexing.indexer import index_by_paths
from esante.core.fhir.search.parameters import type_parameters


def resources(bundle):
    for entry in bundle.get("entry", []):
        if "resource" in entry:
            yield entry["resource"]


def check_index(resource):
    found = index_resource(resource)
    assert orjson.loads(index_json(resource)).keys() == found.keys()
    nested = {each.name for each in type_parameters(resource["resourceType"]).nested}
    assert {k: v for k, v in found.items() if k not in nested} == index_by_paths(resource)


def test_index_of_real_resources_agrees_with_paths(shared_data):
    for path in sorted((shared_data / "synthea").glob("0[1-3].json.gz")):
        for resource in resources(orjson.loads(gzip.decompress(path.read_bytes()))):
            check_index(resource)
    for path in sorted((shared_data / "eu-documents").glob("*/*.json"))[::10]:
        for resource in resources(json.loads(path.read_bytes(), parse_float=Decimal)):
            check_index(resource)


@pytest.mark.long
def test_index_of_official_examples_agrees_with_paths(r4_examples):
    checked = 0
    for path in sorted(r4_examples.glob("*.json")):
        resource = json.loads(path.read_bytes(), parse_float=Decimal)
        if resource.get("resourceType") in load_definitions().resource_types:
            check_index(resource)
            checked += 1
    assert checked > 5_000


def test_element_without_searchable_value_has_key():
    found = index_resource(
        {"resourceType": "Observation", "code": {"extension": [{"url": "x"}]}, "subject": {"display": "a"}}
    )
    assert found == {"code": {}, "subject": []}
