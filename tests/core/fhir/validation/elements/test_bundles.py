"""Rules of Bundles that only $validate checks."""

import pytest

from esante.core.fhir import check
from tests.core.fhir.samples import changed, document, dumped, observation, patient, uuid_url
from tests.core.fhir.validation.passes import full_issues


def bundle(kind, *entries, **more):
    return {"resourceType": "Bundle", "type": kind, **more, "entry": list(entries)}


def provenance(target):
    return {"resourceType": "Provenance", "recorded": "2026-03-03T12:00:00Z", "target": [{"reference": target}], "agent": [{"who": {"reference": uuid_url(4)}}]}  # fmt: skip


def test_entry_to_which_no_reference_leads_is_rejected_only_with_the_constraints():
    lonely = document(changed(observation(), "subject", {"display": "x"}))
    assert full_issues(lonely) == ["Bundle.entry[2]"]
    assert check(dumped(lonely)).ok


def test_entry_that_leads_to_the_document_is_a_warning_unless_it_is_a_provenance():
    assert full_issues(document(changed(observation(), "subject", "reference", uuid_url(2)))) == []
    assert full_issues(document(changed(observation(), "subject", "reference", uuid_url(2))), "warning") == [
        "Bundle.entry[2]"
    ]
    device = {"resourceType": "Device", "id": "d"}
    assert full_issues(document(provenance(uuid_url(1)), device), "warning") == []
    assert full_issues(document(provenance(uuid_url(1)), device)) == []


def test_several_unused_entries_are_one_error():
    lonely = [{"resourceType": "Device", "id": f"d{n}"} for n in range(3)]
    (issue,) = [each for each in check(dumped(document(*lonely)), invariants=True).issues if each.severity == "error"]
    assert issue.expression == "Bundle.entry[2]"
    assert issue.diagnostics.endswith("Also 2 others.")


def test_relative_reference_of_a_composition_without_the_address_of_a_server_is_rejected():
    section = {"title": "x", "entry": [{"reference": "Observation/o1"}]}
    assert full_issues(document(observation(), sections=(section,))) == [
        "Bundle.entry[0].resource.section[0].entry[0].reference"
    ]
    served = changed(
        document(observation(), sections=(section,)), "entry", 0, "fullUrl", "https://x.test/Composition/c1"
    )
    assert full_issues(changed(served, "entry", 2, "fullUrl", "https://x.test/Observation/o1")) == []


@pytest.mark.parametrize("kind", ["collection", "searchset"])
def test_entry_without_an_address_is_rejected(kind):
    assert full_issues(bundle(kind, {"resource": patient()})) == ["Bundle.entry[0].fullUrl"]
    assert full_issues(bundle(kind, {"resource": patient(), "fullUrl": uuid_url(1)})) == []


def test_new_resources_and_outcomes_need_no_address():
    assert (
        full_issues(bundle("transaction", {"resource": patient(), "request": {"method": "POST", "url": "Patient"}}))
        == []
    )
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "processing"}]}
    assert full_issues(bundle("searchset", {"resource": outcome, "search": {"mode": "outcome"}})) == []


@pytest.mark.parametrize("relation", ["first", "next", "previous"])
def test_link_to_a_page_is_for_searches_and_histories(relation):
    link = [{"relation": relation, "url": "http://x.test"}]
    entry = {"resource": patient(), "fullUrl": uuid_url(1)}
    assert full_issues(bundle("collection", entry, link=link)) == ["Bundle.link[0].relation"]
    assert full_issues(bundle("searchset", entry, link=link)) == []
