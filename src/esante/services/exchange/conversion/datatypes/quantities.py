"""Numbers and quantities: PQ, IVL_PQ, RTO, INT, REAL of CDA; Quantity, Range, Ratio, integers of FHIR."""

import re
from decimal import Decimal
from typing import Any

from esante.core.types import Json
from esante.services.exchange.cda import TYPE
from esante.services.exchange.conversion.datatypes.base import (
    Primitive,
    ReadContext,
    WriteContext,
    absent_extensions,
    sub,
    write_absent,
    xml_text,
)
from esante.services.exchange.conversion.ledger import UNREADABLE, Fate
from esante.services.exchange.conversion.nodes import Node

UCUM = "http://unitsofmeasure.org"
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?", re.ASCII)
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,8})", re.ASCII)
_CODE = re.compile(r"[^\s]+")
_BOUNDS = {"<": ("high", "false"), "<=": ("high", "true"), ">": ("low", "false"), ">=": ("low", "true")}


class Amount:
    """A Quantity; a comparator needs the type IVL_PQ (`Bounded`)."""

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the quantity."""
        found: Json = {}
        text = node.attributes.get("value")
        if text is not None and _DECIMAL.fullmatch(text.strip()):
            node.take("value", target)
            found["value"] = Decimal(text.strip())
        elif text is not None:
            node.lose("value", UNREADABLE)
        unit = node.take("unit", target)
        translation = node.child("translation")
        words = translation.child("originalText") if translation is not None else None
        shown = words.take_text(target, Fate.MOVED) if words is not None else None
        if unit and unit.strip():
            found["unit"] = shown or unit.strip()
            if _CODE.fullmatch(unit.strip()):
                found |= {"system": UCUM, "code": unit.strip()}
        elif shown:
            found["unit"] = shown
        if not found or "value" not in found:
            absent = absent_extensions(node, target)
            if absent:
                found["extension"] = list(absent)
        return found or None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the quantity; one with a comparator is not written, since the number alone says another thing."""
        value: Json = container[key]
        written = write_absent(value, element, context)
        if "comparator" in value:
            return written
        return write_amount(value, element, context) or written


def write_amount(value: Json, element: Any, context: WriteContext) -> bool:
    """Write number and unit of a quantity; tell whether there is a number."""
    if "value" not in value:
        return False
    element.set("value", str(context.take(value, "value", element, "value")))
    code = value.get("code") if value.get("system", UCUM) == UCUM else None
    unit = value.get("unit")
    if code:
        element.set("unit", xml_text(context.take(value, "code", element, "unit")))
        if "system" in value:
            context.take(value, "system", element, "unit", Fate.MERGED)
        if unit == code:
            context.take(value, "unit", element, "unit", Fate.MERGED)
    if unit and unit != code:
        words = sub(sub(element, "translation"), "originalText")
        words.text = xml_text(context.take(value, "unit", words, "", Fate.MOVED))
    return True


class Bounded:
    """IVL_PQ with low and high: a Range; with one end and `inclusive`, a Quantity with its comparator."""

    def __init__(self) -> None:
        self._amount = Amount()

    def read_range(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return a Range."""
        found: Json = {}
        for name in ("low", "high"):
            child = node.child(name)
            amount = self._amount.read(child, f"{target}.{name}", context) if child is not None else None
            if amount:
                found[name] = amount
        return found or None

    def read_compared(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return a Quantity with a comparator, None when the element is no such thing."""
        low, high = node.child("low"), node.child("high")
        end = low if low is not None else high
        if end is None or (low is not None and high is not None) or end.get("inclusive") not in ("true", "false"):
            return None
        for comparator, (name, inclusive) in _BOUNDS.items():
            if name == end.name and inclusive == end.get("inclusive"):
                amount = self._amount.read(end, target, context)
                if amount is None or "value" not in amount:
                    return None
                end.take("inclusive", target, Fate.MERGED)
                return {**amount, "comparator": comparator}
        return None

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return a Range."""
        return self.read_range(node, target, context)

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write a Range, or a Quantity with a comparator."""
        value: Json = container[key]
        if "comparator" in value:
            name, inclusive = _BOUNDS.get(value["comparator"], ("", ""))
            if not name:
                return False
            end = sub(element, name)
            end.set("inclusive", inclusive)
            context.take(value, "comparator", end, "inclusive", Fate.MERGED)
            return write_amount(value, end, context)
        written = False
        for name in ("low", "high"):
            if name in value:
                end = sub(element, name)
                if self._amount.write(value, name, end, context):
                    written = True
                else:
                    element.remove(end)
        return written


class Proportion:
    """A Ratio: numerator and denominator, each a PQ."""

    def __init__(self) -> None:
        self._amount = Amount()

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the ratio."""
        found: Json = {}
        for name in ("numerator", "denominator"):
            child = node.child(name)
            amount = self._amount.read(child, f"{target}.{name}", context) if child is not None else None
            if amount and child is not None:
                found[name] = amount
        if set(found) == {"numerator"}:
            found["denominator"] = {"value": Decimal(1)}
        if set(found) == {"denominator"}:
            return None
        return found or None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the ratio."""
        value: Json = container[key]
        written = False
        for name in ("numerator", "denominator"):
            if name in value:
                child = sub(element, name)
                child.set(TYPE, "PQ")
                if self._amount.write(value, name, child, context):
                    written = True
                else:
                    element.remove(child)
        return written


class Number:
    """An INT in `@value`; `least`: below it there is no value."""

    def __init__(self, least: int | None = None) -> None:
        self._least = least

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        """Return the number."""
        text = node.attributes.get("value")
        if text is None:
            absent = absent_extensions(node, target)
            return Primitive(None, absent) if absent else None
        if not _INTEGER.fullmatch(text) or (self._least is not None and int(text) < self._least):
            node.lose("value", UNREADABLE)
            return None
        node.take("value", target)
        return int(text)

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the number."""
        if container.get(key) is None:
            return write_absent(container.get(f"_{key}", {}), element, context)
        element.set("value", str(context.take(container, key, element, "value")))
        return True


class Flag:
    """A BL: true or false in an attribute."""

    def __init__(self, attribute: str = "value") -> None:
        self._attribute = attribute

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        """Return the truth value."""
        value = node.attributes.get(self._attribute)
        if value not in ("true", "false"):
            if value is not None:
                node.lose(self._attribute, UNREADABLE)
            return None
        node.take(self._attribute, target)
        return value == "true"

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the truth value."""
        if not isinstance(container.get(key), bool):
            return False
        value = context.take(container, key, element, self._attribute)
        element.set(self._attribute, "true" if value else "false")
        return True
