"""The categories of documents and their LOINC types."""

from hypothesis import given
from hypothesis import strategies as st

from esante.services.record import CATEGORIES, category_of_type


def test_every_type_belongs_to_one_category():
    codes = [type_.code for category in CATEGORIES.values() for type_ in category.types]
    assert len(codes) == len(set(codes))
    for category in CATEGORIES.values():
        for type_ in category.types:
            assert category_of_type(type_.code) is category
    assert category_of_type("8867-4") is None


@given(st.sampled_from([type_.code for category in CATEGORIES.values() for type_ in category.types]))
def test_loinc_codes_have_valid_check_digit(code):
    """The digit after the hyphen is the Luhn digit (mod 10) of those before it (LOINC Users' Guide, appendix)."""
    digits, _, check = code.partition("-")
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    assert int(check) == -total % 10
