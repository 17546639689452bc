"""Primitives without a value: the object beside one has extensions, and a reason is no code of a required binding.

Sources: FHIR R4, Element (ele-1), JSON (primitive elements), Using Codes (section 4.1.5: the required code SHALL be
from the value set).
"""

from collections.abc import Iterator

from esante.core.fhir.model import Finding
from esante.core.fhir.validation.elements.places import Place

_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def check_absent_values(place: Place) -> Iterator[Finding]:
    """Yield a finding for each primitive of an object that has neither value nor extension, or no required code."""
    for definition, beside, path in place.items():
        if (
            not definition.extension
            or not isinstance(beside, dict)
            or _value(place, path[len(place.path) :]) is not None
        ):
            continue
        extensions = beside.get("extension", ())
        if not extensions:
            text = "The element has an id and no value or extension (ele-1). Give it one, or leave it out."
            yield Finding("error", "invariant", path, text)
        elif definition.element.codes and any(each.get("url") == _ABSENT_REASON for each in extensions):
            text = f"The code is absent, and one of {definition.element.codes} is required. Give one, such as unknown,"
            yield Finding("error", "code-invalid", path, f"{text} or leave the element out.")


def _value(place: Place, steps: tuple[str | int, ...]) -> object:
    """Return the value beside the object at some steps; None for none."""
    value = place.value.get(str(steps[0]).removeprefix("_"))
    if len(steps) > 1 and isinstance(steps[1], int):
        return value[steps[1]] if isinstance(value, list) and steps[1] < len(value) else None
    return value
