"""Codes of R4's own code systems, and forms of codes."""

import pytest

from tests.core.fhir.samples import changed, observation, patient
from tests.core.fhir.validation.passes import full_issues

GENDER = "http://hl7.org/fhir/administrative-gender"


def coded(**coding):
    return changed(observation(), "code", {"coding": [coding]})


def test_code_that_a_code_system_of_r4_does_not_have_is_rejected():
    assert full_issues(coded(system=GENDER, code="m")) == ["Observation.code.coding[0].code"]
    assert full_issues(coded(system=GENDER, code="male")) == []
    assert full_issues(coded(system=GENDER, version="4.0.1", code="m")) == ["Observation.code.coding[0].code"]
    assert full_issues(coded(system=GENDER, version="5.0.0", code="m")) == []


def test_code_unknown_to_a_code_system_with_versions_of_its_own_is_a_warning():
    resource = coded(system="http://terminology.hl7.org/CodeSystem/observation-category", code="vitals")
    assert full_issues(resource) == []
    assert full_issues(resource, "warning") == ["Observation.code.coding[0].code"]


@pytest.mark.parametrize("system", ["http://hl7.org/fhir/ValueSet/x", "http://loinc.org/vs/LL379-9"])
def test_value_set_as_the_system_of_a_code_is_rejected_where_hl7_has_it(system):
    expected = ["Observation.code.coding[0].system"] if "hl7" in system else []
    assert full_issues(coded(system=system, code="x")) == expected


FORMS = {
    "Patient.language": (patient() | {"language": "in English"}, patient() | {"language": "lb-LU"}),
    "Patient.photo[0].contentType": tuple(
        patient() | {"photo": [{"contentType": type_, "url": "http://x.test"}]} for type_ in ("a picture", "image/png; q=1")
    ),
    "Invoice.totalNet.currency": tuple(
        {"resourceType": "Invoice", "status": "draft", "totalNet": {"value": 1, "currency": code}} for code in ("Euro", "EUR")
    ),
}  # fmt: skip


@pytest.mark.parametrize("element", FORMS)
def test_code_is_of_the_form_of_its_value_set(element):
    wrong, right = FORMS[element]
    assert full_issues(wrong) == [element]
    assert full_issues(right) == []
