"""Locations in a JSON document as FHIRPath expressions."""

from typing import Any

from esante.core.fhir.model import ElementPath
from esante.core.fhir.validation.structure_validator import json_properties

_QUOTED = frozenset({"div", "mod", "and", "or", "xor", "implies"})
"""Names that FHIRPath reads as operators and that R4 uses for elements (Narrative.div)."""


def location_expression(resource: Any, path: ElementPath) -> str:
    """Return the FHIRPath of an element: `Bundle.entry[3].resource.value.ofType(Quantity).code`.

    Unknown elements keep the name that they have in the JSON. "" where there is no resource.
    """
    type_name = _resource_type(resource)
    if not type_name:
        return ""
    text, value = type_name, resource
    for step in path:
        value = _child(value, step)
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            known = json_properties(type_name).get(step)
            text += "." + _quoted(known.element.name if known else step)
            if known and known.element.choice:
                text += f".ofType({known.code})"
            type_name = "" if known is None else "Element" if known.extension else known.code
        if type_name == "Resource" and isinstance(value, dict):
            type_name = _resource_type(value)
    return text


def _resource_type(value: Any) -> str:
    """Return the `resourceType` of a resource; "" when there is none."""
    name = value.get("resourceType") if isinstance(value, dict) else None
    return name if isinstance(name, str) and name.isidentifier() else ""


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _quoted(name: str) -> str:
    if name.isascii() and name.isidentifier() and len(name) <= 64 and name not in _QUOTED:
        return name
    return f"`{name[:64]}`"
