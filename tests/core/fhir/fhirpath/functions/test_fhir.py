"""Functions that FHIR adds to FHIRPath."""

from tests.core.fhir.samples import changed, patient
from tests.support.fhirpath_evaluation import evaluate


def test_member_of_uses_value_sets_of_definitions():
    genders = "http://hl7.org/fhir/ValueSet/administrative-gender"
    assert evaluate(f"Patient.gender.memberOf('{genders}')", changed(patient(), "gender", "female")) == [True]
    assert evaluate("'zzz'.memberOf(%`vs-administrative-gender`)", patient()) == [False]
