"""The index of real resources: no resource stops it, and its generated code finds what FHIRPath finds."""

import gzip
import json
from decimal import Decimal

import orjson
import pytest

from esante.core.fhir.definitions import load, search_parameters
from esante.core.fhir.search import index_json, index_resource, parameters_of
from esante.core.fhir.search.indexing.indexer import index_by_paths
from esante.core.fhir.search.parameters import UNSUPPORTED, type_parameters
from tests.core.fhir.search_population import examples


def resources(bundle):
    for entry in bundle.get("entry", []):
        if "resource" in entry:
            yield entry["resource"]


def held_to_paths(resource):
    found = index_resource(resource)
    assert orjson.loads(index_json(resource)).keys() == found.keys()
    nested = {each.name for each in type_parameters(resource["resourceType"]).nested}
    assert {k: v for k, v in found.items() if k not in nested} == index_by_paths(resource)


def test_every_parameter_of_every_type_has_keys_or_is_said_to_be_refused():
    indexed = {(t, each.code) for t in load().resource_types for each in parameters_of(t).values()}
    said = {
        (b, each.code) for each in search_parameters() for b in each.base if b not in ("Resource", "DomainResource")
    }
    assert {code for _, code in said - indexed} == {"near"} <= UNSUPPORTED
    for type_ in load().resource_types:
        for each in parameters_of(type_).values():
            assert each.keys or each.alternatives or each.code in ("_id", "_lastUpdated"), (type_, each.code)
        keys = [plan.name for plan in type_parameters(type_).plans] + [
            nested.name for nested in type_parameters(type_).nested
        ]
        assert len(set(keys)) == len(keys), type_


def test_parameters_that_look_at_the_same_elements_share_them():
    known = parameters_of("Observation")
    assert {key.name for key in known["combo-code"].keys} == {"code", "component.code"}
    assert [key.name for key in known["patient"].keys] == ["subject"]
    assert known["patient"].keys[0].target_type == "Patient"


def test_real_resources_are_indexed_as_their_paths_say(shared_data):
    for path in sorted((shared_data / "synthea").glob("0[1-3].json.gz")):
        for resource in resources(orjson.loads(gzip.decompress(path.read_bytes()))):
            held_to_paths(resource)
    for path in sorted((shared_data / "eu-documents").glob("*/*.json"))[::10]:
        for resource in resources(json.loads(path.read_bytes(), parse_float=Decimal)):
            held_to_paths(resource)


@pytest.mark.long
def test_all_official_examples_are_indexed_as_their_paths_say():
    folder = examples()
    if folder is None:
        pytest.skip("no official examples: neither ESANTE_R4_EXAMPLES nor node_modules has hl7.fhir.r4.examples")
    seen = 0
    for path in sorted(folder.glob("*.json")):
        resource = json.loads(path.read_bytes(), parse_float=Decimal)
        if resource.get("resourceType") in load().resource_types:
            held_to_paths(resource)
            seen += 1
    assert seen > 5_000


def test_what_is_there_has_a_key_though_nothing_can_be_searched_in_it():
    found = index_resource(
        {"resourceType": "Observation", "code": {"extension": [{"url": "x"}]}, "subject": {"display": "a"}}
    )
    assert found == {"code": {}, "subject": []}
