"""Valid R4 is accepted: published documents, and rare cases that strict types would reject."""

import gzip

import pytest

from esante.core.fhir import check, passes_fast_check
from tests.core.fhir.samples import allergy, changed, document, dumped, observation, patient

ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


@pytest.mark.parametrize("folder", ["eps", "lab", "hdr"])
def test_european_documents_are_accepted(shared_data, folder):
    files = sorted((shared_data / "eu-documents" / folder).glob("*.json"))
    assert files
    for file in files:
        result = check(file.read_bytes(), expect="Bundle")
        assert result.ok, (file.name, result.issues)
        assert result.resource["type"] == "document"


def test_synthea_bundles_are_accepted_without_issues(shared_data):
    files = sorted((shared_data / "synthea").glob("*.json.gz"))
    assert files
    for file in files:
        data = gzip.decompress(file.read_bytes())
        assert check(data).issues == (), file.name
        assert passes_fast_check(data)


@pytest.mark.parametrize(
    "resource", [patient(), observation(), allergy(), document()], ids=lambda r: r["resourceType"]
)
def test_samples_pass_the_fast_check(resource):
    assert passes_fast_check(dumped(resource))
    assert check(dumped(resource)).issues == ()


CORNERS = {
    "required primitive by extension only": changed(changed(observation(), "status", "final"), "_status", ABSENT),
    "year only": changed(patient(), "birthDate", "1990"),
    "leap day": changed(patient(), "birthDate", "2024-02-29"),
    "leap day of a leap century": changed(patient(), "birthDate", "2000-02-29"),
    "leap second": changed(observation(), "issued", "2016-12-31T23:59:60Z"),
    "extensions beside a list of primitives": changed(patient(), "name", 0, {"given": ["A", None], "_given": [None, ABSENT]}),
    "no-break space": changed(patient(), "name", 0, "family", "Weber\u00a0:"),
    "a code with a blank inside": changed(observation(), "code", "coding", 0, "code", "a b"),
    "base64 on several lines": changed(patient(), "photo", [{"data": "QUJD\nREVG"}]),
    "whole number as a decimal": changed(observation(), "valueQuantity", "value", 4),
    "exponent": changed(observation(), "valueQuantity", "value", 1e21),
    "text with what looks like JSON": changed(patient(), "name", 0, "text", 'a": {} "b" : null, \\'),
    "a text for a reference's neighbour": changed(observation(), "subject", {"display": "somebody"}),
    "contained and referred to": changed(changed(observation(), "contained", [patient()]), "subject", {"reference": "#p1"}),
    "reference to the holder": changed(observation(), "contained", [{**observation(), "id": "i", "subject": {"reference": "#"}}]),
    "extension of an extension's value": changed(patient(), "extension", [{"url": "http://x.test", "_valueString": ABSENT}]),
}  # fmt: skip


@pytest.mark.parametrize("resource", CORNERS.values(), ids=CORNERS.keys())
def test_rare_but_valid_resource_is_accepted(resource):
    assert check(dumped(resource)).issues == ()


def test_required_primitive_with_absent_reason_is_accepted():
    resource = observation() | {"_status": ABSENT}
    del resource["status"]
    assert not passes_fast_check(dumped(resource))
    assert check(dumped(resource)).issues == ()


def test_document_without_subject_gets_a_warning():
    bundle = document()
    del bundle["entry"][0]["resource"]["subject"]
    result = check(dumped(bundle))
    assert result.ok
    assert [(i.severity, i.expression) for i in result.issues] == [("warning", "Bundle.entry[0].resource.subject")]


def test_unresolved_reference_outside_the_composition_is_a_warning():
    lost = changed(observation(), "subject", "reference", "urn:uuid:00000000-0000-4000-8000-000000000099")
    result = check(dumped(document(lost)))
    assert result.ok
    assert [(i.severity, i.expression) for i in result.issues] == [
        ("warning", "Bundle.entry[2].resource.subject.reference")
    ]


def test_relative_and_absolute_references_in_a_document_resolve():
    bundle = document(observation())
    bundle["entry"][1]["fullUrl"] = "http://x.test/fhir/Patient/p1"
    bundle["entry"][0]["resource"]["subject"]["reference"] = "http://x.test/fhir/Patient/p1"
    assert check(dumped(bundle)).issues == ()


def test_choice_with_absent_reason_passes_the_fast_check():
    unknown = dumped(allergy() | {"_onsetDateTime": ABSENT})
    assert passes_fast_check(unknown)
    assert check(unknown).issues == ()
    assert not passes_fast_check(dumped(allergy() | {"_onsetDateTime": ABSENT, "onsetString": "long ago"}))


def test_history_with_two_deletions_of_one_resource_is_accepted():
    gone = {
        "fullUrl": "http://x.test/Patient/p1",
        "request": {"method": "DELETE", "url": "Patient/p1"},
        "response": {"status": "204"},
    }
    history = {"resourceType": "Bundle", "type": "history", "entry": [gone, gone]}
    assert check(dumped(history), invariants=True).issues == ()
