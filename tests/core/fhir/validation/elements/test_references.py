"""Types of the targets of references and canonical addresses."""

import pytest

from esante.core.fhir import check
from tests.core.fhir.samples import changed, document, dumped, entry_section, observation, uuid_url
from tests.core.fhir.validation.passes import full_issues


def about(subject, **more):
    return observation() | {"subject": subject} | more


WRONG = {
    "named by the address": (about({"reference": "Medication/1"}), "Observation.subject.reference"),
    "named by an absolute address": (about({"reference": "https://x.test/fhir/Medication/1"}), "Observation.subject.reference"),
    "named by its type": (about({"type": "Medication", "display": "x"}), "Observation.subject.type"),
    "contained": (about({"reference": "#m"}, contained=[{"resourceType": "Medication", "id": "m"}]), "Observation.subject.reference"),
    "an entry": (document(about({"reference": uuid_url(1)}), sections=(entry_section(3),)), "Bundle.entry[2].resource.subject.reference"),
    "other than its type": (about({"reference": "Patient/1", "type": "Group"}), "Observation.subject.type"),
    "of a canonical address of HL7": (
        {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "http://hl7.org/fhir/ValueSet/x|1"},
        "QuestionnaireResponse.questionnaire",
    ),
    "of a canonical address, contained": (
        {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "#p", "source": {"reference": "#p"},
         "contained": [{"resourceType": "Patient", "id": "p"}]},
        "QuestionnaireResponse.questionnaire",
    ),
    "not contained": (
        {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "#q"},
        "QuestionnaireResponse.questionnaire",
    ),
}  # fmt: skip


@pytest.mark.parametrize("target", WRONG)
def test_target_of_a_type_that_r4_does_not_allow_is_rejected_only_with_the_constraints(target):
    resource, place = WRONG[target]
    assert full_issues(resource) == [place]
    assert check(dumped(resource)).ok


RIGHT = {
    "of an allowed type": about({"reference": "Group/1", "type": "Group"}),
    "of a type that is not known": about({"reference": "https://x.test/1"}),
    "of a type of others": about({"type": "http://x.test/Animal", "display": "x"}),
    "of any type": about({"reference": "Patient/1"}, focus=[{"reference": "Medication/1"}]),
    "itself": about({"reference": "Patient/1"}, derivedFrom=[{"reference": "#"}]),
    "of a canonical address of others": {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "http://x.test/ValueSet/x"},
    "of a canonical address of HL7": {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "http://hl7.org/fhir/uv/sdc/Questionnaire/x"},
}  # fmt: skip


@pytest.mark.parametrize("resource", RIGHT.values(), ids=RIGHT.keys())
def test_other_target_is_accepted(resource):
    assert full_issues(resource) == []


@pytest.mark.parametrize("reference", ["abc", "Chicken/1", "Patient", "Patient/a_b", "patient/1"])
def test_relative_reference_to_no_resource_is_rejected_in_a_bundle(reference):
    assert full_issues(about({"reference": reference})) == []
    assert full_issues(about({"reference": reference}), "warning") == ["Observation.subject.reference"]
    bundle = document(changed(observation(), "subject", "reference", reference), sections=(entry_section(3),))
    assert full_issues(bundle) == ["Bundle.entry[2].resource.subject.reference"]
