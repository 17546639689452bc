"""Paths of the elements of profiles."""

import pytest

from tests.core.fhir.validation.passes import full_issues


def profile(type_, *paths):
    return {
        "resourceType": "StructureDefinition", "url": "http://x.test/p", "name": "P", "status": "draft",
        "kind": "resource", "abstract": False, "type": type_, "derivation": "constraint",
        "baseDefinition": f"http://hl7.org/fhir/StructureDefinition/{type_}",
        "differential": {"element": [{"id": type_, "path": type_}, *({"id": each, "path": each} for each in paths)]},
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["Observation.value[x]", "Observation.valueQuantity", "Observation.value[x].unit", "Observation.valueQuantity.unit",
     "Observation.component.referenceRange.low", "Observation.extension", "Observation.extension.url", "Observation.status.extension",
     "Observation.contained", "Observation.contained.active", "Observation.id", "Observation.code.coding.system"],
)  # fmt: skip
def test_path_of_an_element_is_accepted(path):
    assert full_issues(profile("Observation", path)) == []


@pytest.mark.parametrize(
    "path",
    ["Observation.valueBla", "Observation.valueAddress", "Observation.code[x]", "Observation.value", "Observation.code.text.x",
     "Observation.component.low", "Observation.Status"],
)  # fmt: skip
def test_path_of_no_element_is_rejected(path):
    assert full_issues(profile("Observation", path)) == ["StructureDefinition.differential.element[1].path"]


def test_paths_of_a_logical_model_are_its_own():
    model = profile("http://x.test/Model") | {"kind": "logical", "derivation": "specialization"}
    element = [{"id": "Model", "path": "Model"}, {"id": "Model.any", "path": "Model.any", "min": 0, "max": "1", "definition": "x", "type": [{"code": "string"}]}]  # fmt: skip
    assert (
        full_issues(
            model
            | {
                "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Element",
                "differential": {"element": element},
            }
        )
        == []
    )
