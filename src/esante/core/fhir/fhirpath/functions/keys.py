"""`getResourceKey()` and `getReferenceKey()`, by which rows of views are joined (SQL on FHIR 2.0).

A key is the type and the id of a resource, so that those of several types never meet.
"""

from esante.core.fhir.fhirpath.functions.references import reference_type
from esante.core.fhir.fhirpath.registry import function
from esante.core.fhir.fhirpath.runtime import Env
from esante.core.fhir.fhirpath.types import STRING, resource_types
from esante.core.fhir.fhirpath.values.items import Items, Node, value_of


@function("getResourceKey", 0, STRING)
def _resource_key(items: Items, env: Env) -> Items:
    return [
        f"{item.type}/{item.value['id']}"
        for item in items
        if isinstance(item, Node)
        and item.type in resource_types()
        and isinstance(item.value, dict)
        and isinstance(item.value.get("id"), str)
    ]


@function("getReferenceKey", (0, 1), STRING)
def _reference_key(items: Items, env: Env, wanted: Items | None = None) -> Items:
    types = {value_of(one) for one in wanted or ()}
    found: Items = []
    for item in items:
        named = reference_type(item)
        if isinstance(item, Node) and item.type == "Reference" and named and (not types or named in types):
            address = str(item.value.get("reference", "")).partition("/_history/")[0]
            found.append(f"{named}/{address.rpartition('/')[2]}")
    return found
