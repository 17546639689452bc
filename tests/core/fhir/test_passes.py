"""The passes agree: what the fast ones say of a resource is what the slow ones say, at the price of the fast ones."""

import copy
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.fhir import check, check_all, decode, passes_fast_check
from esante.core.fhir.definitions import load_definitions
from esante.core.fhir.json_codec import decode_marking_repeats, encode_compact
from esante.core.fhir.model import MAX_DEPTH
from esante.core.fhir.source_locations import locate
from esante.core.fhir.validation import rules, structure_validator, validator
from esante.core.fhir.validation.nesting import Nesting
from tests.core.fhir.samples import allergy, changed, document, dumped, observation, patient, uuid_url

CODE = {"text": "x"}


def slowly(data: bytes) -> list[tuple[str, str]]:
    """Severity and code of all that the slow passes find, taken one by one."""
    resource = decode_marking_repeats(data)
    found = list(structure_validator.check_structure(resource))
    if not any(finding.code in ("structure", "too-costly") for finding in found):
        found += rules.check_rules(resource, encode_compact(resource) or b"")
    return [(finding.severity, finding.code) for finding in found]


def told(data: bytes) -> list[tuple[str, str]]:
    return [(issue.severity, issue.code) for issue in check(data).issues]


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
def test_rules_over_several_elements_are_told_with_and_without_a_glance(resource):
    assert sorted(told(dumped(resource))) == sorted(slowly(dumped(resource)))


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


def steps(value, path=()):
    """The paths of all elements."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in items:
        yield (*path, step)
        yield from steps(child, (*path, step))


@st.composite
def tampered(draw):
    """A sample with up to three values put in somewhere."""
    resource = json.loads(json.dumps(draw(st.sampled_from(SAMPLES))))
    for _ in range(draw(st.integers(1, 3))):
        *before, last = draw(st.sampled_from(list(steps(resource))))
        target = resource
        for step in before:
            target = target[step]
        if isinstance(target, dict) and draw(st.booleans()):
            last = draw(NAMES)
        target[last] = copy.deepcopy(draw(VALUES))
    return resource


@settings(max_examples=400)
@given(tampered(), st.sampled_from([None, 2]))
def test_tampered_resources_are_judged_alike(resource, indent):
    data = json.dumps(resource, indent=indent).encode()
    assert sorted(told(data)) == sorted(slowly(data))
    if passes_fast_check(data):
        assert list(structure_validator.check_structure(decode(data))) == []


together = st.lists(st.one_of(st.sampled_from([*SAMPLES, HOLDER, DETECTED]), tampered()), max_size=5)
EXPECTED = st.sampled_from([None, "Patient", "Bundle", "Observation"])


@settings(max_examples=300)
@given(together, EXPECTED)
def test_resources_looked_at_together_are_judged_as_each_by_itself(resources, expected):
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
def test_one_wrong_resource_among_right_ones_is_told_of(wrong):
    right = [(dumped(one), one["resourceType"]) for one in (HOLDER, observation(), allergy())]
    asked = [*right, (dumped(wrong), "Observation"), *right]
    found = check_all(asked)
    assert [one.ok for one in found] == [True, True, True, False, True, True, True]
    assert found[3].issues == check(dumped(wrong), expect="Observation").issues


@pytest.mark.parametrize("name", ['"status"', '"stat\\u0075s"'])
def test_a_repeated_name_in_one_of_several_is_seen(name):
    data = dumped(observation())
    twice = data.replace(b"{", b"{" + name.encode() + b':"final",', 1)
    found = check_all([(data, "Observation"), (twice, "Observation")])
    assert [one.ok for one in found] == [True, False]


NUMBERS = ["0", "-0", "4.10", "1e5", "1E-5", "-0.0e+10", "1e99", "1e308", "0." + "0" * 120 + "1", "9" * 300]
NO_NUMBERS = ["1e309", "1e-400", "0e5000", "0e99999999999999999999", "5e-99999999999999999999", "9" * 400, "0." + "0" * 400 + "1"]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS + NO_NUMBERS)
def test_a_decimal_has_a_size_that_others_can_calculate_with(number):
    data = dumped(observation()).replace(b'"value": 4.1,', f'"value": {number},'.encode())
    result = check(data)
    assert result.ok is (number in NUMBERS)
    if result.ok:
        assert str(result.resource["valueQuantity"]["value"]) == str(decode(number.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "YQ==",
        "YWI=",
        "YWJj",
        "YW Jj",
        "A===",
        "YQ=",
        "YWJj=",
        "YWJj====",
        "=",
        "Y",
        "YQ==YQ==",
        "YQ\\u003d=",
        "Y-_j",
        "a\\/bc",
        "",
    ],
)
def test_base64_is_judged_alike(text):
    data = dumped(patient() | {"photo": [{"data": "@"}]}).replace(b'"@"', f'"{text}"'.encode())
    assert told(data) == slowly(data)


def test_empty_objects_and_nulls_are_seen_by_the_fast_pass():
    for path in (("name", 0), ("contact", 0, "name"), ("maritalStatus",), ("_birthDate",), ("managingOrganization",)):
        assert not passes_fast_check(dumped(changed(patient(), *path, {})))
        assert not passes_fast_check(dumped(changed(patient(), *path, None)))
    assert not passes_fast_check(dumped(changed(patient(), "name", 0, "_given", [None])))


def nested(levels: int, inner: dict) -> dict:
    for _ in range(levels):
        inner = {"url": "http://x.test", "valueIdentifier": {"assigner": {"display": "x", "extension": [inner]}}}
    return {**patient(), "extension": [inner]}


def test_nothing_nested_too_deeply_passes_at_a_glance():
    plain = {"url": "http://x.test", "valueBoolean": True}
    # The patient, a list and the innermost extension; each turn adds an extension, its value, its assigner and a list.
    for levels in (*range(55, 68), 120):
        data = dumped(nested(levels, plain))
        depth = 3 + 4 * levels
        assert (told(data) == []) is (depth <= MAX_DEPTH), levels


def test_types_lead_back_to_themselves_only_where_it_is_counted():
    nesting = Nesting(load_definitions())
    # Would not end if there were another way.
    assert max(nesting.levels_below(name) for name in load_definitions().types) < 20


def test_one_faulty_entry_is_explained_and_the_others_are_not(shared_data):
    bundle = json.loads(gzip.decompress((shared_data / "synthea" / "01.json.gz").read_bytes()))
    for entry, name, value in ((3, "status", "x"), (60, "birthDay", 1), (90, "id", "a b")):
        bundle["entry"][entry]["resource"][name] = value
    data = dumped(bundle)
    found = {issue.expression for issue in check(data).issues}
    assert found == {f"Bundle.entry[{n}].resource.{name}" for n, name in ((3, "status"), (60, "birthDay"), (90, "id"))}
    assert [code for _, code in told(data)] == [code for _, code in slowly(data)]


def test_a_walk_that_would_take_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(structure_validator, "MAX_WORK", 1_000)
    names = [{"text": "x"}] * 600
    assert check(dumped(patient() | {"name": names})).issues == (), "the fast pass has no such limit"
    result = check(dumped({"resourceType": "Patient", "birthDate": "x", "name": names}))
    assert [(issue.severity, issue.code) for issue in result.issues] == [("error", "too-costly"), ("error", "value")]
    assert not check(dumped(patient() | {"name": [*names, {"text": "x", "_text": {}}]})).ok


@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)), st.sampled_from([None, 1]))  # fmt: skip
def test_every_element_is_found_in_the_text(value, indent):
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    every = {(), *steps(value)}
    found = locate(text.encode(), every)
    assert found.keys() == every
    lines = text.split("\n")
    read = json.JSONDecoder().raw_decode
    for path, (line, column) in found.items():
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        named = path and isinstance(path[-1], str)
        target = value
        for step in path:
            target = target[step]
        assert read(rest)[0] == (path[-1] if named else target)


def test_beyond_a_size_lines_are_not_told_and_that_is_said(monkeypatch):
    monkeypatch.setattr(validator, "MAX_LOCATED", 100)
    result = check(dumped(patient() | {"gender": "x"}))
    assert [(issue.severity, issue.code, issue.line) for issue in result.issues] == [
        ("error", "code-invalid", None),
        ("information", "incomplete", None),
    ]
