"""Vital signs fit R4's profiles for them."""

import pytest

from esante.core.fhir import check
from esante.core.fhir.profiles import profile_headers
from esante.core.fhir.validation.elements.definitions import VITAL_SIGNS
from tests.core.fhir.samples import changed, document, dumped, entry_section
from tests.core.fhir.validation.passes import full_issues

CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
UCUM = "http://unitsofmeasure.org"


def loinc(code):
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def amount(value, unit):
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


WEIGHT = {
    "resourceType": "Observation", "status": "final", "category": [{"coding": [CATEGORY]}], "code": loinc("29463-7"),
    "subject": {"reference": "Patient/1"}, "effectiveDateTime": "2026-03-02", "valueQuantity": amount(70, "kg"),
}  # fmt: skip
PRESSURE = {
    **{name: value for name, value in WEIGHT.items() if name != "valueQuantity"}, "code": loinc("85354-9"),
    "component": [{"code": loinc(code), "valueQuantity": amount(value, "mm[Hg]")} for code, value in (("8480-6", 120), ("8462-4", 80))],
}  # fmt: skip


def without(resource, name):
    return {key: value for key, value in resource.items() if key != name}


def test_every_profile_of_a_vital_sign_is_known():
    known = {header.url.rpartition("/")[2] for header in profile_headers() if header.type == "Observation"}
    assert set(VITAL_SIGNS.values()) <= known


@pytest.mark.parametrize(
    "resource", [WEIGHT, PRESSURE, without(WEIGHT, "effectiveDateTime") | {"effectivePeriod": {"start": "2026"}}]
)
def test_vital_sign_that_fits_its_profile_is_accepted(resource):
    assert full_issues(resource) == []


WRONG = {
    "Observation.category": without(WEIGHT, "category"),
    "Observation.subject": without(WEIGHT, "subject"),
    "Observation.effective": without(WEIGHT, "effectiveDateTime"),
    "Observation.effective.ofType(dateTime)": WEIGHT | {"effectiveDateTime": "2026-03"},
    "Observation.value.ofType(Quantity).code": changed(WEIGHT, "valueQuantity", amount(70, "m")),
    "Observation": without(WEIGHT, "valueQuantity"),
    "Observation.component[0]": changed(PRESSURE, "component", 0, {"code": loinc("8480-6")}),
    "Observation.hasMember": WEIGHT | {"code": loinc("85353-1")},
    "Observation.component": changed(PRESSURE, "component", 1, "code", loinc("8478-0")),
}  # fmt: skip


@pytest.mark.parametrize("place", WRONG)
def test_vital_sign_against_its_profile_is_rejected_only_with_the_constraints(place):
    assert place in full_issues(WRONG[place])
    assert check(dumped(WRONG[place])).ok


def test_observation_of_something_else_has_no_profile():
    assert full_issues(without(WEIGHT, "category") | {"code": loinc("2823-3")}) == []
    laboratory = {"coding": [CATEGORY | {"code": "laboratory"}]}
    assert full_issues(without(WEIGHT, "subject") | {"category": [laboratory]}) == []
    assert full_issues(without(WEIGHT, "subject") | {"category": [laboratory, {"coding": [CATEGORY]}]}) == [
        "Observation.subject"
    ]


def test_vital_sign_in_a_bundle_is_reported_at_its_place():
    bundle = document(
        without(WEIGHT, "category")
        | {"id": "w", "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000002"}},
        sections=(entry_section(3),),
    )
    assert set(full_issues(bundle)) == {"Bundle.entry[2].resource.category"}


def test_component_in_a_unit_of_its_own_is_accepted():
    saturation = WEIGHT | {"code": loinc("2708-6"), "valueQuantity": amount(97, "%")}
    assert (
        full_issues(saturation | {"component": [{"code": loinc("3151-8"), "valueQuantity": amount(6, "L/min")}]}) == []
    )
