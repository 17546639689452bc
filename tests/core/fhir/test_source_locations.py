"""Line and column of elements in JSON text."""

import json

from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir.source_locations import locate
from tests.core.fhir.samples import element_paths


@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)), st.sampled_from([None, 1]))  # fmt: skip
def test_every_element_is_located(value, indent):
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    every = {(), *element_paths(value)}
    found = locate(text.encode(), every)
    assert found.keys() == every
    lines = text.split("\n")
    read = json.JSONDecoder().raw_decode
    for path, (line, column) in found.items():
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        named = path and isinstance(path[-1], str)
        target = value
        for step in path:
            target = target[step]
        assert read(rest)[0] == (path[-1] if named else target)
