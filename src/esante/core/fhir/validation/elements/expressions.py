"""Expressions in FHIRPath: they can be parsed.

Source: FHIR R4, Expression.language and the definitions of the elements that are FHIRPath.
"""

from collections.abc import Iterator

from esante.core.fhir.fhirpath import PathError, parse_path
from esante.core.fhir.model import Finding
from esante.core.fhir.validation.elements.places import Place

_FHIRPATH = "text/fhirpath"
#: The elements that are FHIRPath by definition, by type.
_ELEMENTS = {
    "ElementDefinition.constraint": ("expression",),
    "GraphDefinition.link": ("path",),
    "SearchParameter": ("expression",),
    "SearchParameter.component": ("expression",),
    "StructureDefinition": ("contextInvariant",),
    "TestScript.setup.action.assert": ("expression", "compareToSourceExpression"),
    "TestScript.variable": ("expression",),
}


def check_expressions(place: Place) -> Iterator[Finding]:
    """Yield a finding for each expression of an object that is no FHIRPath."""
    names = _ELEMENTS.get(place.type, ())
    if place.type == "Expression" and place.value.get("language") == _FHIRPATH:
        names = ("expression",)
    for item in place.items if names else ():
        if item.definition.element.name in names and isinstance(item.value, str):
            try:
                parse_path(item.value)
            except PathError as error:
                yield Finding("error", "value", item.path, f"The expression is no FHIRPath: {error}.")
