"""What R4 allows is accepted: real documents, and the corners that a strict type would refuse."""

import gzip

import pytest

from esante.core.fhir import check, decode, encode, passes_fast_check
from tests.core.fhir.samples import allergy, changed, document, dumped, observation, patient

ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


@pytest.mark.parametrize("folder", ["eps", "lab", "hdr"])
def test_every_european_document_is_accepted(shared_data, folder):
    files = sorted((shared_data / "eu-documents" / folder).glob("*.json"))
    assert files
    for file in files:
        result = check(file.read_bytes(), expect="Bundle")
        assert result.ok, (file.name, result.issues)
        assert result.resource["type"] == "document"


def test_every_synthea_bundle_is_accepted_without_a_remark(shared_data):
    files = sorted((shared_data / "synthea").glob("*.json.gz"))
    assert files
    for file in files:
        data = gzip.decompress(file.read_bytes())
        assert check(data).issues == (), file.name
        assert passes_fast_check(data)


@pytest.mark.parametrize(
    "resource", [patient(), observation(), allergy(), document()], ids=lambda r: r["resourceType"]
)
def test_samples_pass_the_fast_pass(resource):
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
def test_a_corner_of_r4_is_accepted(resource):
    assert check(dumped(resource)).issues == ()


def test_a_required_primitive_may_be_absent_with_a_reason():
    resource = observation() | {"_status": ABSENT}
    del resource["status"]
    assert not passes_fast_check(dumped(resource))
    assert check(dumped(resource)).issues == ()


def test_decimals_keep_their_digits():
    text = dumped(observation()).replace(b'"value": 4.1,', b'"value": 4.100,')
    resource = check(text).resource
    assert str(resource["valueQuantity"]["value"]) == "4.100"
    assert b'"value":4.100,' in encode(resource)
    assert decode(encode(resource)) == resource


def test_a_document_about_nobody_is_accepted_with_a_warning():
    bundle = document()
    del bundle["entry"][0]["resource"]["subject"]
    result = check(dumped(bundle))
    assert result.ok
    assert [(i.severity, i.expression) for i in result.issues] == [("warning", "Bundle.entry[0].resource.subject")]


def test_a_reference_that_leads_nowhere_outside_the_composition_is_a_warning():
    lost = changed(observation(), "subject", "reference", "urn:uuid:00000000-0000-4000-8000-000000000099")
    result = check(dumped(document(lost)))
    assert result.ok
    assert [(i.severity, i.expression) for i in result.issues] == [
        ("warning", "Bundle.entry[2].resource.subject.reference")
    ]


def test_references_inside_a_document_may_be_relative_or_absolute():
    bundle = document(observation())
    bundle["entry"][1]["fullUrl"] = "http://x.test/fhir/Patient/p1"
    bundle["entry"][0]["resource"]["subject"]["reference"] = "http://x.test/fhir/Patient/p1"
    assert check(dumped(bundle)).issues == ()


def test_a_choice_that_is_absent_with_a_reason_passes_the_fast_pass():
    unknown = dumped(allergy() | {"_onsetDateTime": ABSENT})
    assert passes_fast_check(unknown)
    assert check(unknown).issues == ()
    assert not passes_fast_check(dumped(allergy() | {"_onsetDateTime": ABSENT, "onsetString": "long ago"}))


def test_a_history_tells_twice_that_a_resource_was_deleted():
    gone = {
        "fullUrl": "http://x.test/Patient/p1",
        "request": {"method": "DELETE", "url": "Patient/p1"},
        "response": {"status": "204"},
    }
    history = {"resourceType": "Bundle", "type": "history", "entry": [gone, gone]}
    assert check(dumped(history), invariants=True).issues == ()
