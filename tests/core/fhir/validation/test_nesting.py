"""Bounds for the depth of nesting."""

from esante.core.fhir.definitions import load_definitions
from esante.core.fhir.model import MAX_DEPTH
from esante.core.fhir.validation.nesting import Nesting
from tests.core.fhir.samples import dumped, patient
from tests.core.fhir.validation.passes import reported_issues


def nested(levels: int, inner: dict) -> dict:
    for _ in range(levels):
        inner = {"url": "http://x.test", "valueIdentifier": {"assigner": {"display": "x", "extension": [inner]}}}
    return {**patient(), "extension": [inner]}


def test_nesting_beyond_the_limit_fails_the_fast_check():
    plain = {"url": "http://x.test", "valueBoolean": True}
    # The patient, a list and the innermost extension; each turn adds an extension, its value, its assigner and a list.
    for levels in (*range(55, 68), 120):
        data = dumped(nested(levels, plain))
        depth = 3 + 4 * levels
        assert (reported_issues(data) == []) is (depth <= MAX_DEPTH), levels


def test_levels_below_every_type_are_bounded():
    nesting = Nesting(load_definitions())
    # Would not end if there were another way.
    assert max(nesting.levels_below(name) for name in load_definitions().types) < 20
