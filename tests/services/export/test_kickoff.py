"""Headers and parameters of a kick-off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.web import Problem, readable
from esante.services.export.kickoff import parse_kickoff, prefers_lenient


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        (["respond-async"], False),
        (["Respond-Async; handling=lenient"], True),
        (["handling=strict, respond-async"], False),
        (["handling=lenient", "return=minimal,respond-async"], True),
    ],
)
def test_prefer_header_forms_are_parsed(prefer, expected):
    assert prefers_lenient(prefer) is expected


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=5))
def test_lenient_kickoff_reports_ignored_parameters_or_is_refused(pairs):
    try:
        found = parse_kickoff(pairs, lenient=True, supported={"Patient"})
    except Problem as problem:
        assert problem.status == 400
        assert problem.place
        return
    named = {readable(name[:64]) for name, _ in pairs if name not in ("_type", "_since", "_outputFormat")}
    assert named <= set(found.ignored)
    assert all(name.isprintable() for name in found.ignored)
