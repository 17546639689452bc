"""Compilation of the profiles of a package, with a small implementation guide made here."""

import json

import pytest
from tools import build_fhir_definitions as r4
from tools.build_fhir_profiles import build, find_packages

from esante.core.fhir.profiles import (
    definitions,
    describe_unchecked_rules,
    part_names,
    profile_headers,
    profile_validator,
)
from tests.core.fhir.profiles.profile_errors import profile_errors

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


def test_parts_of_every_extension_of_r4_are_known():
    for extension in r4.Source(r4.DEFAULT_SOURCE).resources("extension-definitions"):
        ids = [element["id"].removeprefix("Extension.extension:") for element in extension["snapshot"]["element"]]
        parts = {each for each in ids if "." not in each and each != "Extension"}
        assert set(part_names(extension["url"]) or ()) == parts, extension["url"]


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
def test_package_in_the_manifest_is_compiled(own, resource, expected):
    assert [head.url for head in profile_headers()] == [own]
    assert profile_errors(resource, own) == expected


def test_rules_that_cannot_be_compiled_are_reported(own):
    text = describe_unchecked_rules(own) or ""
    assert text.startswith("4 rules")
    for part in ("slice odd", "minValueInteger", "$this.nothing()", "ValueSet/unknown"):
        assert part in text
