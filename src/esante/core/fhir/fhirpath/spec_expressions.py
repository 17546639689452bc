"""Every FHIRPath expression of R4's definitions, with the type that it is about."""

from collections.abc import Iterator

from esante.core.fhir.definitions import Invariant, SearchParameter, invariants, search_parameters
from esante.core.fhir.fhirpath.expression import compile_path
from esante.core.fhir.fhirpath.types import below, known


def expressions() -> Iterator[tuple[str, str, str | None]]:
    """Where it is stated, the expression, and the type of what it is about; None where that is one of several."""
    for invariant in invariants():
        yield f"{invariant.path} {invariant.key}", invariant.expression, subject(invariant)
    for parameter in search_parameters():
        for base in parameter.base if parameter.expression else ():
            yield f"SearchParameter {parameter.code} of {base}", parameter.expression or "", base
            for _, expression in parameter.components:
                for type_ in _found(parameter, base):
                    yield f"SearchParameter {parameter.code} of {base}", expression, type_


def subject(invariant: Invariant) -> str | None:
    """The type that a constraint is about."""
    if known(invariant.path):
        return invariant.path
    owner, _, name = invariant.path.rpartition(".")
    types = below(owner, name.removesuffix("[x]"))
    return next(iter(types)) if types and len(types) == 1 else None


def _found(parameter: SearchParameter, base: str) -> Iterator[str | None]:
    """The types that the components of a composite parameter start from."""
    types = compile_path(parameter.expression or "", base).types
    yield from sorted(types) if types else [None]
