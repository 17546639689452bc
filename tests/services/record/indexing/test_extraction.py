"""Extraction of facts from documents: stable ids, references between facts."""

import random
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import check, decode, encode
from esante.core.storage import uuid7
from esante.services.record.clinical_types import CLINICAL, KEPT
from esante.services.record.indexing.extraction import extract_facts

PERSON = UUID("0198c5d2-0000-7000-8000-000000000001")
PERSONS = {name: type_.person for name, type_ in CLINICAL.items()}


def facts(bundle: dict, person: UUID = PERSON):
    return extract_facts(bundle, person, KEPT, PERSONS)


def ids(bundle: dict, person: UUID = PERSON) -> set[UUID]:
    return {fact.id for fact in facts(bundle, person)}


def document(*resources: dict, subject: dict | None = None) -> dict:
    """A document of a Composition about Patient `p`, that Patient, and further resources."""
    composition = {"resourceType": "Composition", "id": "c", "subject": subject or {"reference": "Patient/p"}}
    patient = {"resourceType": "Patient", "id": "p"}
    entries = [{"fullUrl": uuid7().urn, "resource": one} for one in (composition, patient, *resources)]
    return {"resourceType": "Bundle", "type": "document", "entry": entries}


def observation(code: str = "718-7", value: float = 14.1, **fields) -> dict:
    return {
        "resourceType": "Observation",
        "id": uuid7().hex,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/p"},
        "valueQuantity": {"value": value},
    } | fields


def observations(bundle: dict) -> list[dict]:
    return [fact.resource for fact in facts(bundle) if fact.type == "Observation"]


def order(number: str) -> dict:
    return {"identifier": [{"system": "urn:lab", "value": number}]}


@pytest.fixture(scope="module")
def european(shared_data) -> list[dict]:
    """One document of each kind."""
    folders = sorted((shared_data / "eu-documents").iterdir())
    return [decode(sorted(folder.glob("*.json"))[0].read_bytes()) for folder in folders]


def test_facts_of_european_documents_are_valid_and_refer_to_each_other(european):
    for bundle in european:
        found = facts(bundle)
        known = {f"{fact.type}/{fact.resource['id']}" for fact in found} | {f"Patient/{PERSON}"}
        assert len(found) > 5
        for fact in found:
            body = encode(fact.resource)
            checked = check(body)
            assert checked.ok, checked.issues
            assert set(_references(fact.resource)) <= known
            assert b"urn:uuid:" not in body


def test_ids_do_not_depend_on_addresses_or_order(european):
    for bundle in european:
        text = encode(bundle)
        for url in {entry["fullUrl"] for entry in bundle["entry"]}:
            text = text.replace(url.removeprefix("urn:uuid:").encode(), str(uuid7()).encode())
        other = decode(text)
        tail = other["entry"][1:]
        random.Random(7).shuffle(tail)
        other["entry"][1:] = tail
        for entry in tail:
            entry["resource"] = dict(sorted(entry["resource"].items(), reverse=True))
            entry["resource"].pop("text", None)
        assert ids(other) == ids(bundle)
        assert not ids(bundle, uuid7()) & ids(bundle)


def _references(value):
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from _references(item)


def test_equal_content_gives_equal_id_and_other_value_another():
    first, same = observation(meta={"versionId": "3"}, text={"status": "empty"}), observation()
    assert ids(document(first)) == ids(document(same))
    assert len(observations(document(first, same))) == 1
    assert ids(document(first)) != ids(document(observation(value=14.2)))


def test_business_identifier_determines_id():
    first, corrected = observation(**order("L1")), observation(value=13.9, **order("L1"))
    assert ids(document(first)) == ids(document(corrected))


def test_identifier_of_two_contents_is_ignored():
    bundle = document(observation(**order("L1")), observation(value=13.9, **order("L1")))
    assert len(observations(bundle)) == 2
    assert not ids(document(observation(**order("L1")))) & {
        fact.id for fact in facts(bundle) if fact.type != "Composition"
    }


def test_results_with_one_order_number_are_different_facts():
    one, other = document(observation("718-7", **order("O9"))), document(observation("789-8", **order("O9")))
    assert observations(one)[0]["id"] != observations(other)[0]["id"]


def test_referenced_content_distinguishes_facts():
    def measured(kind: str) -> dict:
        device = {"resourceType": "Device", "id": "d", "type": {"text": kind}}
        return document(observation(device={"reference": "Device/d", "display": "the device"}), device)

    assert observations(measured("cuff"))[0]["id"] != observations(measured("probe"))[0]["id"]
    assert observations(measured("cuff"))[0]["id"] == observations(measured("cuff"))[0]["id"]


def test_circular_references_are_resolved():
    one = observation(id="a", hasMember=[{"reference": "Observation/b"}])
    other = observation(id="b", derivedFrom=[{"reference": "Observation/a"}])
    first, second = observations(document(one, other))
    assert first["hasMember"] == [{"reference": f"Observation/{second['id']}"}]
    assert second["derivedFrom"] == [{"reference": f"Observation/{first['id']}"}]


def test_resources_of_another_patient_are_left_out():
    child = {"resourceType": "Patient", "id": "child"}
    mother = observation()
    weight = observation("8339-4", subject={"reference": "Patient/child"})
    observation_of_child = observation("1-1", focus=[{"reference": "Patient/child", "display": "the child"}])
    [first, second] = observations(document(mother, child, weight, observation_of_child))
    assert [first["code"]["coding"][0]["code"], second["code"]["coding"][0]["code"]] == ["718-7", "1-1"]
    assert second["focus"] == [{"display": "the child"}]
    assert str(PERSON) in first["subject"]["reference"]


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"reference": "Provenance/x"}, {"display": "Provenance"}),
        ({"reference": "Practitioner/elsewhere", "display": "Dr A"}, {"display": "Dr A"}),
        ({"reference": "urn:uuid:4bc1c1a0-0000-4000-8000-000000000000"}, {"display": "unknown"}),
        ({"reference": "https://other.example/fhir/Practitioner/1"}, None),
        ({"reference": "#inner"}, None),
        ({"identifier": {"system": "s", "value": "v"}}, None),
    ],
)
def test_references_out_of_the_document_lose_their_address(given_, kept):
    provenance = {"resourceType": "Provenance", "id": "x"}
    [found] = observations(document(observation(performer=[given_]), provenance))
    assert found["performer"] == [kept or given_]


_TEXT = st.text(max_size=5)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT | st.just("reference"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(_TEXT, _JSON, max_size=3), max_size=4))
def test_any_content_gives_stable_ids(contents):
    def build() -> dict:
        return document(*({"resourceType": "Observation"} | {f"x{k}": v for k, v in one.items()} for one in contents))

    assert ids(build()) == ids(orjson.loads(orjson.dumps(build())))
