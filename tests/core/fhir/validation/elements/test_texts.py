"""Markup in texts and ids of elements: checks that only $validate makes."""

import pytest

from esante.core.fhir import check
from tests.core.fhir.samples import dumped, narrative, observation, patient
from tests.core.fhir.validation.passes import full_issues


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a <b>c</b>", "x <img src=y onerror=z>", "<!-- x -->"])
def test_markup_in_a_text_is_a_warning(text):
    resource = patient() | {"name": [{"text": text}]}
    assert full_issues(resource, "warning") == ["Patient.name[0].text"]
    assert full_issues(resource) == []
    assert check(dumped(resource)).issues == ()


def test_several_texts_with_markup_are_one_warning():
    resource = patient() | {"name": [{"given": ["x", "<b>y</b>"]}, {"text": "<i>z</i>"}]}
    (issue,) = [each for each in check(dumped(resource), invariants=True).issues if each.code == "value"]
    assert issue.expression == "Patient.name[0].given[1]"
    assert issue.diagnostics.endswith("Also at 1 other place.")


@pytest.mark.parametrize("text", ["< 5 mg", "a<5 and c>d", "x <y@z.test>", "1<2"])
def test_text_with_less_than_and_narrative_are_no_markup(text):
    assert full_issues(patient() | {"name": [{"text": text}], "text": narrative("<p>x</p>")}, "warning") == []


def test_id_of_an_element_has_no_white_space():
    assert full_issues(patient() | {"name": [{"id": "a b", "text": "x"}]}) == ["Patient.name[0].id"]


def test_id_of_an_element_is_unique_in_its_resource():
    twice = [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]
    assert full_issues(patient() | {"name": twice}) == ["Patient.name[1].id"]
    inner = {"resourceType": "Patient", "id": "i", "name": twice[:1]}
    outer = observation() | {"contained": [inner], "subject": {"reference": "#i"}, "note": twice[1:]}
    assert full_issues(outer) == []


def test_element_of_both_views_of_a_profile_has_the_same_id():
    element = {"id": "Patient", "path": "Patient", "min": 0, "max": "*", "base": {"path": "Patient", "min": 0, "max": "*"}, "definition": "x"}  # fmt: skip
    profile = {
        "resourceType": "StructureDefinition", "url": "http://x.test/p", "name": "P", "status": "draft",
        "kind": "resource", "abstract": False, "type": "Patient", "derivation": "constraint",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "snapshot": {"element": [element]}, "differential": {"element": [element]},
    }  # fmt: skip
    assert full_issues(profile) == []
