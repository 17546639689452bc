"""Rules over several elements of a Bundle, and addresses that have to be absolute."""

import pytest

from esante.core.fhir import check, passes_fast_check
from tests.core.fhir.samples import changed, document, dumped, observation, patient, uuid_url
from tests.core.fhir.validation.passes import reported_issues, slow_findings


def errors(resource):
    found = check(dumped(resource)).issues
    assert sorted((issue.severity, issue.code) for issue in found) == sorted(slow_findings(dumped(resource)))
    return [issue.expression for issue in found if issue.severity == "error"]


def collection(*urls):
    entries = [{"fullUrl": url, "resource": {"resourceType": "Basic", "code": {"text": "x"}}} for url in urls]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def searchset(*entries, links=("self",)):
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": each, "url": "http://x.test"} for each in links],
        **({"entry": list(entries)} if entries else {}),
    }


@pytest.mark.parametrize("url", ["Basic/1", "/Basic/1", "1", "//x.test/Basic/1"])
def test_relative_full_url_is_rejected(url):
    assert errors(collection(url)) == ["Bundle.entry[0].fullUrl"]


@pytest.mark.parametrize("url", [uuid_url(1), "urn:oid:1.2.3", "https://x.test/Chicken/1", "ftp://x.test/1"])
def test_absolute_full_url_is_accepted(url):
    assert errors(collection(url)) == []


@pytest.mark.parametrize(
    ("url", "id_", "is_right"),
    [("https://x.test/Basic/1", "1", True), ("https://x.test/Basic/1", "2", False), ("https://x.test/Patient/1", "1", False),
     ("https://x.test/Basic/1", None, False), ("https://x.test/document?id=7", "1", True), ("https://x.test", "1", True)],
)  # fmt: skip
def test_full_url_of_a_server_names_type_and_id_of_its_resource(url, id_, is_right):
    bundle = collection(url)
    bundle["entry"][0]["resource"] |= {"id": id_} if id_ else {}
    assert errors(bundle) == ([] if is_right else ["Bundle.entry[0].fullUrl"])


def test_new_resource_at_the_address_of_a_server_needs_no_id():
    entry = {"fullUrl": "https://x.test/Patient/1", "resource": {"resourceType": "Patient", "active": True}}
    entry["request"] = {"method": "POST", "url": "Patient"}
    assert errors({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}) == []


@pytest.mark.parametrize("system", ["LOINC", "loinc.org", "ValueSet/x", "#contained", "/x"])
def test_relative_system_of_a_code_is_rejected(system):
    resource = changed(observation(), "code", "coding", 0, "system", system)
    assert not passes_fast_check(dumped(resource))
    assert errors(resource) == ["Observation.code.coding[0].system"]


def test_relative_address_of_a_definition_is_rejected_and_that_of_a_device_accepted():
    value_set = {"resourceType": "ValueSet", "status": "draft", "url": "ValueSet/x"}
    assert errors(value_set) == ["ValueSet.url"]
    assert errors(value_set | {"url": "urn:oid:1.2.3"}) == []
    assert errors({"resourceType": "Device", "url": "10.0.0.1"}) == []


@pytest.mark.parametrize("relation", ["self", "next", "first"])
def test_second_link_to_the_same_page_is_rejected(relation):
    assert errors(searchset(links=(relation, "alternate", relation))) == ["Bundle.link[2].relation"]


def test_links_of_other_relations_may_occur_again():
    assert errors(searchset(links=("self", "alternate", "alternate", "next"))) == []


def test_result_of_a_search_without_an_id_is_rejected():
    nameless = {name: value for name, value in patient().items() if name != "id"}
    assert errors(searchset({"resource": nameless})) == ["Bundle.entry[0].resource.id"]
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "processing"}]}
    assert errors(searchset({"resource": patient()}, {"resource": outcome, "search": {"mode": "outcome"}})) == []
    assert errors(searchset({"resource": patient(), "search": {"mode": "outcome"}})) == ["Bundle.entry[0].resource"]


def versions(reference, *numbers, url="http://x.test/Observation/o1"):
    """A document whose section names an observation that is there in several versions."""
    bundle = document(*[{**observation(), "meta": {"versionId": number}} for number in numbers])
    for entry in bundle["entry"][2:]:
        entry["fullUrl"] = url
    section = {"title": "x", "entry": [{"reference": reference}]}
    return changed(bundle, "entry", 0, "resource", "section", [section])


SECTION = "Bundle.entry[0].resource.section[0].entry[0].reference"


@pytest.mark.parametrize("reference", ["http://x.test/Observation/o1", "Observation/o1", "Observation/o1/_history/3"])
def test_reference_in_a_document_without_exactly_one_target_is_rejected(reference):
    assert errors(versions(reference, "1", "2")) == [SECTION]


@pytest.mark.parametrize("reference", ["Observation/o1/_history/2", "http://x.test/Observation/o1/_history/1"])
def test_reference_to_one_of_several_versions_is_accepted(reference):
    assert errors(versions(reference, "1", "2")) == []


def test_type_and_id_of_two_entries_are_no_address_of_either():
    bundle = document(observation(), observation())
    assert errors(bundle) == []
    named = changed(
        bundle, "entry", 0, "resource", "section", [{"title": "x", "entry": [{"reference": "Observation/o1"}]}]
    )
    assert errors(named) == [SECTION]
    assert reported_issues(dumped(named)) == slow_findings(dumped(named))
