"""Links in narratives."""

import pytest

from tests.core.fhir.samples import composition, narrative, observation, patient
from tests.core.fhir.validation.passes import full_issues


def linked(link, **more):
    return patient() | {"text": narrative(f'<p id="top"><a name="old">x</a> <a href="{link}">y</a></p>')} | more


@pytest.mark.parametrize("link", ["javascript:alert(1)", " JavaScript:x", "java\tscript:x", "vbscript:x"])
def test_link_that_runs_a_script_is_rejected(link):
    assert full_issues(linked(link)) == ["Patient.text.`div`"]


@pytest.mark.parametrize(
    "link", ["#top", "#old", "#", "https://x.test", "mailto:a@x.test", "tel:112", "Patient/1", "a.html"]
)
def test_link_that_leads_somewhere_is_accepted(link):
    assert full_issues(linked(link)) == []
    assert full_issues(linked(link), "warning") == []


@pytest.mark.parametrize("link", ["#nowhere", "urn:uuid:00000000-0000-4000-8000-000000000001"])
def test_link_that_leads_nowhere_is_a_warning(link):
    assert full_issues(linked(link)) == []
    assert full_issues(linked(link), "warning") == ["Patient.text.`div`"]


def test_link_to_a_contained_resource_or_another_section_is_accepted():
    outer = observation() | {
        "contained": [{"resourceType": "Patient", "id": "i", "active": True}],
        "subject": {"reference": "#i"},
    }
    assert full_issues(outer | {"text": narrative('<a href="#i">x</a>')}, "warning") == []
    sections = [
        {"title": "a", "text": narrative('<a href="#b">x</a>')},
        {"title": "b", "text": narrative('<p id="b">y</p>')},
    ]
    assert full_issues(composition(*sections) | {"text": narrative("x")}, "warning") == []


def test_several_dead_links_are_one_warning():
    text = narrative('<a href="#a">x</a><a href="#b">y</a><a href="#a">z</a>')
    assert full_issues(patient() | {"text": text}, "warning") == ["Patient.text.`div`"]
