"""Primitives without a value: the object beside one has extensions, and a reason is no code of a required binding.

Sources: FHIR R4, Element (ele-1), JSON (primitive elements), Using Codes (section 4.1.5: the required code SHALL be
from the value set).
"""

from collections.abc import Iterator

from esante.core.fhir.model import Finding
from esante.core.fhir.validation.elements.places import Item, Place

_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def check_absent_value(place: Place, item: Item) -> Iterator[Finding]:
    """Yield a finding for a primitive, by the object beside it, without value and extension, or required code."""
    beside, path = item.value, item.path
    if not isinstance(beside, dict) or _value(place, path[len(place.path) :]) is not None:
        return
    extensions = beside.get("extension", ())
    if not extensions:
        text = "The element has an id and no value or extension (ele-1). Give it one, or leave it out."
        yield Finding("error", "invariant", path, text)
    elif (codes := item.definition.element.codes) and any(each.get("url") == _ABSENT_REASON for each in extensions):
        text = (
            f"The code is absent, and one of {codes} is required. Give one, such as unknown, or leave the element out."
        )
        yield Finding("error", "code-invalid", path, text)


def _value(place: Place, steps: tuple[str | int, ...]) -> object:
    """Return the value beside the object at some steps; None for none."""
    value = place.value.get(str(steps[0]).removeprefix("_"))
    if len(steps) > 1 and isinstance(steps[1], int):
        return value[steps[1]] if isinstance(value, list) and steps[1] < len(value) else None
    return value
