"""Hostile bytes lead to issues with a position, never to an exception."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import CheckResult, check, decode
from esante.core.fhir.validation import passes_fast_check
from esante.core.fhir.validation.structure_validator import check_structure
from tests.core.fhir.samples import allergy, document, dumped, element_paths, observation, patient

UNREADABLE = {
    "nothing": (b"", None),
    "white space": (b" \n ", None),
    "truncated": (dumped(patient())[:-10], None),
    "truncated in a text": (b'{"resourceType":"Pat', (1, 21)),
    "trailing text": (b'{"resourceType":"Patient"} x', (1, 28)),
    "trailing comma": (b'{"resourceType":"Patient",\n}', (2, 1)),
    "byte order mark": (b"\xef\xbb\xbf" + dumped(patient()), (1, 1)),
    "UTF-16": ('{"resourceType":"Patient"}'.encode("utf-16"), None),
    "Latin-1": ('{"resourceType":"Patient",\n"id":"\u00e9"}'.encode("latin-1"), (2, 7)),
    "NaN": (b'{"resourceType":"Observation","valueInteger":NaN}', (1, 46)),
    "Infinity": (b'{"a":-Infinity}', None),
    "endless exponent": (b'{"a":1e99999999999999999999999}', None),
    "endless number": (b'{"a":' + b"9" * 100_000 + b"}", None),
    "half a character": (b'{"a":"\\ud800"}', None),
    "control character": (b'{"a":"x\ny"}', (1, 8)),
    "10,000 lists": (b"[" * 10_000, None),
    "10,000 objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, None),
    "comments": (b'{"resourceType":"Patient" /* x */}', None),
    "single quotes": (b"{'resourceType':'Patient'}", (1, 2)),
    "zero bytes": (b"\0" * 1000, (1, 1)),
}  # fmt: skip


@pytest.mark.parametrize(("data", "place"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_invalid_json_is_rejected_with_its_position(data, place):
    result = check(data)
    (issue,) = result.issues
    assert issue.severity == "fatal"
    assert issue.diagnostics
    assert result.resource == {}
    if place is not None:
        assert (issue.line, issue.column) == place


@pytest.mark.parametrize(
    "data", [b"[]", b"1", b'"x"', b"null", b"true", b"{}", b'{"resourceType":1}', b'{"resourceType":null}']
)
def test_json_that_is_no_resource_is_rejected(data):
    assert not check(data).ok


def nested(levels: int) -> bytes:
    inner = b'{"url":"http://x.test","valueBoolean":true}'
    return (
        b'{"resourceType":"Patient","extension":['
        + b'{"url":"http://x.test","extension":[' * levels
        + inner
        + b"]}" * levels
        + b"]}"
    )


def test_nesting_beyond_the_limit_is_rejected():
    assert check(nested(100)).issues == ()
    for levels in (130, 300, 450, 600, 10_000):
        result = check(nested(levels))
        assert not result.ok
        assert "nested" in result.issues[0].diagnostics


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (b'{"resourceType":"Patient","active":true,"active":false}', "Patient.active"),
        (b'{"resourceType":"Patient","active":true,"active":true}', "Patient.active"),
        (b'{"resourceType":"Patient","resourceType":"Observation"}', "Observation.resourceType"),
        (b'{"resourceType":"Patient","resourceType":"Patient"}', "Patient.resourceType"),
        (b'{"resourceType":"Patient","active":true,"\\u0061ctive":false}', "Patient.active"),
        (b'{"resourceType":"Patient","active":true,"active"  \n\t:false}', "Patient.active"),
        (b'{"resourceType":"Patient","name":[{"text":"x\\":","text":"a\\": b"}]}', "Patient.name[0].text"),
        (b'{"resourceType":"Patient","name":[{"text":"\\u0022:"},{"family":"a","family":"b"}]}', "Patient.name[1].family"),
        (b'{"resourceType":"Patient","name":[{"text":"a \\" :","family":"a","family" :"b"}]}', "Patient.name[0].family"),
        (b'{"resourceType":"Patient","name":[{"text":"a"}],"extension":[{"url":"u","url":"v","valueCode":"x"}]}', "Patient.extension[0].url"),
    ],
)  # fmt: skip
def test_repeated_name_is_rejected_at_its_element(text, expression):
    result = check(text)
    assert not result.ok
    repeated = [issue for issue in result.issues if "more than once" in issue.diagnostics]
    assert [(issue.code, issue.expression) for issue in repeated] == [("structure", expression)]


def test_repeated_name_has_the_position_of_the_first():
    (issue,) = check(b'{"resourceType":"Patient",\n"active":true,\n"active":true}').issues
    assert (issue.line, issue.column) == (2, 1)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(data):
    assert isinstance(check(data), CheckResult)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_arbitrary_json_never_raises(value):
    text = json.dumps(value).encode()
    assert not check(text).ok
    assert decode(text) == json.loads(text, parse_float=Decimal)


SAMPLES = [patient(), observation(), allergy(), document(observation(), allergy())]


@st.composite
def tampered(draw):
    """A valid resource with one or two values replaced by anything."""
    resource = json.loads(json.dumps(draw(st.sampled_from(SAMPLES))))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(list(element_paths(resource))))
        target = resource
        for step in path[:-1]:
            target = target[step]
        names = st.sampled_from(
            ["valueString", "_valueCode", "id", "extension", "reference", "resourceType", "_birthDate"]
        )
        if isinstance(target, dict) and draw(st.booleans()):
            target[draw(names)] = draw(json_values)
        else:
            target[path[-1]] = draw(json_values)
    return resource


@given(tampered())
def test_tampered_resource_never_raises_and_passes_agree(resource):
    text = dumped(resource)
    result = check(text)
    assert all(issue.diagnostics for issue in result.issues)
    if passes_fast_check(text):
        assert [f for f in check_structure(decode(text)) if f.severity == "error"] == []
