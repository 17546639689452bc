"""Generated paths compared with closures."""

from esante.core.fhir import compile_path
from esante.core.fhir.definitions import search_parameters
from esante.core.fhir.fhirpath.values.items import Node, type_of
from tests.support.fhirpath_evaluation import sample_bundles


def test_generated_code_and_closures_find_equal_values(shared_data):
    """Every search parameter over real resources, each of which is evaluated without error."""
    stated = {(base, p.expression) for p in search_parameters() for base in p.base if p.expression}
    found = 0
    for bundle in sample_bundles(shared_data):
        for resource in (entry["resource"] for entry in bundle["entry"]):
            types = (resource["resourceType"], "DomainResource", "Resource")
            for expression in {e for base, e in stated if base in types}:
                path = compile_path(expression, resource["resourceType"])
                items = path._items(resource, None, None)
                plain = [(type_of(i), i.value if isinstance(i, Node) else i) for i in items]
                assert path.typed(resource) == [pair for pair in plain if pair[1] is not None], expression
                assert path.evaluate(resource) == [value for _, value in path.typed(resource)]
                found += len(plain)
    assert found > 1000
