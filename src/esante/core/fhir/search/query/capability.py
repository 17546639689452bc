"""The search parameters of a type in a CapabilityStatement."""

import functools
import re
from typing import NamedTuple

from esante.core.fhir.definitions import search_parameters
from esante.core.fhir.search.parameters import Parameter, parameters_of
from esante.core.fhir.search.query.parser import supports_modifier

_MODIFIERS = ("exact", "contains", "text", "not", "in", "not-in", "of-type", "identifier", "above", "below")
_OF_TYPE = re.compile(r"\* \[(\w+)\]\([^)]*\): ([^\r\n]*)")


class SupportedParameter(NamedTuple):
    """A supported search parameter: its name, type, the address of its definition, and its documentation."""

    name: str
    type: str
    definition: str
    documentation: str


def supported_parameters(type_: str) -> tuple[SupportedParameter, ...]:
    """Return the search parameters of a resource type. Raises: `KeyError` for no type of R4."""
    return tuple(
        SupportedParameter(p.code, p.type, p.url, _documentation(type_, p)) for p in parameters_of(type_).values()
    )


def _documentation(type_: str, parameter: Parameter) -> str:
    description = _descriptions()[parameter.url]
    of_types = dict(_OF_TYPE.findall(description))
    text = of_types.get(type_) or ("" if of_types else description)
    names = ["missing"] if parameter.type != "composite" else []
    names += [modifier for modifier in _MODIFIERS if supports_modifier(parameter, modifier)]
    names += ["[type]"] if parameter.type == "reference" else []
    modifiers = f"Modifiers: {', '.join(names)}." if names else ""
    return " ".join(part for part in (text and f"{text.strip().rstrip('.')}.", modifiers) if part)


@functools.cache
def _descriptions() -> dict[str, str]:
    return {each.url: each.description for each in search_parameters()}
