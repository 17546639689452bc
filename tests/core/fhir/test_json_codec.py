"""JSON with exact decimals, and errors with their position."""

from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import NotJson, check, decode, encode
from tests.core.fhir.samples import dumped, observation


def test_decimals_keep_their_digits():
    text = dumped(observation()).replace(b'"value": 4.1,', b'"value": 4.100,')
    resource = check(text).resource
    assert str(resource["valueQuantity"]["value"]) == "4.100"
    assert b'"value":4.100,' in encode(resource)
    assert decode(encode(resource)) == resource


@given(st.binary(max_size=60))
def test_decode_raises_only_not_json(data):
    try:
        decode(data)
    except NotJson as error:
        assert str(error)
