"""Rules of R4 about canonical resources, which describe systems and terminologies, that it states as text only.

- `check_canonical_resource(resource, path)`: the rules for the type of a resource.
"""

from collections.abc import Callable, Iterator

from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.validation.canonical.code_systems import check_code_system
from esante.core.fhir.validation.canonical.questionnaires import check_questionnaire
from esante.core.fhir.validation.canonical.search_parameters import check_capability_statement, check_search_parameter
from esante.core.fhir.validation.canonical.structure_definitions import check_structure_definition
from esante.core.fhir.validation.canonical.value_sets import check_concept_map, check_value_set
from esante.core.types import Json

_CHECKS: dict[str, Callable[[Json, ElementPath], Iterator[Finding]]] = {
    "CapabilityStatement": check_capability_statement,
    "CodeSystem": check_code_system,
    "ConceptMap": check_concept_map,
    "Questionnaire": check_questionnaire,
    "SearchParameter": check_search_parameter,
    "StructureDefinition": check_structure_definition,
    "ValueSet": check_value_set,
}

__all__ = ["check_canonical_resource"]


def check_canonical_resource(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for every rule that a resource with a valid structure breaks; nothing for other types."""
    check = _CHECKS.get(resource["resourceType"])
    yield from check(resource, path) if check else ()
