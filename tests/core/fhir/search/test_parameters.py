"""Search parameters and their keys in the index."""

from esante.core.fhir.definitions import load_definitions, search_parameters
from esante.core.fhir.search import parameters_of
from esante.core.fhir.search.parameters import UNSUPPORTED, type_parameters


def test_every_parameter_has_keys_or_is_unsupported():
    indexed = {(t, each.code) for t in load_definitions().resource_types for each in parameters_of(t).values()}
    said = {
        (b, each.code) for each in search_parameters() for b in each.base if b not in ("Resource", "DomainResource")
    }
    assert {code for _, code in said - indexed} == {"near"} <= UNSUPPORTED
    for type_ in load_definitions().resource_types:
        for each in parameters_of(type_).values():
            assert each.keys or each.alternatives or each.code in ("_id", "_lastUpdated"), (type_, each.code)
        keys = [plan.name for plan in type_parameters(type_).plans] + [
            nested.name for nested in type_parameters(type_).nested
        ]
        assert len(set(keys)) == len(keys), type_


def test_parameters_with_equal_elements_share_keys():
    known = parameters_of("Observation")
    assert {key.name for key in known["combo-code"].keys} == {"code", "component.code"}
    assert [key.name for key in known["patient"].keys] == ["subject"]
    assert known["patient"].keys[0].target_type == "Patient"
