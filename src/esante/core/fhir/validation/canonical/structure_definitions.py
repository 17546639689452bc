"""Rules of StructureDefinition: the paths of a profile are those of elements of its type.

Source: FHIR R4, StructureDefinition (section 5.3.2, differential) and ElementDefinition.path.
"""

from collections.abc import Iterator

from esante.core.fhir.fhirpath import Field, fields, resource_types
from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.types import Json

_R4 = "http://hl7.org/fhir/StructureDefinition/"


def check_structure_definition(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for each element of a profile on a type of R4 whose path R4 does not have."""
    type_ = str(resource.get("type"))
    if resource.get("derivation") != "constraint" or resource.get("kind") == "logical" or not fields(type_):
        return
    for view in ("differential", "snapshot"):
        for index, element in enumerate(resource.get(view, {}).get("element", ())):
            given = element.get("path")
            if (
                isinstance(given, str)
                and given.partition(".")[0] == type_
                and not _exists(type_, given.split(".")[1:])
            ):
                text = f"{given[:120]} is no element of {type_} in FHIR R4. Correct the path."
                yield Finding("error", "business-rule", (*path, view, "element", index, "path"), text)


def _exists(type_: str, steps: list[str]) -> bool:
    """Return whether elements lead from a type along the steps; a choice stands for each of its types."""
    types = {type_}
    for step in steps:
        found = [field for each in types for field in [_field(each, step)] if field is not None]
        types = {option for field in found for option in field}
        if not found:
            return False
    return True


def _field(type_: str, step: str) -> set[str] | None:
    """Return the types of an element, None where the type has no such element.

    `value[x]` is a choice, `valueQuantity` one of it.
    """
    if type_ in PRIMITIVES and step in ("value", "id", "extension"):
        return {"Extension"} if step == "extension" else {"string"}
    known: dict[str, Field] = fields(type_)
    name = step.removesuffix("[x]")
    field = known.get(name)
    if field is not None:
        options = {option.type for option in field.options}
        is_choice = field.options[0].name != name
        return _expand(options) if step.endswith("[x]") == is_choice else None
    return next(
        (_expand({option.type}) for each in known.values() for option in each.options if option.name == step), None
    )


def _expand(types: set[str]) -> set[str]:
    return set(resource_types()) | {"DomainResource"} if types & {"Resource"} else types
