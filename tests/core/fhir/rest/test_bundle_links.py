"""Links between the entries of a Bundle: which are found, and which are replaced by what."""

import json
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import check
from esante.core.fhir.rest import EntryAddresses, LinkReplacer, LinkTarget, find_conditional_references, parse_bundle

URN, SERVER = f"urn:uuid:{UUID(int=7)}", "http://src.example/fhir"
KEY = UUID("018f0000-0000-7000-8000-000000000001")
NEW = f"Observation/{KEY.hex}"


def observation(**fields):
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}} | fields


def entry(full_url, **fields):
    request = {"method": "POST", "url": "Observation"}
    return {"fullUrl": full_url, "resource": observation(**fields), "request": request}


def replacer(*entries, searches=None):
    """Return a replacer in which every entry of a Bundle becomes the resource with the key KEY."""
    body = orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": list(entries)})
    _, items = parse_bundle(body, f"{SERVER}/")
    targets = {item.index: LinkTarget(f"{item.type}/{KEY.hex}", KEY) for item in items}
    return LinkReplacer(EntryAddresses(items), targets, searches)


def replaced(resource, *entries, full_url="", searches=None, dumps=orjson.dumps):
    body = dumps(resource)
    return json.loads(replacer(*entries, searches=searches).replace_in(body, full_url))


def extension(**value):
    return {"url": "http://t.example/x", **value}


DEEP = [
    lambda link: {"derivedFrom": [{"reference": link}]},
    lambda link: {"derivedFrom": [{"display": "x"}, {"reference": link}]},
    lambda link: {"component": [{"code": {"extension": [extension(valueReference={"reference": link})]}}]},
    lambda link: {"_status": {"extension": [extension(valueReference={"reference": link})]}},
    lambda link: {"code": {"text": "x", "_text": {"extension": [extension(valueReference={"reference": link})]}}},
    lambda link: {"contained": [{"resourceType": "Patient", "id": "p", "link": [{"other": {"reference": link}}]}]},
    lambda link: {"extension": [extension(extension=[extension(valueReference={"reference": link})])]},
    lambda link: {"extension": [extension(valueUri=link)]},
    lambda link: {"extension": [extension(valueUrl=link)]},
    lambda link: {"extension": [extension(valueAttachment={"url": link})]},
    lambda link: {"meta": {"source": link}},
    lambda link: {"text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{link}">x</a></div>'}},
    lambda link: {"text": {"status": "generated", "div": f"<div><p><img alt='src=\"y\"'\n src = \"{link}\" /></p></div>"}},
]  # fmt: skip
"""Fields that hold a link where R4 replaces it."""

UNTOUCHED = [
    lambda link: {"extension": [extension(valueCanonical=link)]},
    lambda link: {"meta": {"profile": [link]}},
    lambda link: {"extension": [extension(valueString=link)]},
    lambda link: {"extension": [extension(valueMarkdown=link)]},
    lambda link: {"extension": [{"url": link, "valueString": "x"}]},
    lambda link: {"note": [{"text": link}]},
    lambda link: {"identifier": [{"system": "urn:ietf:rfc:3986", "value": link}]},
    lambda link: {"derivedFrom": [{"display": link, "identifier": {"value": link}}]},
    lambda link: {"unknown": {"reference": link}},
    lambda link: {"text": {"status": "generated", "div": f'<div>{link} <p title="{link}">x</p></div>'}},
    lambda link: {"text": {"status": "generated", "div": f'<div><!-- <a href="{link}">x</a> --></div>'}},
    lambda link: {"text": {"status": "generated", "div": f"<div><a title='href=\"{link}\"'>x</a></div>"}},
    lambda link: {"text": {"status": "generated", "div": f'<div><abbr href="{link}">x</abbr></div>'}},
]
"""Fields that hold the text of a link where it stays."""


@pytest.mark.parametrize("fields", DEEP)
@pytest.mark.parametrize("link", [URN, f"{SERVER}/Observation/9"])
def test_link_is_replaced_where_r4_says(fields, link):
    assert replaced(observation(**fields(link)), entry(link)) == observation(**fields(NEW))


@pytest.mark.parametrize("fields", UNTOUCHED)
@pytest.mark.parametrize("link", [URN, f"{SERVER}/Observation/9"])
def test_text_that_is_no_link_stays(fields, link):
    assert replaced(observation(**fields(link)), entry(link)) == observation(**fields(link))


@pytest.mark.parametrize(
    ("link", "value", "expected"),
    [(URN, "valueUuid", KEY.urn), ("urn:oid:1.2.3", "valueOid", f"urn:oid:2.25.{KEY.int}")],
)
def test_element_of_type_uuid_or_oid_gets_the_key_and_stays_valid(link, value, expected):
    found = replaced(observation(extension=[extension(**{value: link})]), entry(link))
    assert found["extension"][0][value] == expected
    assert check(orjson.dumps(found)).ok


@pytest.mark.parametrize(
    ("reference", "full_url", "expected"),
    [
        ("Observation/9", f"{SERVER}/Observation/10", NEW),
        ("Observation/9/_history/2", f"{SERVER}/Observation/10", NEW),
        ("Observation/9/_history/3", f"{SERVER}/Observation/10", None),
        (f"{SERVER}/Observation/9/_history/2", URN, NEW),
        (f"{SERVER}/Observation/9/_history/3", URN, None),
        ("Observation/9", URN, None),
        ("Observation/9", "http://other.example/fhir/Observation/10", None),
        ("Observation/9", "", None),
        ("Condition/9", f"{SERVER}/Observation/10", None),
        ("#9", f"{SERVER}/Observation/10", None),
        (f"{SERVER}/Observation/9#x", URN, None),
    ],
)
def test_reference_is_resolved_by_the_rules_of_bundles(reference, full_url, expected):
    resource = observation(derivedFrom=[{"reference": reference}])
    target = entry(f"{SERVER}/Observation/9", meta={"versionId": "2"})
    found = replaced(resource, target, full_url=full_url)
    assert found["derivedFrom"][0]["reference"] == (expected or reference)


@st.composite
def escaped_json(draw):
    """Return a function that writes JSON in which any character may be an escape."""
    choices = draw(st.randoms(use_true_random=False))

    def dumps(value):
        text = json.dumps(value, ensure_ascii=choices.random() < 0.5)
        out, quoted, skip = [], False, False
        for char in text:
            if skip or char == "\\":
                skip = not skip
            elif char == '"':
                quoted = not quoted
            elif quoted and choices.random() < 0.3:
                char = "\\/" if char == "/" and choices.random() < 0.5 else f"\\u{ord(char):04x}"
            out.append(char)
        return "".join(out).encode()

    return dumps


@given(
    fields=st.sampled_from(DEEP + UNTOUCHED),
    link=st.sampled_from([URN, f"{SERVER}/Observation/9"]),
    dumps=escaped_json(),
)
def test_notation_of_json_makes_no_difference(fields, link, dumps):  # fmt: skip
    resource = observation(**fields(link))
    assert json.loads(dumps(resource)) == resource
    assert replaced(resource, entry(link), dumps=dumps) == replaced(resource, entry(link))


@given(st.text(max_size=80))
def test_any_narrative_without_a_known_address_stays(text):
    resource = observation(text={"status": "generated", "div": f'<a href="{text}'})
    assert replaced(resource, entry(URN)) == resource


@pytest.mark.parametrize("part", ['<a "', "<a href='", "<!--", "<![CDATA[", "<!-- -->", " href=", "<a href=' "])
def test_hostile_narrative_of_a_megabyte_is_returned(part):
    resource = observation(text={"div": f"href {part * (1_000_000 // len(part))}"})
    assert replaced(resource, entry(URN)) == resource


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'"urn:"',
        b'{"resourceType":["urn:"]}',
        b'{"resourceType":"Observation","derivedFrom":[1,{"reference":2}],"meta":"urn:"}',
        b'{"resourceType":"Observation","derivedFrom":' + b"[" * 5000 + b"]" * 5000 + b',"x":"urn:"}',
    ],
)
def test_what_is_no_resource_is_returned_as_it_is(body):
    assert replacer(entry(URN)).replace_in(body, "") == body
    assert find_conditional_references(body + b"?") == []


def test_name_that_occurs_twice_is_left_to_the_check():
    body = b'{"resourceType":"Observation","derivedFrom":[{"reference":"%s"}],"status":"final","status":"amended"}'
    body %= URN.encode()
    assert replacer(entry(URN)).replace_in(body, "") == body


def test_conditional_references_are_found_and_replaced_in_references_only():
    search = "Practitioner?identifier=http://a.example|1"
    resource = observation(performer=[{"reference": search}], note=[{"text": search}])
    body = orjson.dumps(resource).replace(b"/", b"\\/").replace(b"?", b"\\u003F")
    assert find_conditional_references(body) == [("Practitioner", "identifier=http://a.example|1")]
    found = replaced(resource, entry(URN), searches={search: "Practitioner/7"})
    assert (found["performer"], found["note"]) == ([{"reference": "Practitioner/7"}], [{"text": search}])
