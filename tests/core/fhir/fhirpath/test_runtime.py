"""Limits of the work of one evaluation."""

import pytest

from esante.core.fhir import PathFailed, compile_path
from tests.core.fhir.samples import patient

ENDLESS = {
    "repeat that always finds more": "1.repeat($this + 1)",
    "loops in loops": "descendants().select(%resource.descendants().select(%resource.descendants().select(1)))",
    "text that doubles": "repeat(children()).children().combine(descendants()).aggregate($total & $total, 'aaaaaaaa')",
    "replace that grows": "('a' | 'b').aggregate($total.replace('', $total), 'aaaaaaaaaaaaaaaa')"
    ".replace('', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb')",
}


@pytest.mark.parametrize("expression", ENDLESS.values(), ids=ENDLESS.keys())
def test_endless_expression_stops_at_limit(expression):
    resource = patient() | {"name": [{"given": [str(n) for n in range(60)]} for _ in range(40)]}
    try:
        found = compile_path(expression).evaluate(resource)
    except PathFailed as error:
        assert "more than" in str(error)
    else:
        assert all(len(value) <= 1_000_000 for value in found)
