"""The categories of documents and their LOINC types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.record import CATEGORIES, category_of_type
from esante.services.record.categories import parse_categories


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


CATEGORY = '[[category]]\nkey = "{key}"\nlabel = "x"\nverified = false\nsource = "x"\ntypes = {types}\n'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (CATEGORY.format(key="memo", types="[]"), "the category memo has no types"),
        (
            CATEGORY.format(key="memo", types='[{ code = "11502-2", display = "x" }]') * 2,
            "the category memo is there twice",
        ),
        (
            CATEGORY.format(key="memo", types='[{ code = "11502-2", display = "x" }]')
            + CATEGORY.format(key="note", types='[{ code = "11502-2", display = "x" }]'),
            "the type 11502-2 of note is also one of memo",
        ),
    ],
)
def test_wrong_list_is_refused_by_the_name_of_the_category(text, match):
    with pytest.raises(ValueError, match=match):
        parse_categories(text)
