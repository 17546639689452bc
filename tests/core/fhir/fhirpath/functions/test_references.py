"""`resolve()`."""

from tests.core.fhir.samples import changed, document, observation, patient
from tests.support.fhirpath_evaluation import evaluate


def test_resolve_finds_targets_in_resource_bundle_and_resolver():
    inner = changed(patient(), "id", "p")
    holder = changed(changed(observation(), "contained", [inner]), "subject", {"reference": "#p"})
    assert evaluate("Observation.subject.resolve()", holder) == [inner]
    assert evaluate("Observation.subject.where(resolve() is Patient)", holder) == [{"reference": "#p"}]
    bundle = document(observation())
    assert evaluate("Bundle.entry[0].resource.subject.resolve().id", bundle) == [patient()["id"]]
    known = {"Patient/p1": patient()}
    assert evaluate("Observation.subject.resolve().id", observation(), resolver=known.get) == ["p1"]
    assert evaluate("Observation.subject.resolve()", observation()) == []


def test_unresolved_target_has_type_named_by_reference():
    path = "Observation.subject.where(resolve() is Patient).reference"
    for reference in ("Patient/9", "https://x.test/fhir/Patient/9", "Patient/9/_history/2"):
        assert evaluate(path, changed(observation(), "subject", {"reference": reference})) == [reference]
    assert evaluate(path, changed(observation(), "subject", {"reference": "Group/9"})) == []
    typed = {"reference": "urn:uuid:1", "type": "Patient"}
    assert evaluate(path, changed(observation(), "subject", typed)) == ["urn:uuid:1"]
