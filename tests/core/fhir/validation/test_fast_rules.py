"""The fast and the slow passes agree on every resource."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.fhir import check, check_all, decode, passes_fast_check
from esante.core.fhir.validation import structure_validator
from tests.core.fhir.samples import allergy, changed, document, dumped, element_paths, observation, patient, uuid_url
from tests.core.fhir.validation.passes import reported_issues, slow_findings


def transaction(*resources):
    entries = [
        {"fullUrl": uuid_url(n), "resource": r, "request": {"method": "POST", "url": r["resourceType"]}}
        for n, r in enumerate(resources, 1)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


HOLDER = {
    **observation(),
    "subject": {"reference": "#p"},
    "contained": [{"resourceType": "Patient", "id": "p", "active": True}],
}


ENTRY = document(observation())["entry"][2]


DETECTED = {
    "resourceType": "DetectedIssue",
    "status": "final",
    "id": "d",
    "contained": [{"resourceType": "Patient", "id": "p"}],
}


TURNS = {
    "nothing": document(HOLDER),
    "an address twice": changed(document(observation()), "entry", 2, "fullUrl", uuid_url(2)),
    "no address in a document": changed(document(ENTRY["resource"]), "entry", 2, {"resource": observation()}),
    "an address with a version": changed(document(observation()), "entry", 2, "fullUrl", "http://x.test/Observation/o1/_history/1"),
    "an address of another": changed(document(observation()), "entry", 2, "fullUrl", "http://x.test/Observation/o2"),
    "a request in a document": changed(document(), "entry", 1, "request", {"method": "GET", "url": "x"}),
    "a response in a document": changed(document(), "entry", 1, "response", {"status": "200"}),
    "a search in a document": changed(document(), "entry", 1, "search", {"mode": "match"}),
    "no resource in a document": changed(document(), "entry", 1, {"fullUrl": uuid_url(2)}),
    "no identifier": {k: v for k, v in document().items() if k != "identifier"},
    "half an identifier": changed(document(), "identifier", {"value": "x"}),
    "no time": {k: v for k, v in document().items() if k != "timestamp"},
    "no entry": {k: v for k, v in document().items() if k != "entry"},
    "no composition": changed(document(), "entry", [{"fullUrl": uuid_url(1), "resource": patient()}]),
    "about nobody": changed(document(), "entry", 0, "resource", {k: v for k, v in document()["entry"][0]["resource"].items() if k != "subject"}),
    "a section that leads nowhere": changed(document(), "entry", 0, "resource", "section", [{"title": "x", "entry": [{"reference": uuid_url(9)}]}]),
    "a message": {"resourceType": "Bundle", "type": "message", "entry": [{"resource": patient()}]},
    "a transaction": transaction(patient(), observation()),
    "a transaction that leads nowhere": transaction(changed(observation(), "subject", "reference", uuid_url(9))),
    "a transaction to elsewhere": transaction(changed(observation(), "subject", "reference", "Patient?identifier=x|y")),
    "no request": changed(transaction(patient()), "entry", 0, {"resource": patient()}),
    "twice without address": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient()}, {"resource": patient()}]},
    "an empty entry": {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": uuid_url(1)}]},
    "batch of requests": {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": "x"}}]},
    "searchset": {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": patient(), "search": {"mode": "match"}}]},
    "contained": HOLDER,
    "contained that nobody holds": {**observation(), "subject": {"reference": "#p"}},
    "contained twice": changed(HOLDER, "contained", [HOLDER["contained"][0]] * 2),
    "contained without id": changed(HOLDER, "contained", 0, {"resourceType": "Patient", "active": True}),
    "contained in contained": changed(HOLDER, "contained", 0, "contained", [{"resourceType": "Patient", "id": "q"}]),
    "held by another": document(HOLDER, {**observation(), "id": "o2", "subject": {"reference": "#p"}}),
    "an address that looks like a reference": {**DETECTED, "reference": "#p"},
    "such an address beside a reference": document({**DETECTED, "reference": "#p"}, {**observation(), "subject": {"reference": "#p"}}),
    "a tolerated code": {"resourceType": "Encounter", "status": "completed", "class": {"code": "IMP"}},
    "parameters": {"resourceType": "Parameters", "parameter": [{"name": "a", "resource": HOLDER}]},
}  # fmt: skip


@pytest.mark.parametrize("resource", TURNS.values(), ids=TURNS.keys())
def test_fast_rules_agree_with_slow_rules(resource):
    assert sorted(reported_issues(dumped(resource))) == sorted(slow_findings(dumped(resource)))


SAMPLES = [*TURNS.values(), patient(), allergy(), document(observation(), allergy())]


VALUES = st.sampled_from(
    ["x", "#p", "Patient/p1", uuid_url(1), uuid_url(2), "a b", "", "2024-02-30", "2024-02", "urn:oid:1.2", "final", "YQ==", "YQ=",
     0, 1.5, -3, True, None, [], {}, [None], [{}], {"id": "x"}, {"reference": "#p"}, {"reference": uuid_url(7)},
     [{"url": "http://x.test", "valueDecimal": 1.0}], {"extension": [{"url": "http://x.test"}]}, {"coding": [{"code": "x"}]}]
)  # fmt: skip


NAMES = st.sampled_from(
    ["valueString", "_valueCode", "id", "extension", "reference", "resourceType", "_birthDate", "contained", "fullUrl",
     "resource", "request", "_given", "photo", "meta", "subject", "text", "valueDecimal", "code"]
)  # fmt: skip


@st.composite
def tampered(draw):
    """A sample with up to three values put in somewhere."""
    resource = json.loads(json.dumps(draw(st.sampled_from(SAMPLES))))
    for _ in range(draw(st.integers(1, 3))):
        *before, last = draw(st.sampled_from(list(element_paths(resource))))
        target = resource
        for step in before:
            target = target[step]
        if isinstance(target, dict) and draw(st.booleans()):
            last = draw(NAMES)
        target[last] = copy.deepcopy(draw(VALUES))
    return resource


@settings(max_examples=400)
@given(tampered(), st.sampled_from([None, 2]))
def test_passes_agree_on_tampered_resource(resource, indent):
    data = json.dumps(resource, indent=indent).encode()
    assert sorted(reported_issues(data)) == sorted(slow_findings(data))
    if passes_fast_check(data):
        assert list(structure_validator.check_structure(decode(data))) == []


together = st.lists(st.one_of(st.sampled_from([*SAMPLES, HOLDER, DETECTED]), tampered()), max_size=5)


EXPECTED = st.sampled_from([None, "Patient", "Bundle", "Observation"])


@settings(max_examples=300)
@given(together, EXPECTED)
def test_check_all_agrees_with_single_checks(resources, expected):
    asked = [(json.dumps(one).encode(), expected or str(one.get("resourceType"))) for one in resources]
    found = check_all(asked)
    assert [one.issues for one in found] == [check(data, expect=type_).issues for data, type_ in asked]
    assert [one.resource for one in found] == [check(data, expect=type_).resource for data, type_ in asked]


@pytest.mark.parametrize(
    "wrong",
    [
        {**observation(), "subject": {"reference": "#p"}},
        {**DETECTED, "reference": "#p"},
        changed(patient(), "birthDate", "1990-02-30"),
        {**patient(), "birthDay": "1990-01-01"},
        patient(),
    ],
    ids=["held by another", "an address like a reference", "format", "unknown element", "another type"],
)
def test_check_all_reports_one_invalid_resource_among_valid_ones(wrong):
    right = [(dumped(one), one["resourceType"]) for one in (HOLDER, observation(), allergy())]
    asked = [*right, (dumped(wrong), "Observation"), *right]
    found = check_all(asked)
    assert [one.ok for one in found] == [True, True, True, False, True, True, True]
    assert found[3].issues == check(dumped(wrong), expect="Observation").issues


@pytest.mark.parametrize("name", ['"status"', '"stat\\u0075s"'])
def test_check_all_reports_a_repeated_name(name):
    data = dumped(observation())
    twice = data.replace(b"{", b"{" + name.encode() + b':"final",', 1)
    found = check_all([(data, "Observation"), (twice, "Observation")])
    assert [one.ok for one in found] == [True, False]
