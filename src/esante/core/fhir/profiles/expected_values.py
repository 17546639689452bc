"""The values of an element, and their comparison with the value or codes that a profile expects."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Any, NamedTuple

from esante.core.fhir.fhirpath import Option, fields
from esante.core.fhir.json_codec import encode
from esante.core.fhir.model import ElementPath
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.types import Json

_MAX_FORMATTED = 300
"""Characters of a value in a message."""


class ElementValue(NamedTuple):
    """A value with its FHIR type and path; `extension` is the object beside a primitive, whose value may be None."""

    value: Any
    type: str
    path: ElementPath
    extension: Any = None

    @property
    def properties(self) -> Json:
        """The object with the elements below this one."""
        properties = self.extension if self.type in PRIMITIVES else self.value
        return properties if isinstance(properties, dict) else {}

    def children(self, name: str) -> list["ElementValue"]:
        """Return the values of the element `name` below this one."""
        field = fields(self.type).get(name)
        return [value for option in field.options for value in self._values_of(option, field.many)] if field else []

    def descendants(self, steps: tuple[str, ...]) -> list["ElementValue"]:
        """Return the values at the end of some steps down."""
        values = [self]
        for step in steps:
            values = [child for value in values for child in value.children(step)]
        return values

    def _values_of(self, option: Option, many: bool) -> Iterator["ElementValue"]:
        extension_name = option.extensions or ""
        value, extension = self.properties.get(option.name), self.properties.get(extension_name)
        here = (*self.path, extension_name if value is None and extension is not None else option.name)
        if many:
            for index, (each, beside) in enumerate(zip_longest(value or (), extension or ())):
                yield _element_value(each, option.type, (*here, index), beside)
        elif value is not None or extension is not None:
            yield _element_value(value, option.type, here, extension)


def _element_value(value: Any, type_: str, path: ElementPath, extension: Any) -> ElementValue:
    if type_ == "Resource" and isinstance(value, dict):
        type_ = str(value.get("resourceType"))
    return ElementValue(value, type_, path, extension)


def matches_expected(value: Any, expected: Any, *, exact: bool) -> bool:
    """Return whether a value is the expected one, or (not `exact`) contains it, as for a pattern."""
    match expected:
        case dict():
            if not isinstance(value, dict) or (exact and value.keys() != expected.keys()):
                return False
            return all(
                name in value and matches_expected(value[name], each, exact=exact) for name, each in expected.items()
            )
        case list() if not isinstance(value, list):
            return False
        case list() if exact:
            pairs = zip(value, expected, strict=False)
            return len(value) == len(expected) and all(matches_expected(one, each, exact=True) for one, each in pairs)
        case list():
            return all(any(matches_expected(one, each, exact=False) for one in value) for each in expected)
        case bool() | None:
            return value is expected
        case _ if isinstance(value, bool):
            return False
        case str() if isinstance(value, Decimal | int):
            return _decimal(expected) == value
        case _:
            return bool(value == expected)


def _decimal(text: str) -> Decimal | None:
    """Return a decimal of a profile; None for a text that is no number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def has_code_of(element: ElementValue, systems: dict[str, tuple[str, ...]]) -> bool:
    """Return whether a value is one of the codes, or has one of them; `systems`: code system -> codes."""
    match element.type:
        case "CodeableConcept":
            codings = element.properties.get("coding", ())
        case "Coding" | "Quantity":
            codings = (element.properties,)
        case _:
            return any(element.value in codes for codes in systems.values())
    return any(coding.get("code") in systems.get(coding.get("system"), ()) for coding in codings)


def format_value(value: Any) -> str:
    """Return a value for a message, of at most 300 characters; a coding as system|code."""
    match value:
        case None:
            return "nothing"
        case {"coding": [dict() as coding], **others} if not others:
            return format_value(coding)
        case {"system": str(system), "code": str(code)}:
            text = f"{system}|{code}"
        case str():
            text = f'"{value}"'
        case _:
            text = encode(value).decode()
    return text if len(text) <= _MAX_FORMATTED else f"{text[: _MAX_FORMATTED - 3]}..."
