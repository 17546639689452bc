"""FHIRPath held against plain twins, on inputs that nobody chose."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir.fhirpath import Quantity, compile_path
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
def test_a_tree_is_read_back_from_its_text(tree):
    assert parse_path(unparse_path(tree)) == tree


def _value(expression):
    found = compile_path(expression).evaluate({"resourceType": "Basic"})
    return found[0] if found else None


SIGNED = st.decimals(min_value=-(10**6), max_value=10**6, places=2) | st.integers(-(10**4), 10**4)


@given(SIGNED, SIGNED, st.sampled_from(["+", "-", "*", "/", "div", "mod"]))
def test_arithmetic_is_that_of_decimals(left, right, operator):
    one, other = Decimal(left), Decimal(right)
    if operator in ("/", "div", "mod") and not other:
        expected = None
    else:
        whole = {"div": lambda: int(one / other), "mod": lambda: one - other * int(one / other)}
        plain = {
            "+": lambda: one + other,
            "-": lambda: one - other,
            "*": lambda: one * other,
            "/": lambda: one / other,
        }
        expected = (whole | plain)[operator]()
    assert _value(f"({left:f}) {operator} ({right:f})" if isinstance(left, Decimal) and isinstance(right, Decimal) else f"({left}) {operator} ({right})") == expected  # fmt: skip


ZONES = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
FIRST, LAST = datetime(1900, 1, 2), datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis puts the zone on
MOMENTS = st.datetimes(FIRST, LAST, timezones=ZONES).map(lambda at: at.replace(microsecond=0))


@given(MOMENTS, MOMENTS | st.none(), st.sampled_from(["<", "<=", ">", ">=", "=", "!="]))
def test_moments_with_zones_are_ordered_like_those_of_python(left, right, operator):
    right = left.astimezone(UTC) if right is None else right
    expected = {
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right, "=": left == right, "!=": left != right
    }[operator]  # fmt: skip
    assert _value(f"@{left.isoformat()} {operator} @{right.isoformat()}") is expected


PARTS = st.tuples(st.integers(1999, 2001), st.integers(1, 2), st.integers(1, 2))
PARTIAL = st.tuples(PARTS, st.integers(1, 3)).map(lambda t: t[0][: t[1]])


@given(PARTIAL, PARTIAL)
def test_dates_of_differing_precision_are_compared_as_far_as_both_are_known(left, right):
    def text(parts):
        return "@" + "-".join(f"{part:02}" for part in parts)

    common = min(len(left), len(right))
    if left[:common] != right[:common]:
        expected = left[:common] < right[:common]
    else:
        expected = False if len(left) == len(right) else None
    assert _value(f"{text(left)} < {text(right)}") is expected
    same = left == right if len(left) == len(right) or left[:common] != right[:common] else None
    assert _value(f"{text(left)} = {text(right)}") is same


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(-5000, 5000))
def test_days_are_added_like_those_of_python(day, count):
    assert str(_value(f"@{day} + ({count} days)" if count >= 0 else f"@{day} - ({-count} days)")) == str(
        day + timedelta(count)
    )


@given(st.decimals(-1000, 1000, places=4), st.integers(0, 8))
def test_a_boundary_holds_every_value_that_is_written_the_same(number, digits):
    low, high = (_value(f"({number:f}).{side}Boundary({digits})") for side in ("low", "high"))
    assert low <= number <= high
    assert -low.as_tuple().exponent == -high.as_tuple().exponent == digits


@given(
    st.text("ab", max_size=12),
    st.sampled_from(["(a+)+b", "(a|ab)*", "(?:a*b?){2,3}", "^(ab)*$", "a{1,3}(b|a)+", "[^a]+(a+)*"]),
)
def test_the_automaton_agrees_with_re(text, pattern):
    import re

    assert _value(f"'{text}'.matches('{pattern}')") is bool(re.search(pattern, text))
    assert _value(f"'{text}'.matchesFull('{pattern}')") is bool(re.fullmatch(pattern, text))
