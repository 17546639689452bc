"""Narratives say what the entries say: escaped, deterministic, and nothing of what was taken out."""

import copy
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core import fhir
from esante.core.fhir.narrative import XHTML_DIV, render_composition, render_section
from esante.core.fhir.view import ReferenceLibrary
from esante.core.types import Json

PENICILLIN = {"resourceType": "AllergyIntolerance", "id": "a", "code": {"text": "Penicillin"}, "criticality": "high"}
LATEX = {"resourceType": "AllergyIntolerance", "id": "b", "code": {"text": "Latex"}}


def _document(**section: object) -> Json:
    composition = {
        "resourceType": "Composition",
        "language": "de",
        "title": "Summary",
        "text": {"status": "generated", "div": f"{XHTML_DIV}Penicillin, Latex</div>"},
        "section": [
            {"title": "Allergies", "text": {"status": "generated", "div": f"{XHTML_DIV}Latex</div>"}, **section}
        ],
    }
    resources = [composition, PENICILLIN, LATEX]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "entry": [{"fullUrl": f"urn:uuid:{place}", "resource": each} for place, each in enumerate(resources)],
    }


def _section(bundle: Json) -> Json:
    section: Json = bundle["entry"][0]["resource"]["section"][0]
    return section


def test_rendered_section_has_its_entries_only_and_words_of_its_language() -> None:
    div = _section(render_composition(_document(entry=[{"reference": "urn:uuid:1"}])))["text"]["div"]
    assert "Penicillin" in div
    assert "Latex" not in div
    assert "hoch" in div


def test_text_of_composition_does_not_repeat_removed_entries() -> None:
    made = render_composition(_document(entry=[{"reference": "urn:uuid:1"}]))
    assert "Latex" not in made["entry"][0]["resource"]["text"]["div"]


def test_narrative_without_entries_is_kept_and_reason_for_emptiness_replaces_it() -> None:
    assert "Latex" in _section(render_composition(_document()))["text"]["div"]
    reason = {"coding": [{"code": "nilknown", "display": "Nil known"}]}
    div = _section(render_composition(_document(emptyReason=reason)))["text"]["div"]
    assert "Nil known" in div
    assert "Latex" not in div


def test_report_that_lists_results_is_told_anew() -> None:
    result = {"resourceType": "Observation", "id": "o", "code": {"text": "Sodium"}, "valueString": "140"}
    report = {
        "resourceType": "DiagnosticReport",
        "code": {"text": "Electrolytes"},
        "text": {"status": "generated", "div": f"{XHTML_DIV}Sodium 140, Potassium 4</div>"},
        "result": [{"reference": "urn:uuid:o"}],
    }
    bundle = _document(entry=[{"reference": "urn:uuid:r"}])
    bundle["entry"] += [
        {"fullUrl": "urn:uuid:r", "resource": report},
        {"fullUrl": "urn:uuid:o", "resource": result},
    ]
    div = render_composition(bundle)["entry"][3]["resource"]["text"]["div"]
    assert "Sodium" in div
    assert "Potassium" not in div


def test_bundle_handed_in_is_not_changed_and_twice_gives_the_same() -> None:
    bundle = _document(entry=[{"reference": "urn:uuid:1"}, {"reference": "urn:uuid:2"}])
    before = copy.deepcopy(bundle)
    assert render_composition(render_composition(bundle)) == render_composition(bundle)
    assert bundle == before


@given(name=st.text(), title=st.text(), note=st.text())
def test_any_text_gives_a_valid_narrative(name: str, title: str, note: str) -> None:
    resource = {"resourceType": "Condition", "code": {"text": name}, "note": [{"text": note}]}
    div = render_section(title, [resource], ReferenceLibrary({}), "fr")
    said = {"resourceType": "Basic", "code": {"text": "x"}, "text": {"status": "generated", "div": div}}
    assert not fhir.check(orjson.dumps(said)).issues


@pytest.mark.parametrize("kind", ["eps", "hdr", "lab"])
def test_real_document_rendered_anew_has_no_new_problem(shared_data: Path, kind: str) -> None:
    file = sorted((shared_data / "eu-documents" / kind).glob("*.json"))[0]
    bundle = orjson.loads(file.read_bytes())
    before = {issue.diagnostics for issue in fhir.check(file.read_bytes()).issues}
    after = {issue.diagnostics for issue in fhir.check(orjson.dumps(render_composition(bundle))).issues}
    assert after <= before
