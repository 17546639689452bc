"""The values of an element, and whether they are those that a profile expects."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Any, NamedTuple

from esante.core.fhir.fhirpath import Option, fields
from esante.core.fhir.json_codec import encode
from esante.core.fhir.model import Path
from esante.core.fhir.primitives import PRIMITIVES

_MAX_TOLD = 300
Json = dict[str, Any]


class Item(NamedTuple):
    """A value with its FHIR type and place; `extra` is the object beside a primitive, whose value may be None."""

    value: Any
    type: str
    path: Path
    extra: Any = None

    @property
    def owner(self) -> Json:
        """The object that holds the elements below this one."""
        held = self.extra if self.type in PRIMITIVES else self.value
        return held if isinstance(held, dict) else {}

    def below(self, name: str) -> list["Item"]:
        """The values of an element below this one."""
        field = fields(self.type).get(name)
        return [item for option in field.options for item in self._values(option, field.many)] if field else []

    def along(self, steps: tuple[str, ...]) -> list["Item"]:
        """The values at the end of some steps down."""
        found = [self]
        for step in steps:
            found = [inner for item in found for inner in item.below(step)]
        return found

    def _values(self, option: Option, many: bool) -> Iterator["Item"]:
        beside_name = option.extensions or ""
        value, extra = self.owner.get(option.name), self.owner.get(beside_name)
        here = (*self.path, beside_name if value is None and extra is not None else option.name)
        if many:
            for index, (one, beside) in enumerate(zip_longest(value or (), extra or ())):
                yield _item(one, option.type, (*here, index), beside)
        elif value is not None or extra is not None:
            yield _item(value, option.type, here, extra)


def _item(value: Any, type_: str, path: Path, extra: Any) -> Item:
    if type_ == "Resource" and isinstance(value, dict):
        type_ = str(value.get("resourceType"))
    return Item(value, type_, path, extra)


def is_expected(value: Any, wanted: Any, *, whole: bool) -> bool:
    """Whether a value is what is wanted, or (not `whole`) has at least as much."""
    match wanted:
        case dict():
            if not isinstance(value, dict) or (whole and value.keys() != wanted.keys()):
                return False
            return all(name in value and is_expected(value[name], each, whole=whole) for name, each in wanted.items())
        case list() if not isinstance(value, list):
            return False
        case list() if whole:
            pairs = zip(value, wanted, strict=False)
            return len(value) == len(wanted) and all(is_expected(one, each, whole=True) for one, each in pairs)
        case list():
            return all(any(is_expected(one, each, whole=False) for one in value) for each in wanted)
        case bool() | None:
            return value is wanted
        case _ if isinstance(value, bool):
            return False
        case str() if isinstance(value, Decimal | int):
            return _number(wanted) == value
        case _:
            return bool(value == wanted)


def _number(text: str) -> Decimal | None:
    """A decimal of a profile; None of a text that is none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def is_coded(item: Item, systems: dict[str, tuple[str, ...]]) -> bool:
    """Whether a value is, or has, one of the codes."""
    match item.type:
        case "CodeableConcept":
            codings = item.owner.get("coding", ())
        case "Coding" | "Quantity":
            codings = (item.owner,)
        case _:
            return any(item.value in codes for codes in systems.values())
    return any(coding.get("code") in systems.get(coding.get("system"), ()) for coding in codings)


def shown(value: Any) -> str:
    """A value as it may stand in a message; a coding as system|code."""
    match value:
        case None:
            return "nothing"
        case {"coding": [dict() as coding], **others} if not others:
            return shown(coding)
        case {"system": str(system), "code": str(code)}:
            text = f"{system}|{code}"
        case str():
            text = f'"{value}"'
        case _:
            text = encode(value).decode()
    return text if len(text) <= _MAX_TOLD else f"{text[: _MAX_TOLD - 3]}..."
