"""FHIR datatypes as text for a reader.

Every function accepts any value, and returns "" for one that is not of the expected form.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from esante.core.fhir.view.model import Detail, When
from esante.core.types import Json

_SKIPPED = frozenset(
    [
        "resourceType",
        "id",
        "meta",
        "text",
        "contained",
        "extension",
        "implicitRules",
        "language",
        "identifier",
        "subject",
        "patient",
        "category",
    ]
)
_DEPTH = 6
_DATE = re.compile(r"\d{4}-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?")


def items(value: Any) -> list[Any]:
    """Return the values of an element, whether it repeats or not, without nulls."""
    found = value if isinstance(value, list) else [value]
    return [item for item in found if item is not None]


def string(value: Any) -> str:
    """Return a primitive as text."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value.strip()
        case None | dict() | list():
            return ""
        case _:
            return str(value)


def choice_value(resource: Json, stem: str) -> tuple[str, Any]:
    """Return type and value of a choice element: `choice_value(r, "value")` finds `valueQuantity`.

    ("", None) when it is absent.
    """
    for key, value in resource.items():
        if key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper():
            return key[len(stem) :], value
    return "", None


def concept(value: Any) -> str:
    """Return one or several CodeableConcepts as text: the text, or the first display, or the first code of each."""
    return join_distinct(_concept(item) for item in items(value))


def _concept(value: Any) -> str:
    if not isinstance(value, dict):
        return string(value)
    codings = [c for c in items(value.get("coding")) if isinstance(c, dict)]
    options = [value.get("text"), *(c.get("display") for c in codings), *(c.get("code") for c in codings)]
    return next((string(option) for option in options if string(option)), "")


def code(value: Any) -> str:
    """Return the first code of a CodeableConcept."""
    for item in items(value):
        for coding in items(item.get("coding")) if isinstance(item, dict) else ():
            if isinstance(coding, dict) and string(coding.get("code")):
                return string(coding["code"])
    return ""


def quantity(value: Any) -> tuple[str, str]:
    """Return number (with its comparator) and unit of a Quantity."""
    if not isinstance(value, dict):
        return "", ""
    number = string(value.get("value"))
    return string(value.get("comparator")) + number, string(value.get("unit")) or string(value.get("code"))


def amount(value: Any) -> str:
    """Return a Quantity in one text."""
    return " ".join(part for part in quantity(value) if part)


def person_name(value: Any) -> str:
    """Return the name to show from a list of HumanNames: the official one, else the usual one, else the first."""
    names = [n for n in items(value) if isinstance(n, dict)]
    order = {"official": 0, "usual": 1, "old": 9, "maiden": 8}
    for name in sorted(names, key=lambda n: order.get(string(n.get("use")), 5)):
        parts = [
            *items(name.get("prefix")),
            *items(name.get("given")),
            name.get("family"),
            *items(name.get("suffix")),
        ]
        text = string(name.get("text")) or " ".join(string(part) for part in parts if string(part))
        if text:
            return text
    return ""


def when(kind: str, value: Any) -> When:
    """Return the time span in a choice of dateTime, Period, Age, Range, string or Timing."""
    match kind:
        case "DateTime" | "Date" | "Instant":
            return When(start=string(value))
        case "Period" if isinstance(value, dict):
            return When(start=string(value.get("start")), end=string(value.get("end")))
        case _:
            return When(text=describe(value))


def join_distinct(parts: Iterable[str]) -> str:
    """Join the texts that are not empty, each once."""
    return "; ".join(dict.fromkeys(part for part in parts if part))


def dosage(value: Any) -> str:
    """Return the text of dosage instructions, or dose, timing and route as far as they are coded."""
    return join_distinct(_dosage(item) for item in items(value))


def _dosage(value: Any) -> str:
    if not isinstance(value, dict):
        return string(value)
    text = string(value.get("text"))
    if text:
        return text
    doses = [
        describe(choice_value(rate, stem)[1]) for rate in _objects(value, "doseAndRate") for stem in ("dose", "rate")
    ]
    rest = [timing(value.get("timing")), concept(value.get("route")), string(value.get("patientInstruction"))]
    return join_distinct([*doses, *rest])


def timing(value: Any) -> str:
    """Return a Timing as text, such as "2 / 1 d"."""
    if not isinstance(value, dict):
        return ""
    repeat = value.get("repeat")
    rhythm = ""
    if isinstance(repeat, dict) and "period" in repeat:
        often = string(repeat.get("frequency")) or "1"
        rhythm = f"{often} / {string(repeat['period'])} {string(repeat.get('periodUnit'))}".strip()
    parts = [concept(value.get("code")), rhythm]
    if isinstance(repeat, dict):
        parts += [", ".join(map(string, items(repeat.get(key)))) for key in ("when", "timeOfDay", "dayOfWeek")]
    return join_distinct(parts)


def remaining_elements(resource: Json, shown: Iterable[str]) -> Json:
    """Return the elements of a resource that are not in `shown` (names or stems of choices) and are of use to a
    reader."""
    stems = tuple(shown)
    return {
        key: value
        for key, value in resource.items()
        if key not in _SKIPPED and not key.startswith("_") and not any(_matches_stem(key, stem) for stem in stems)
    }


def _matches_stem(key: str, stem: str) -> bool:
    return key == stem or (key.startswith(stem) and key[len(stem)].isupper())


def describe(value: Any, depth: int = 0) -> str:
    """Return any datatype as text, by its properties."""
    if isinstance(value, list):
        return join_distinct(describe(item, depth) for item in value)
    if not isinstance(value, dict):
        return string(value)
    if depth > _DEPTH:
        return "..."
    return _recognised(value) or _describe_properties(value, depth)


def _recognised(value: Json) -> str:
    """Return the text of a datatype that is recognised by its properties; "" for others."""
    keys = value.keys()
    if "coding" in keys or keys <= {"text", "id"}:
        return _concept(value)
    if {"system", "code"} <= keys and "value" not in keys:
        return string(value.get("display")) or string(value["code"])
    if "reference" in keys or keys <= {"display", "type", "identifier", "id"}:
        return string(value.get("display")) or string(value.get("type")) or _visible_address(value)
    if "value" in keys and keys <= {"value", "unit", "code", "system", "comparator", "id"}:
        return amount(value)
    if keys & {"family", "given"}:
        return person_name(value)
    if keys <= {"start", "end", "id"}:
        return f"{string(value.get('start'))} - {string(value.get('end'))}".strip()
    if keys & {"low", "high"} and keys <= {"low", "high", "id"}:
        return f"{amount(value.get('low'))} - {amount(value.get('high'))}".strip()
    if "contentType" in keys or "data" in keys:
        return join_distinct([string(value.get("title")), string(value.get("contentType"))])
    return ""


def _visible_address(reference: Json) -> str:
    """Return the address of a reference; "" for one that is only an identifier inside the document."""
    address = string(reference.get("reference"))
    return "" if address.startswith(("urn:", "#")) else address


def _describe_properties(value: Json, depth: int) -> str:
    return join_distinct(
        f"{key}: {text}" for key, item in value.items() if _is_content(key) and (text := describe(item, depth + 1))
    )


def detail(name: str, value: Any, depth: int = 0) -> tuple[Detail, ...]:
    """Return an element by its form, a repeated one as one detail for each value; without those that say nothing."""
    values = items(value)
    if len(values) > 1 and not any(isinstance(each, dict) and not _recognised(each) for each in values):
        values = [values] if not any(_when(each) for each in values) else values
    made = (_detail(name, each, depth) for each in values)
    return tuple(each for each in made if each.text)


def _detail(name: str, value: Any, depth: int) -> Detail:
    words = describe(value, depth)
    if found := _when(value):
        return Detail(name, words, when=found)
    if not isinstance(value, dict):
        return Detail(name, words, is_primitive=not isinstance(value, list))
    if value.keys() <= {"value", "unit", "code", "system", "comparator", "id"} and "value" in value:
        number, unit = quantity(value)
        return Detail(name, words, number=number, unit=unit)
    if _recognised(value) or depth >= _DEPTH:
        return Detail(name, words)
    parts = [each for key, item in value.items() if _is_content(key) for each in detail(key, item, depth + 1)]
    return Detail(name, words, parts=tuple(parts))


def _when(value: Any) -> When:
    """Return the time in a date, dateTime, instant or Period; an empty one for other values."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        return When(start=value)
    if isinstance(value, dict) and value and value.keys() <= {"start", "end", "id"}:
        return When(start=string(value.get("start")), end=string(value.get("end")))
    return When()


def _is_content(key: str) -> bool:
    return key not in ("id", "extension", "resourceType") and not key.startswith("_")


def _objects(value: Json, key: str) -> Iterator[Json]:
    return (item for item in items(value.get(key)) if isinstance(item, dict))
