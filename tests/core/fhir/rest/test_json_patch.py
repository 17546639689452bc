"""JSON Patch of a resource."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir.rest import apply_json_patch
from esante.core.web import Problem

RESOURCE = {"resourceType": "Basic", "n": 1, "yes": True, "list": [{"text": "a"}, {"text": "b"}], "inner": {"x": "y"}}
LIMIT = 100_000


def resource():
    return orjson.loads(orjson.dumps(RESOURCE))


def refusal(patch):
    """Return the status of the refusal of a patch, which leaves nothing half done."""
    with pytest.raises(Problem) as refused:
        apply_json_patch(resource(), patch, LIMIT)
    return refused.value.status


@pytest.mark.parametrize(
    "patch",
    [
        b'[{"op":"test","op":"remove","path":"/list"}]',
        b'[{"op":"test","\\u006fp":"remove","path":"/list","value":1}]',
        b'[{"op":"add","path":"/q","value":{"value":1,"value":2}}]',
        b'[{"op":"add","path":"/q","value":[{"deep":{"a":1,"b":2,"a":1}}]}]',
        b'[{"op":"add","path":"/q","path":"/r","value":1}]',
    ],
)
def test_name_that_occurs_twice_is_refused(patch):
    assert refusal(patch) == 400


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "destroy", "path": "/n"},
        {"op": ["add"], "path": "/n", "value": 1},
        {"path": "/n", "value": 1},
        {"op": "add", "path": "/n"},
        {"op": "test", "path": "/n"},
        {"op": "copy", "path": "/n"},
        {"op": "move", "path": "/n", "from": 1},
        {"op": "remove"},
        {"op": "remove", "path": "n"},
        {"op": "remove", "path": "/~2"},
    ],
)
def test_operation_without_its_members_is_refused(operation):
    assert refusal(orjson.dumps([operation])) == 400


@pytest.mark.parametrize(("path", "value"), [("/yes", 1), ("/n", True), ("/n", "1"), ("/list", {}), ("/list/-", 1)])
def test_test_compares_values_of_one_type(path, value):
    assert refusal(orjson.dumps([{"op": "test", "path": path, "value": value}])) == 422


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_value_that_is_added_passes_its_test_and_is_removed_without_trace(value):
    operations = [
        {"op": "add", "path": "/new", "value": value},
        {"op": "test", "path": "/new", "value": value},
        {"op": "remove", "path": "/new"},
    ]
    assert apply_json_patch(resource(), orjson.dumps(operations), LIMIT) == RESOURCE


@given(st.lists(st.tuples(st.sampled_from(["test", "remove", "x"]), st.sampled_from(["/n", "/list", "", "/"]), JSON)))
def test_any_patch_is_applied_or_refused(operations):
    patch = orjson.dumps([{"op": op, "path": path, "value": value} for op, path, value in operations])
    try:
        assert isinstance(apply_json_patch(resource(), patch, LIMIT), dict)
    except Problem as problem:
        assert problem.status in (400, 422)
