"""The logical ids of resources in a record."""

from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import parse_logical_id


@given(st.uuids(), st.uuids())
def test_logical_id_holds_both_keys(person, thing):
    assert parse_logical_id(person.hex + thing.hex) == (person, thing)


@given(st.text(max_size=70))
def test_other_text_is_no_logical_id(text):
    keys = parse_logical_id(text)
    assert keys is None or text == keys[0].hex + keys[1].hex
