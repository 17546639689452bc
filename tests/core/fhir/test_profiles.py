"""Validation against profiles: the International Patient Summary, and a small guide made here."""

import copy
import json
from decimal import Decimal
from functools import reduce

import pytest
from tools import build_fhir_definitions as r4
from tools.build_fhir_profiles import build, find_packages

from esante.core.fhir import check, encode
from esante.core.fhir.profiles import (
    UnknownProfile,
    definitions,
    describe_unchecked_rules,
    profile_headers,
    profile_validator,
)
from esante.core.fhir.profiles.expected_values import matches_expected
from tests.core.fhir.profile_examples import EXAMPLES, REJECTED, examples, judge
from tests.core.fhir.samples import dumped, observation, patient

IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition/"
needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the package of the guide is not installed")


def told(resource, profile):
    """Severity aside, what the profile adds: code and place of every error."""
    found = check(encode(resource), profile=[profile]).issues
    return [(issue.code, issue.expression) for issue in found if issue.severity == "error"]


@needs_examples
def test_the_examples_of_the_guide_fit_the_profiles_that_they_claim():
    account = judge()
    assert account.claims > 40 and account.rejected.keys() == REJECTED.keys()


@needs_examples
def test_the_committed_account_of_profiles_is_that_of_this_code():
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


def added(value, *path):
    return lambda resource: at(resource, path).append(value)


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
def test_a_single_fault_is_told_at_its_element(fault):
    name, profile, change, code, place = FAULTS[fault]
    resource = examples()[name]
    assert told(resource, IPS + profile) == []
    changed = copy.deepcopy(resource)
    change(changed)
    assert (code, place) in told(changed, IPS + profile)


@needs_examples
def test_an_issue_says_what_was_found_what_is_allowed_and_where():
    resource = {**examples()["Flag-546482"], "status": "inactive"}
    data = json.dumps(resource, indent=1).encode()
    [issue] = [i for i in check(data, profile=[f"{IPS}Flag-alert-uv-ips|2.0.0"]).issues if i.severity == "error"]
    assert (issue.severity, issue.code, issue.expression) == ("error", "value", "Flag.status")
    assert issue.diagnostics == 'Flag.status is "inactive". Allowed by the profile: exactly "active".'
    assert data.decode().split("\n")[(issue.line or 0) - 1][(issue.column or 0) - 1 :].startswith('"status"')


def test_what_is_not_checked_is_told():
    issues = check(dumped(patient()), profile=[f"{IPS}Patient-uv-ips"]).issues
    [incomplete] = [issue for issue in issues if issue.code == "incomplete"]
    assert incomplete.severity == "information"
    assert incomplete.diagnostics.startswith("2 rules of the profile")
    assert "individual-genderIdentity" in incomplete.diagnostics
    assert describe_unchecked_rules(f"{IPS}Organization-uv-ips") is None


@pytest.mark.parametrize("profile", ["http://x.test/p", "Patient", "", f"{IPS}Patient-uv-ips|1.0.0", "x|y|z"])
def test_an_unknown_profile_is_an_error_and_never_passed_over(profile):
    with pytest.raises(UnknownProfile):
        check(dumped(patient()), profile=[profile])


def test_a_profile_of_another_type_is_an_error():
    assert ("invalid", "Observation.resourceType") in told(observation(), f"{IPS}Patient-uv-ips")
    assert told(patient(), "http://hl7.org/fhir/StructureDefinition/Patient") == []


def test_a_walk_that_takes_too_long_ends_with_a_warning(monkeypatch):
    monkeypatch.setattr(profile_validator, "_OFTEN", 1)
    [found] = profile_validator.check_profile(patient(), f"{IPS}Patient-uv-ips", seconds=0)
    assert (found.severity, found.code) == ("warning", "too-costly")


def test_references_are_followed_so_far_and_no_further():
    name = f"{IPS}Observation-results-laboratory-pathology-uv-ips"
    chain = [
        {"resourceType": "Observation", "id": str(n), "hasMember": [{"reference": f"#{n + 1}"}]} for n in range(50)
    ]
    found = list(profile_validator.check_profile({**chain[0], "id": "x", "contained": chain[1:]}, name))
    assert [each.code for each in found if each.severity == "warning"] == ["too-costly"]
    assert "does not fit" in " ".join(each.diagnostics for each in found)


def test_much_work_ends_in_time():
    code = {"coding": [{"system": "http://loinc.org", "code": "x"}] * 20}
    sections = {"resourceType": "Composition", "section": [{"code": code, "title": "x"}] * 20_000}
    inner = [{"resourceType": "Patient", "id": str(n)} for n in range(20_000)]
    members = [{"reference": f"#{each['id']}"} for each in inner]
    contained = {"resourceType": "Observation", "contained": inner, "performer": members}
    for resource, profile in ((sections, "Composition-uv-ips"), (contained, LABORATORY)):
        codes = {each.code for each in profile_validator.check_profile(resource, IPS + profile, seconds=0.2)}
        assert "too-costly" in codes


def test_without_a_profile_nothing_of_the_file_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(definitions, "FILE", tmp_path / "absent.bin")
    definitions.load_profiles.cache_clear()
    try:
        assert check(dumped(patient())).ok
        assert definitions.load_profiles.cache_info().currsize == 0
    finally:
        definitions.load_profiles.cache_clear()


# A small guide with what the patient summary does not use.

OWN = "http://guide.test/StructureDefinition/"


def element(id_, base=None, **more):
    path = ".".join(part.partition(":")[0] for part in id_.split("."))
    return {
        "id": id_,
        "path": path,
        "min": 0,
        "max": "*",
        "base": {"path": base or path, "min": 0, "max": "*"},
        **more,
    }


def value_is(**value):
    return {"type": [{"code": "code"}], **value}


CLOSED = {"slicing": {"rules": "closed", "discriminator": [{"type": "value", "path": "system"}]}}
GUIDE = [
    element("Patient"),
    element("Patient.identifier", type=[{"code": "Identifier"}], **CLOSED),
    element("Patient.identifier:national", type=[{"code": "Identifier"}], max="1", min=1),
    element("Patient.identifier:national.system", "Identifier.system", type=[{"code": "uri"}], fixedUri="urn:x"),
    element("Patient.identifier:national.value", "Identifier.value", type=[{"code": "string"}], maxLength=4, min=1,
            max="1"),
    element("Patient.telecom", slicing={"rules": "open", "discriminator": [{"type": "exists", "path": "period"}]}),
    element("Patient.telecom:past", max="1"),
    element("Patient.telecom:past.period", "ContactPoint.period", min=1, max="1"),
    element("Patient.contact", slicing={"rules": "open", "discriminator": [{"type": "value", "path": "extension('x').value"}]}),
    element("Patient.contact:odd", max="1"),
    element("Patient.multipleBirth[x]", type=[{"code": "boolean"}, {"code": "integer"}], minValueInteger=1, constraint=[
        {"key": "no", "severity": "error", "human": "x", "expression": "$this.nothing()", "source": f"{OWN}p"}]),
    element("Patient.maritalStatus", type=[{"code": "CodeableConcept"}], max="1",
            binding={"strength": "required", "valueSet": "http://guide.test/ValueSet/unknown"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "wanted", "whole", "expected"),
    [(Decimal("1.50"), "1.5", True, True), (Decimal("5.0"), 5, True, True), (5, "abc", True, False), (True, 1, True, False),
     (False, False, True, True), (1, True, False, False), ("a", "a", True, True), ({"a": 1, "b": 2}, {"a": 1}, True, False),
     ({"a": 1, "b": 2}, {"a": 1}, False, True), ([1, 2], [2], False, True), ([1, 2], [2], True, False), ([], [2], False, False),
     ("a", ["a"], False, False), ("a", {"a": 1}, False, False), ({"b": 1}, {"a": 1}, False, False)],
)  # fmt: skip
def test_values_are_compared_whole_or_as_far_as_a_pattern_goes(value, wanted, whole, expected):
    assert matches_expected(value, wanted, exact=whole) is expected


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """The packed profiles of a package that is listed by one line."""
    root = tmp_path_factory.mktemp("guide")
    folder = root / "node_modules" / "own.guide"
    folder.mkdir(parents=True)
    (root / "package.json").write_text(json.dumps({"dependencies": {"own.guide": "1.0.0"}, "devDependencies": {}}))
    about = {"name": "own.guide", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    (folder / "package.json").write_text(json.dumps(about))
    profile = {"resourceType": "StructureDefinition", "url": f"{OWN}p", "version": "1.0.0", "name": "P", "type": "Patient",
               "kind": "resource", "derivation": "constraint", "snapshot": {"element": GUIDE}}  # fmt: skip
    (folder / "StructureDefinition-p.json").write_text(json.dumps(profile))
    found = list(find_packages(root / "package.json", root / "node_modules"))
    assert found == [folder]
    return definitions.pack_profiles(build(found, r4.Source(r4.DEFAULT_SOURCE)))


@pytest.fixture
def own(guide, monkeypatch, tmp_path):
    monkeypatch.setattr(definitions, "FILE", tmp_path / "profiles.bin")
    definitions.FILE.write_bytes(guide)
    caches = (definitions.load_profiles, definitions.load_rule, profile_validator._involved_profiles)
    for each in caches:
        each.cache_clear()
    yield f"{OWN}p"
    for each in caches:
        each.cache_clear()


NATIONAL = {"system": "urn:x", "value": "1234"}


def person(**more):
    return {"resourceType": "Patient", "identifier": [NATIONAL], **more}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [(person(), []),
     (person(identifier=[NATIONAL, {"system": "urn:y"}]), [("structure", "Patient.identifier[1]")]),
     (person(identifier=[{**NATIONAL, "value": "12345"}]), [("value", "Patient.identifier[0].value")]),
     (person(identifier=[{"system": "urn:x"}]), [("required", "Patient.identifier[0].value")]),
     ({"resourceType": "Patient"}, [("required", "Patient.identifier")]),
     (person(telecom=[{"value": "a"}, {"value": "b"}]), []),
     (person(telecom=[{"period": {"start": "2020"}}] * 2), [("structure", "Patient.telecom[1]")])],
)  # fmt: skip
def test_another_package_is_compiled_by_one_line(own, resource, expected):
    assert [head.url for head in profile_headers()] == [own]
    assert told(resource, own) == expected


def test_what_the_compiler_does_not_know_is_told(own):
    text = describe_unchecked_rules(own) or ""
    assert text.startswith("4 rules")
    for part in ("slice odd", "minValueInteger", "$this.nothing()", "ValueSet/unknown"):
        assert part in text
