"""Values of the index."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import decode, encode
from esante.core.fhir.search import index_json, index_resource
from tests.core.fhir.samples import observation
from tests.support.search_population import amount, concept
from tests.support.search_records import count_matches, store_resources
from tests.support.search_tables import UCUM

PARTS = st.one_of(st.integers(), st.text(max_size=20), st.none(), st.floats(allow_nan=False), st.booleans())


@given(
    st.recursive(
        PARTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    )
)
def test_index_of_invalid_r4_can_be_stored(value):
    for name in ("code", "status", "valueQuantity", "effectiveDateTime", "subject", "component", "identifier", "meta"):
        text = index_json({**observation(), name: value})
        assert "\\u0000" not in text
        assert "NaN" not in text


async def test_numbers_out_of_range_are_not_indexed(db):
    odd = [
        Decimal("1e-300"),
        Decimal("1e300"),
        Decimal("-1e245"),
        Decimal("9" * 60),
        10**400,
        1e308,
        Decimal("0E-400"),
    ]
    units = ["g", "Ymol50", "ag50", "mmol/L"]
    scope = await store_resources(
        db, *[{**observation(), "valueQuantity": {**amount("1", u), "value": n}} for n in odd for u in units]
    )
    assert await count_matches(db, scope, "Observation", ("value-quantity", "gt0"), ("_sort", "value-quantity")) >= 4


def test_index_has_each_value_once():
    twice = {
        **observation(),
        "category": [concept(("urn:a", "B", "Same")), concept(("urn:a", "b", "same"), text="SAME")],
    }
    found = index_resource(decode(encode(twice)))
    assert found["category"] == {"b": ["urn:a"]}
    assert found["category:text"] == ["same"]
    assert found["subject"] == ["Patient/p1"]
    low, high, code, system, unit, dimension, *in_base = found["value.ofType(Quantity)"][0]
    assert (low, high, code, system, unit, dimension) == (Decimal("4.1"),) * 2 + ("mmol/L", UCUM, "mmol/L", "m-3")
    assert in_base == [Decimal("2.4690777116E+24")] * 2
    assert "component.value.ofType(Quantity)" not in found
