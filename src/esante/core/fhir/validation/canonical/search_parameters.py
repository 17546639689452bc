"""Rules of SearchParameter and of the search parameters in a CapabilityStatement.

Source: FHIR R4, SearchParameter (derivedFrom, base, expression, component) and CapabilityStatement
(rest.resource.searchParam.type); Search (section 3.1.1.5.11, composite).
"""

import functools
from collections.abc import Iterator

from esante.core.fhir.definitions import SearchParameter, search_parameters
from esante.core.fhir.fhirpath import PathError, parse_path, resource_types, split_union, unparse_path
from esante.core.fhir.model import ElementPath, Finding
from esante.core.types import Json

_LEAST_COMPONENTS = 2


@functools.cache
def _known() -> dict[str, SearchParameter]:
    return {each.url: each for each in search_parameters()}


def check_search_parameter(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for every rule that a SearchParameter breaks."""
    bases = {each for each in resource.get("base", ()) if isinstance(each, str)}
    if resource.get("type") == "composite" and len(resource.get("component", ())) < _LEAST_COMPONENTS:
        yield _error((*path, "component"), "A parameter of the type composite has two or more components. Add them.")
    yield from _check_origin(resource, bases, path)
    expression = resource.get("expression")
    if isinstance(expression, str):
        for type_ in sorted(bases - _types_in(expression)):
            text = f"No part of the expression is about {type_}, which is in base. Add one, or remove it from base."
            yield _error((*path, "expression"), text)


def _check_origin(resource: Json, bases: set[str], path: ElementPath) -> Iterator[Finding]:
    """Check the consistency with the parameter of R4 that this one is derived from."""
    origin = _known().get(str(resource.get("derivedFrom")).partition("|")[0])
    if origin is None:
        return
    if resource.get("type") != origin.type:
        text = f"{origin.url}, from which this parameter is derived, has the type {origin.type}. Use the same."
        yield _error((*path, "type"), text)
    if {"Resource", "DomainResource"}.isdisjoint(origin.base) and not bases.issubset(origin.base):
        others = ", ".join(sorted(bases.difference(origin.base)))
        text = f"{origin.url}, from which this parameter is derived, is about {', '.join(origin.base)}, not {others}."
        yield _error((*path, "base"), text)


def _types_in(expression: str) -> frozenset[str]:
    """Return the types of resources that an expression can be about: all, unless each part begins with one."""
    try:
        parts = [unparse_path(each) for each in split_union(parse_path(expression))]
    except PathError:
        return frozenset({*resource_types(), "Resource", "DomainResource"})
    named = {part.lstrip("(").partition(".")[0] for part in parts}
    abstract = {"Resource", "DomainResource"}
    return frozenset(named) if named <= resource_types() else frozenset({*resource_types(), *abstract})


def check_capability_statement(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for each search parameter whose type is not that of its definition in R4."""
    for number, rest in enumerate(resource.get("rest", ())):
        listed = [((*path, "rest", number), rest)]
        listed += [((*path, "rest", number, "resource", n), each) for n, each in enumerate(rest.get("resource", ()))]
        for where, owner in listed:
            for index, each in enumerate(owner.get("searchParam", ())):
                known = _known().get(str(each.get("definition")).partition("|")[0])
                if known is not None and each.get("type") != known.type:
                    text = f"The type of {known.url} is {known.type}, not {each.get('type')}."
                    yield _error((*where, "searchParam", index, "type"), text)


def _error(path: ElementPath, text: str) -> Finding:
    return Finding("error", "business-rule", path, text)
