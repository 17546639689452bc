"""Every FHIRPath expression of R4's definitions, with the type that it applies to."""

from collections.abc import Iterator

from esante.core.fhir.definitions import Invariant, SearchParameter, invariants, search_parameters
from esante.core.fhir.fhirpath.expression import compile_path
from esante.core.fhir.fhirpath.types import element_types, is_fhir_type


def iterate_spec_expressions() -> Iterator[tuple[str, str, str | None]]:
    """Yield for each expression its source, its text, and the type that it applies to; None where that is a choice."""
    for invariant in invariants():
        yield f"{invariant.path} {invariant.key}", invariant.expression, constrained_type(invariant)
    for parameter in search_parameters():
        for base in parameter.base if parameter.expression else ():
            yield f"SearchParameter {parameter.code} of {base}", parameter.expression or "", base
            for _, expression in parameter.components:
                for type_ in _component_contexts(parameter, base):
                    yield f"SearchParameter {parameter.code} of {base}", expression, type_


def constrained_type(invariant: Invariant) -> str | None:
    """Return the type that a constraint applies to; None where it applies to a choice of types."""
    if is_fhir_type(invariant.path):
        return invariant.path
    owner, _, name = invariant.path.rpartition(".")
    types = element_types(owner, name.removesuffix("[x]"))
    return next(iter(types)) if types and len(types) == 1 else None


def _component_contexts(parameter: SearchParameter, base: str) -> Iterator[str | None]:
    """Yield the types from which the components of a composite parameter start."""
    types = compile_path(parameter.expression or "", base).types
    yield from sorted(types) if types else [None]
