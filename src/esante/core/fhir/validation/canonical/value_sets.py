"""Rules of ValueSet and ConceptMap: the code systems that they name, their codes and filters.

Source: FHIR R4, ValueSet (section 4.9, definitions of compose) and ConceptMap (section 4.10, group).
"""

from collections.abc import Iterator
from dataclasses import replace

from esante.core.fhir.definitions import terminology
from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.validation.canonical.code_systems import property_type
from esante.core.fhir.validation.known_codes import check_code, is_value_set
from esante.core.types import Json

_BOOLEANS = ("true", "false")


def check_value_set(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for every rule that a ValueSet breaks."""
    compose = resource.get("compose", {})
    for part in ("include", "exclude"):
        for index, each in enumerate(compose.get(part, ())):
            system = each.get("system")
            if isinstance(system, str):
                yield from _check_part(each, system, (*path, "compose", part, index))


def check_concept_map(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a warning for every code of R4's own code systems that a ConceptMap has and they do not have.

    The code of an element may be a path too.
    """
    for index, group in enumerate(resource.get("group", ())):
        for number, element in enumerate(group.get("element", ())):
            where = (*path, "group", index, "element", number)
            codes = [("source", element, where)]
            codes += [("target", each, (*where, "target", n)) for n, each in enumerate(element.get("target", ()))]
            for side, owner, place in codes:
                system, code = group.get(side), owner.get("code")
                if isinstance(system, str) and isinstance(code, str):
                    for each in check_code(system, code, (*place, "code"), group.get(f"{side}Version")):
                        yield replace(each, severity="warning")


def _check_part(part: Json, system: str, path: ElementPath) -> Iterator[Finding]:
    if is_value_set(system):
        text = f"{system[:120]} is a value set. Name it in valueSet; system is the address of a code system."
        yield Finding("error", "code-invalid", (*path, "system"), text)
    for index, concept in enumerate(part.get("concept", ())):
        if isinstance(concept.get("code"), str):
            yield from check_code(system, concept["code"], (*path, "concept", index, "code"), part.get("version"))
    for index, each in enumerate(part.get("filter", ())):
        yield from _check_filter(each, system, (*path, "filter", index))


def _check_filter(each: Json, system: str, path: ElementPath) -> Iterator[Finding]:
    name, operator, value = (each.get(key) for key in ("property", "op", "value"))
    known = terminology().code_systems.get(system)
    operators = known.filters.get(str(name)) if known else None
    if operators is not None and operator not in operators:
        text = f"The code system has the filter {name} with the operator {' or '.join(operators)}, not {operator}."
        yield Finding("error", "code-invalid", (*path, "op"), text)
    is_boolean = operator == "exists" or (operator == "=" and property_type(system, str(name)) == "boolean")
    if is_boolean and isinstance(value, str) and value not in _BOOLEANS:
        text = f'The value of this filter is true or false, not "{value[:80]}".'
        yield Finding("error", "value", (*path, "value"), text)
