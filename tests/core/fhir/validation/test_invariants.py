"""The constraints of R4: violations are reported at their element, valid resources are accepted."""

import gzip

import pytest

from esante.core.fhir import PathError, check, encode
from esante.core.fhir.definitions import Invariant, invariants
from esante.core.fhir.validation import invariants as constraints
from esante.core.fhir.validation.invariants import COVERED_BY_RULES, invariant_checks
from tests.core.fhir.samples import (
    allergy,
    changed,
    composition,
    document,
    dumped,
    entry_section,
    narrative,
    observation,
    patient,
)


def key_of(issue):
    """The key of the constraint, which stands in brackets behind its text."""
    return issue.diagnostics.rpartition("(")[2].partition(")")[0]


def violations(resource, severity="error"):
    issues = check(encode(resource), invariants=True).issues
    return [(key_of(issue), issue.expression) for issue in issues if issue.severity == severity]


def with_(resource, **elements):
    return {**resource, "text": {**narrative("<p>x</p>")}, **elements}


CODING = {"coding": [{"system": "http://x.test", "code": "c"}]}


VER = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


ERROR = {"coding": [{"system": VER, "code": "entered-in-error"}]}


BROKEN = {
    "pat-1": (with_(patient(), contact=[{"gender": "male"}]), "Patient.contact[0]"),
    "cpt-2": (with_(patient(), telecom=[{"value": "1"}]), "Patient.telecom[0]"),
    "ele-1": (with_(patient(), maritalStatus={"id": "a"}), "Patient.maritalStatus"),
    "ext-1": (with_(patient(), extension=[{"url": "http://x.test"}]), "Patient.extension[0]"),
    "per-1": (
        with_(patient(), name=[{"period": {"start": "2024-02", "end": "2024-01-31"}}]),
        "Patient.name[0].period",
    ),
    "att-1": (with_(patient(), photo=[{"data": "QUJD"}]), "Patient.photo[0]"),
    "obs-6": (with_(observation(), dataAbsentReason=CODING), "Observation"),
    "obs-7": (with_(observation(), component=[{"code": observation()["code"]}]), "Observation"),
    "obs-3": (with_(observation(), referenceRange=[{"appliesTo": [CODING]}]), "Observation.referenceRange[0]"),
    "qty-3": (with_(observation(), valueQuantity={"value": 1, "code": "mg"}), "Observation.value.ofType(Quantity)"),
    "sqty-1": (
        with_(observation(), referenceRange=[{"low": {"value": 1, "comparator": "<"}}]),
        "Observation.referenceRange[0].low",
    ),
    "rng-2": (
        with_(observation(), component=[{"code": CODING, "valueRange": {"low": {"value": 2}, "high": {"value": 1}}}]),
        "Observation.component[0].value.ofType(Range)",
    ),
    "ait-2": (with_(allergy(), verificationStatus=ERROR), "AllergyIntolerance"),
    "txt-1": ({**patient(), "text": narrative("<script>alert(1)</script>")}, "Patient.text.`div`"),
    "txt-2": ({**patient(), "text": narrative(" ")}, "Patient.text.`div`"),
    "dom-3": (
        with_(observation(), contained=[{"resourceType": "Patient", "id": "x", "gender": "male"}]),
        "Observation",
    ),
    "dom-4": (
        with_(
            observation(),
            subject={"reference": "#x"},
            contained=[{**patient(), "id": "x", "meta": {"versionId": "1"}}],
        ),
        "Observation",
    ),
    "cmp-1": (with_(composition({"title": "Empty"})), "Composition.section[0]"),
    "org-2": (
        with_(
            {"resourceType": "Organization", "name": "X", "address": [{"use": "work"}, {"use": "home", "text": "y"}]}
        ),
        "Organization.address[1]",
    ),
    "tim-1": (
        with_(
            {
                "resourceType": "MedicationStatement",
                "status": "active",
                "medicationCodeableConcept": CODING,
                "subject": {"display": "x"},
                "dosage": [{"timing": {"repeat": {"duration": 1}}}],
            }
        ),
        "MedicationStatement.dosage[0].timing.repeat",
    ),
    # Of a choice: the constraint is about a Range and not about a decimal.
    "ras-1": (
        with_(
            {
                "resourceType": "RiskAssessment",
                "status": "final",
                "subject": {"display": "x"},
                "prediction": [{"probabilityDecimal": 0.5}, {"probabilityRange": {"low": {"value": 1, "unit": "mg"}}}],
            }
        ),
        "RiskAssessment.prediction[1].probability.ofType(Range)",
    ),
    "que-7": (
        with_(
            {
                "resourceType": "Questionnaire",
                "status": "draft",
                "item": [
                    {"linkId": "1", "type": "boolean"},
                    {
                        "linkId": "2",
                        "type": "string",
                        "enableWhen": [{"question": "1", "operator": "exists", "answerString": "x"}],
                    },
                ],
            }
        ),
        "Questionnaire.item[1].enableWhen[0]",
    ),
}


@pytest.mark.parametrize("key", BROKEN)
def test_broken_constraint_is_reported_at_its_element(key):
    resource, expression = BROKEN[key]
    assert check(encode(resource)).ok, "right in structure"
    found = violations(resource)
    assert (key, expression) in found
    assert {place for _, place in found} == {expression}


HOLDING = {
    "a period within one day": with_(patient(), name=[{"period": {"start": "2024-01-31", "end": "2024-01-31T10:00:00Z"}}]),
    "a range of units that differ": with_(
        observation(),
        component=[{"code": CODING, "valueRange": {"low": {"value": 2, "unit": "x"}, "high": {"value": 1, "unit": "y"}}}],
    ),
    "a reference that names nothing": with_(observation(), subject={"display": "somebody"}),
    "a coded range in one unit": with_(observation(), valueQuantity={"value": 1, "code": "mg", "system": "http://unitsofmeasure.org"}),
    "a value with an extension alone": with_(patient(), extension=[{"url": "http://x.test", "_valueCode": {"extension": [{"url": "http://y.test", "valueBoolean": True}]}}]),
    "contained that refers to its holder": with_(
        observation(), contained=[{"resourceType": "Provenance", "id": "x", "target": [{"reference": "#"}], "recorded": "2024-01-01T00:00:00Z", "agent": [{"who": {"display": "x"}}]}]
    ),
    "entities of XML in a narrative": {**patient(), "text": narrative("<p>a&#160;b &amp; &lt;c&gt; &#xE9;</p>")},
    "what looks like entities in a comment": {**patient(), "text": narrative("<p>a<!-- &nbsp; <?xml ?> --></p>")},
    "contained that a link in the narrative names": {
        **observation(), "contained": [{**patient(), "id": "x"}], "text": narrative('<a href="#x">who</a>')
    },
    "contained that a picture in the narrative names, and one that a reference names": {
        **observation(),
        "subject": {"reference": "#y"},
        "contained": [{"resourceType": "Binary", "id": "x", "contentType": "image/png"}, {**patient(), "id": "y"}],
        "text": narrative('<img src="#x" alt="a"/>'),
    },
    "an image alone in a narrative": {**patient(), "text": narrative('<img src="#a" alt="x"/>')},
}  # fmt: skip


@pytest.mark.parametrize("resource", HOLDING.values(), ids=HOLDING.keys())
def test_resource_without_violations_is_accepted(resource):
    assert violations(resource) == []


def test_best_practice_is_a_warning_only_with_invariants():
    assert check(dumped(patient())).issues == ()
    assert violations(patient(), "warning") == [("dom-6", "Patient")]
    assert check(dumped(patient()), invariants=True).ok


def test_resource_in_a_bundle_is_reported_at_its_entry():
    bundle = document({**observation(), "dataAbsentReason": CODING})
    assert violations(bundle) == [("obs-6", "Bundle.entry[2].resource")]


def test_constraints_covered_by_rules_are_reported_once():
    bundle = document()
    del bundle["timestamp"]
    assert [
        issue.diagnostics for issue in check(encode(bundle), invariants=True).issues if issue.severity == "error"
    ] == ["A document must have a timestamp, the time when it was assembled (bdl-10). Add Bundle.timestamp."]
    assert {invariant.key for invariant in invariants()} >= COVERED_BY_RULES


def test_errors_precede_many_warnings():
    many = [changed(patient(), "id", f"other{n}") for n in range(250)]
    used = entry_section(*range(3, 254))
    bundle = document(*many, {**observation(), "dataAbsentReason": CODING}, sections=(used,))
    result = check(encode(bundle), invariants=True)
    assert not result.ok
    assert [key_of(issue) for issue in result.issues] == ["obs-6", "dom-6"]
    # All 253 resources of the document are without a narrative.
    assert result.issues[1].diagnostics.endswith("(dom-6). Also at 252 other places.")


def test_narrative_with_entities_or_deep_nesting_is_rejected():
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    for div in (
        f'<!DOCTYPE div [<!ENTITY e0 "x">{entities}]><div xmlns="http://www.w3.org/1999/xhtml">&e9;</div>',
        '<!DOCTYPE div SYSTEM "file:///etc/passwd"><div xmlns="http://www.w3.org/1999/xhtml">x</div>',
        '<div xmlns="http://www.w3.org/1999/xhtml">' + "<b>" * 5000 + "x" + "</b>" * 5000 + "</div>",
        "<div>no namespace</div>",
        "<div",
    ):
        assert {key for key, _ in violations({**patient(), "text": {"status": "generated", "div": div}})} >= {
            "txt-1",
            "txt-2",
        }


def test_contained_resource_that_the_narrative_only_mentions_is_not_referred_to():
    for html in ('<p title="#x">#x</p>', '<a href="#xy">x</a>', '<a name="#x">x</a>'):
        held = {**observation(), "contained": [{**patient(), "id": "x"}], "text": narrative(html)}
        assert violations(held) == [("dom-3", "Observation")]


def test_forbidden_and_empty_narratives_break_different_constraints():
    for html, keys in (("<script>x</script>", {"txt-1"}), ("<p> </p>", {"txt-2"}), ("<script/>", {"txt-1", "txt-2"})):
        assert {key for key, _ in violations({**patient(), "text": narrative(html)})} == keys


def test_run_out_of_time_ends_with_a_warning():
    many = with_(patient(), contact=[{"gender": "male"}] * 100)
    result = check(encode(many), invariants=True, seconds=0)
    assert result.ok
    texts = [issue.diagnostics.partition(" was")[0] for issue in result.issues if issue.code == "too-costly"]
    assert texts == ["Not every element", "Not every constraint"]
    assert {(issue.severity, issue.expression) for issue in result.issues} == {("warning", "Patient")}
    assert len(violations(many)) == 100


def test_constraint_without_matching_element_raises_at_compilation(monkeypatch):
    about = Invariant("Observation.value[x]", "x-1", "error", "x", "nothingOfThatName.exists()")
    monkeypatch.setattr(constraints, "invariants", lambda: (*invariants(), about))
    with pytest.raises(PathError, match="nothingOfThatName"):
        constraints.InvariantChecks()["Observation"]


def test_every_type_has_a_compiled_check():
    from esante.core.fhir.definitions import load_definitions

    checks = invariant_checks()
    for type_ in load_definitions().resource_types:
        assert callable(checks[type_])


@pytest.mark.parametrize("folder", ["eps", "lab", "hdr"])
def test_european_documents_break_no_constraint(shared_data, folder):
    for file in sorted((shared_data / "eu-documents" / folder).glob("*.json")):
        result = check(file.read_bytes(), invariants=True)
        assert result.ok, (file.name, [issue for issue in result.issues if issue.severity == "error"])
        assert {key_of(issue) for issue in result.issues if issue.code == "invariant"} <= {"dom-6", "con-3"}


def test_synthea_bundles_break_no_constraint(shared_data):
    for file in sorted((shared_data / "synthea").glob("*.json.gz"))[::3]:
        result = check(gzip.decompress(file.read_bytes()), invariants=True)
        assert {key_of(issue) for issue in result.issues} <= {"dom-6"}
