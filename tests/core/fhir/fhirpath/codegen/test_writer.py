"""Generated conditions compared with closures."""

import functools
import itertools

from esante.core.fhir import compile_path
from esante.core.fhir.definitions import invariants
from esante.core.fhir.fhirpath.codegen import PathWriter, SourceModule, TypedVariable
from esante.core.fhir.fhirpath.parser import parse_path
from esante.core.fhir.fhirpath.spec_expressions import constrained_type
from esante.core.fhir.fhirpath.types import lineage
from esante.core.fhir.fhirpath.values.items import Node, root_node, singleton_boolean
from tests.support.fhirpath_evaluation import sample_bundles


def _as_generated(expression, type_):
    """A function of an element and an `Env`: whether the generated condition is true, and whether it is false."""
    module = SourceModule()
    condition = PathWriter(module).compile_condition(parse_path(expression), TypedVariable("d", type_))
    name = module.function(lambda: module.emit(1, f"return ({condition.true}), ({condition.false})"))
    return module.link()[name]


def test_generated_code_and_closures_agree_on_every_constraint(shared_data):
    """On elements of every type that they are about; ele-1, which is about all, by the objects among them."""
    judged = 0
    stated = {
        (i.expression, constrained_type(i)) for i in invariants() if constrained_type(i) not in (None, "Element")
    }
    generated = functools.cache(_as_generated)
    for bundle in itertools.islice(sample_bundles(shared_data), 0, None, 4):
        for resource in [bundle, *(entry["resource"] for entry in bundle["entry"][:12])]:
            context = {"resource": root_node(resource)}
            nodes: dict[str, list[Node]] = {}
            for node in [root_node(resource), *compile_path("descendants()")._items(resource, None, None)]:
                for type_ in lineage(node.type) if node.value is not None else ():
                    nodes.setdefault(type_, []).append(node)
            for expression, type_ in stated:
                path = compile_path(expression, type_)
                for node in nodes.get(type_, ())[:3]:
                    expected = singleton_boolean(path._items(node, context, None), "")
                    found = generated(expression, node.type)(node.value, path._env(node, context, None))
                    assert tuple(map(bool, found)) == (expected is True, expected is False), (expression, node)
                    judged += 1
    assert judged > 1_000
