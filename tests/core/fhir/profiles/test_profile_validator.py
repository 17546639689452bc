"""Validation against the profiles of the International Patient Summary."""

import copy
import json
from functools import reduce

import pytest

from esante.core.fhir import check
from esante.core.fhir.profiles import (
    UnknownProfile,
    definitions,
    describe_unchecked_rules,
    profile_validator,
)
from tests.core.fhir.profiles.ips_examples import EXAMPLES, REJECTED, check_examples, examples
from tests.core.fhir.profiles.profile_errors import profile_errors
from tests.core.fhir.samples import dumped, observation, patient

IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition/"


needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the package of the guide is not installed")


@needs_examples
def test_examples_of_the_guide_fit_their_profiles():
    results = check_examples()
    assert results.claims > 40 and results.rejected.keys() == REJECTED.keys()


@needs_examples
def test_conformance_document_has_the_results_of_profiles():
    from tools.conformance import DOCUMENT, describe_profiles

    assert describe_profiles() in DOCUMENT.read_text()


def removed(*path):
    def change(resource):
        del at(resource, path[:-1])[path[-1]]

    return change


def put(value, *path):
    def change(resource):
        at(resource, path[:-1])[path[-1]] = value

    return change


def at(resource, path):
    return reduce(lambda value, step: value[step], path, resource)


LABORATORY = "Observation-results-laboratory-pathology-uv-ips"


CONCEPT = {"coding": [{"system": "http://x.test", "code": "x"}]}


#: Example, profile, change, code of the issue, its place.
FAULTS = {
    "min": ("Patient-66033", "Patient-uv-ips", removed("birthDate"), "required", "Patient.birthDate"),
    "min of a list": ("Patient-66033", "Patient-uv-ips", removed("name"), "required", "Patient.name"),
    "min below": ("Condition-eumfh-39-07-1", "Condition-uv-ips", put({"display": "x"}, "subject"), "required",
                  "Condition.subject.reference"),
    "min of a choice": ("Procedure-eumfh-39-07-1", "Procedure-uv-ips", removed("_performedDateTime"), "required",
                        "Procedure.performed"),
    "max 0": ("Observation-alcohol-use-example", "Observation-alcoholuse-uv-ips",
              put([{"code": CONCEPT, "valueString": "x"}], "component"), "structure", "Observation.component[0]"),
    "fixed": ("Flag-546482", "Flag-alert-uv-ips", put("inactive", "status"), "value", "Flag.status"),
    "pattern": ("Observation-alcohol-use-example", "Observation-alcoholuse-uv-ips", put(CONCEPT, "code"), "value",
                "Observation.code"),
    "pattern of a boolean": ("MedicationRequest-eumfh-39-07-1-request", "MedicationRequest-uv-ips",
                             put(True, "doNotPerform"), "value", "MedicationRequest.doNotPerform"),
    "types": ("Observation-alcohol-use-example", "Observation-alcoholuse-uv-ips",
              lambda r: r.update(effectiveInstant=r.pop("effectiveDateTime") + "T00:00:00Z"), "structure",
              "Observation.effective.ofType(instant)"),
    "codes": ("Observation-pregnancy-edd-example", "Observation-pregnancy-edd-uv-ips", put(CONCEPT, "code"),
              "code-invalid", "Observation.code"),
    "codes without some": ("Observation-hemoglobin", LABORATORY, put("entered-in-error", "status"), "code-invalid",
                           "Observation.status"),
    "targets": ("Condition-eumfh-39-07-1", "Condition-uv-ips", put({"reference": "Group/1"}, "subject"), "structure",
                "Condition.subject"),
    "constraint": ("Patient-66033", "Patient-uv-ips", put([{"use": "usual"}], "name"), "invariant", "Patient.name[0]"),
    "constraint on a choice": ("Observation-ips-example-imaging-1", "Observation-results-radiology-uv-ips",
                               put("2020", "effectiveDateTime"), "invariant",
                               "Observation.effective.ofType(dateTime)"),
    "min of a slice by $this": ("Observation-hemoglobin", LABORATORY, put([CONCEPT], "category"), "required",
                                "Observation.category"),
    "max of a slice": ("Observation-hemoglobin", LABORATORY, lambda r: r["category"].append(r["category"][0]),
                       "structure", "Observation.category[1]"),
    "min of a slice by code": ("Composition-composition-minimal", "Composition-uv-ips",
                               put(CONCEPT, "section", 0, "code"), "required", "Composition.section"),
    "constraint in a slice": ("Composition-composition-minimal", "Composition-uv-ips",
                              removed("section", 0, "entry"), "invariant", "Composition.section[0]"),
    "targets in a slice": ("Composition-composition-minimal", "Composition-uv-ips",
                           put([{"reference": "Patient/1"}], "section", 0, "entry"), "structure",
                           "Composition.section[0].entry[0]"),
    "slice by type and profile": ("Bundle-bundle-minimal", "Bundle-uv-ips", removed("entry", 1, "resource", "birthDate"),
                                  "required", "Bundle.entry[1].resource.birthDate"),
    "inside an entry": ("Bundle-bundle-minimal", "Bundle-uv-ips", removed("entry", 0, "resource", "subject"),
                        "required", "Bundle.entry[0].resource.subject"),
    "constraint on all": ("Bundle-bundle-minimal", "Bundle-uv-ips", lambda r: r["entry"].append(
        {"fullUrl": "urn:uuid:7d1e0a4e-6d51-4b2b-8f6c-2f4cf9a7a001", "resource": r["entry"][0]["resource"]}),
        "invariant", "Bundle"),
}  # fmt: skip


@needs_examples
@pytest.mark.parametrize("fault", FAULTS)
def test_single_fault_against_a_profile_is_reported_at_its_element(fault):
    name, profile, change, code, place = FAULTS[fault]
    resource = examples()[name]
    assert profile_errors(resource, IPS + profile) == []
    changed = copy.deepcopy(resource)
    change(changed)
    assert (code, place) in profile_errors(changed, IPS + profile)


@needs_examples
def test_issue_has_found_value_allowed_value_and_position():
    resource = {**examples()["Flag-546482"], "status": "inactive"}
    data = json.dumps(resource, indent=1).encode()
    [issue] = [i for i in check(data, profile=[f"{IPS}Flag-alert-uv-ips|2.0.0"]).issues if i.severity == "error"]
    assert (issue.severity, issue.code, issue.expression) == ("error", "value", "Flag.status")
    assert issue.diagnostics == 'Flag.status is "inactive". Allowed by the profile: exactly "active".'
    assert data.decode().split("\n")[(issue.line or 0) - 1][(issue.column or 0) - 1 :].startswith('"status"')


def test_unchecked_rules_are_reported():
    issues = check(dumped(patient()), profile=[f"{IPS}Patient-uv-ips"]).issues
    [incomplete] = [issue for issue in issues if issue.code == "incomplete"]
    assert incomplete.severity == "information"
    assert incomplete.diagnostics.startswith("2 rules of the profile")
    assert "individual-genderIdentity" in incomplete.diagnostics
    assert describe_unchecked_rules(f"{IPS}Organization-uv-ips") is None


@pytest.mark.parametrize("profile", ["http://x.test/p", "Patient", "", f"{IPS}Patient-uv-ips|1.0.0", "x|y|z"])
def test_unknown_profile_raises(profile):
    with pytest.raises(UnknownProfile):
        check(dumped(patient()), profile=[profile])


def test_profile_of_another_type_is_an_error():
    assert ("invalid", "Observation.resourceType") in profile_errors(observation(), f"{IPS}Patient-uv-ips")
    assert profile_errors(patient(), "http://hl7.org/fhir/StructureDefinition/Patient") == []


def test_validation_out_of_time_ends_with_a_warning(monkeypatch):
    monkeypatch.setattr(profile_validator, "_CLOCK_INTERVAL", 1)
    [found] = profile_validator.check_profile(patient(), f"{IPS}Patient-uv-ips", seconds=0)
    assert (found.severity, found.code) == ("warning", "too-costly")


def test_long_chain_of_references_ends_with_a_warning():
    name = f"{IPS}Observation-results-laboratory-pathology-uv-ips"
    chain = [
        {"resourceType": "Observation", "id": str(n), "hasMember": [{"reference": f"#{n + 1}"}]} for n in range(50)
    ]
    found = list(profile_validator.check_profile({**chain[0], "id": "x", "contained": chain[1:]}, name))
    assert [each.code for each in found if each.severity == "warning"] == ["too-costly"]
    assert "does not fit" in " ".join(each.diagnostics for each in found)


def test_expensive_resource_ends_with_a_warning():
    code = {"coding": [{"system": "http://loinc.org", "code": "x"}] * 20}
    sections = {"resourceType": "Composition", "section": [{"code": code, "title": "x"}] * 20_000}
    inner = [{"resourceType": "Patient", "id": str(n)} for n in range(20_000)]
    members = [{"reference": f"#{each['id']}"} for each in inner]
    contained = {"resourceType": "Observation", "contained": inner, "performer": members}
    for resource, profile in ((sections, "Composition-uv-ips"), (contained, LABORATORY)):
        codes = {each.code for each in profile_validator.check_profile(resource, IPS + profile, seconds=0.2)}
        assert "too-costly" in codes


def test_check_without_profile_does_not_read_the_file(monkeypatch, tmp_path):
    monkeypatch.setattr(definitions, "FILE", tmp_path / "absent.bin")
    definitions.load_profiles.cache_clear()
    try:
        assert check(dumped(patient())).ok
        assert definitions.load_profiles.cache_info().currsize == 0
    finally:
        definitions.load_profiles.cache_clear()
