"""Parsing of expressions, and back to text."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import PathError, compile_path
from esante.core.fhir.fhirpath import Quantity
from esante.core.fhir.fhirpath.model import (
    Call,
    Infix,
    Literal,
    Name,
    Sign,
    Special,
    Step,
    Subscript,
    TypeTest,
    Variable,
)
from esante.core.fhir.fhirpath.parser import parse_path, unparse_path
from esante.core.fhir.fhirpath.values.temporal import Temporal

NUMBERS = st.decimals(min_value=0, max_value=10**9, places=3) | st.integers(0, 2**31 - 1)
NAMES = st.sampled_from(["name", "div", "is", "contains", "days", "given", "a b", "ünïcode", "x`y\\"]) | st.text(
    min_size=1
)
LEAVES = st.one_of(
    st.none().map(Literal),
    st.booleans().map(Literal),
    NUMBERS.map(Literal),
    st.text().map(Literal),
    st.builds(
        lambda number, unit: Literal(Quantity(Decimal(number), unit)), NUMBERS, st.sampled_from(["mg", "days", "a'b"])
    ),
    st.dates(date(1, 1, 1)).map(lambda d: Literal(Temporal("Date", (d.year, d.month, d.day)))),
    st.dates(date(1, 1, 1)).map(lambda d: Literal(Temporal("DateTime", (d.year, d.month)))),
    st.times().map(lambda t: Literal(Temporal("Time", (t.hour, t.minute)))),
    NAMES.map(Name),
    NAMES.map(Variable),
    st.sampled_from(["$this", "$index", "$total"]).map(Special),
)
OPERATORS = [*"*/+-&|<>=~", "div", "mod", "<=", ">=", "!=", "!~", "in", "contains", "and", "or", "xor", "implies"]


def _above(below):
    calls = st.builds(Call, NAMES, st.lists(below, max_size=2).map(tuple))
    return st.one_of(
        calls,
        st.builds(Step, below, NAMES.map(Name) | calls),
        st.builds(Subscript, below, below),
        st.builds(Sign, st.sampled_from("+-"), below),
        st.builds(Infix, st.sampled_from(OPERATORS), below, below),
        st.builds(
            TypeTest, st.sampled_from(["is", "as"]), below, st.sampled_from(["Patient", "System.String", "FHIR.div"])
        ),
    )


TREES = st.recursive(LEAVES, _above, max_leaves=12)


@given(TREES)
def test_unparsed_tree_parses_to_equal_tree(tree):
    assert parse_path(unparse_path(tree)) == tree


TOO_DEEP = {
    "parentheses": "(" * 5000 + "1" + ")" * 5000,
    "signs": "-" * 5000 + "1",
    "calls": "exists(" * 1000 + ")" * 1000,
    "steps": "Patient" + ".children()" * 1000,
    "indexes": "Patient" + "[0]" * 1000,
    "sum": "1" + "+1" * 1000,
    "length": "'" + "a" * 30000 + "'",
}


@pytest.mark.parametrize("expression", TOO_DEEP.values(), ids=TOO_DEEP.keys())
def test_too_deep_or_too_long_expression_raises_path_error(expression):
    with pytest.raises(PathError):
        compile_path(expression, "Patient")
