"""The index of real resources: no resource stops it, and its generated code finds what FHIRPath finds."""

import gzip
import json
from decimal import Decimal

import orjson
import pytest

from esante.core.fhir.definitions import load_definitions, search_parameters
from esante.core.fhir.search import index, index_text, parameters
from esante.core.fhir.search.indexing.indexer import indexed_by_paths
from esante.core.fhir.search.parameters import REFUSED, of_type
from tests.core.fhir.search_population import examples


def resources(bundle):
    for entry in bundle.get("entry", []):
        if "resource" in entry:
            yield entry["resource"]


def held_to_paths(resource):
    found = index(resource)
    assert orjson.loads(index_text(resource)).keys() == found.keys()
    nested = {each.name for each in of_type(resource["resourceType"]).nested}
    assert {k: v for k, v in found.items() if k not in nested} == indexed_by_paths(resource)


def test_every_parameter_of_every_type_has_keys_or_is_said_to_be_refused():
    indexed = {(t, each.code) for t in load_definitions().resource_types for each in parameters(t).values()}
    said = {
        (b, each.code) for each in search_parameters() for b in each.base if b not in ("Resource", "DomainResource")
    }
    assert {code for _, code in said - indexed} == {"near"} <= REFUSED
    for type_ in load_definitions().resource_types:
        for each in parameters(type_).values():
            assert each.keys or each.alternatives or each.code in ("_id", "_lastUpdated"), (type_, each.code)
        keys = [plan.name for plan in of_type(type_).plans] + [nested.name for nested in of_type(type_).nested]
        assert len(set(keys)) == len(keys), type_


def test_parameters_that_look_at_the_same_elements_share_them():
    known = parameters("Observation")
    assert {key.name for key in known["combo-code"].keys} == {"code", "component.code"}
    assert [key.name for key in known["patient"].keys] == ["subject"]
    assert known["patient"].keys[0].only == "Patient"


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
        if resource.get("resourceType") in load_definitions().resource_types:
            held_to_paths(resource)
            seen += 1
    assert seen > 5_000


def test_what_is_there_has_a_key_though_nothing_can_be_searched_in_it():
    found = index({"resourceType": "Observation", "code": {"extension": [{"url": "x"}]}, "subject": {"display": "a"}})
    assert found == {"code": {}, "subject": []}
