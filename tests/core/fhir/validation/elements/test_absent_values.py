"""Primitives without a value."""

import pytest

from esante.core.fhir import check
from tests.core.fhir.samples import changed, dumped, observation, patient
from tests.core.fhir.validation.passes import full_issues

ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
LATER = {"extension": [{"url": "http://x.test/code-of-a-later-version", "valueCode": "x"}]}


def without(resource, *names):
    return {name: value for name, value in resource.items() if name not in names}


def test_element_with_an_id_alone_is_empty():
    assert full_issues(without(patient(), "birthDate") | {"_birthDate": {"id": "a"}}) == ["Patient.birthDate"]
    assert full_issues(patient() | {"_birthDate": {"id": "a"}}) == []
    names = [{"given": ["Lena", None], "_given": [{"id": "a"}, {"id": "b"}]}]
    assert full_issues(patient() | {"name": names}) == ["Patient.name[0].given[1]"]


@pytest.mark.parametrize("name", ["gender", "status"])
def test_required_code_with_only_a_reason_for_its_absence_is_rejected_with_the_constraints(name):
    resource = patient() if name == "gender" else observation()
    absent = without(resource, name) | {f"_{name}": ABSENT}
    assert full_issues(absent) == [f"{resource['resourceType']}.{name}"]
    assert check(dumped(absent)).ok


def test_required_code_in_a_list_with_only_a_reason_for_its_absence_is_rejected():
    allergy = {"resourceType": "AllergyIntolerance", "patient": {"display": "x"}, "category": ["food", None]}
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    status = {"clinicalStatus": {"coding": [{"system": system, "code": "active"}]}}
    assert full_issues(allergy | status | {"_category": [None, ABSENT]}) == ["AllergyIntolerance.category[1]"]


def test_other_element_with_a_reason_for_its_absence_is_accepted():
    assert full_issues(without(patient(), "birthDate") | {"_birthDate": ABSENT}) == []
    assert (
        full_issues(changed(observation(), "code", {"coding": [{"system": "http://x.test", "_code": ABSENT}]})) == []
    )


def test_code_of_a_later_version_in_an_extension_is_accepted():
    assert full_issues(without(patient(), "gender") | {"_gender": LATER}) == []
