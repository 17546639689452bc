"""Fields: where one thing stands in CDA and where in FHIR; each reads one and writes the other."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from esante.core.types import Json
from esante.services.exchange.cda import TYPE
from esante.services.exchange.conversion.datatypes import (
    Amount,
    Bounded,
    Concept,
    DataType,
    Flag,
    Interval,
    Moment,
    Number,
    Primitive,
    Proportion,
    ReadContext,
    Words,
    WriteContext,
    put,
    write_absent,
)
from esante.services.exchange.conversion.ledger import Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import find, parse


class AnyField(Protocol):
    """A field of an entry."""

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read from an element of CDA into an object of FHIR; `place` is the path of that object."""

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write from an object of FHIR into an element of CDA."""


class Field:
    """A value at a path and at a key; `many`: each match is one of a list."""

    def __init__(self, path: str, key: str, kind: DataType, *, many: bool = False, fresh: int = 1) -> None:
        self._steps, self._key, self._kind, self._many, self._fresh = parse(path), key, kind, many, fresh

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the value, the first of several where there is room for one."""
        target = f"{place}.{self._key}"
        if not self._many and self._key in out:
            return
        for found, way in find(node, self._steps):
            value = self._kind.read(found, target, context)
            if value is None or (self._many and isinstance(value, Primitive) and value.value is None):
                continue
            for step, at in way:
                step.mark(at, target)
            if not self._many:
                put(out, self._key, value)
                return
            out.setdefault(self._key, []).append(value.value if isinstance(value, Primitive) else value)

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the value or values."""
        value = source.get(self._key)
        if self._many and isinstance(value, list):
            for index in range(len(value)):
                self._write_one(value, index, element, context)
        elif value is not None or f"_{self._key}" in source:
            self._write_one(source, self._key, element, context)

    def _write_one(self, container: Any, key: str | int, element: Any, context: WriteContext) -> None:
        if not self._steps:
            self._kind.write(container, key, element, context)
            return
        made, top = context.writer.create(element, self._steps, fresh=self._fresh)
        if not self._kind.write(container, key, made, context):
            top.getparent().remove(top)


class Ext:
    """A value that FHIR has in an extension."""

    def __init__(self, path: str, url: str, key: str, kind: DataType, *, many: bool = False) -> None:
        self._steps, self._url, self._key, self._kind, self._many = parse(path), url, key, kind, many

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the value into an extension."""
        for found, way in find(node, self._steps):
            target = f"{place}.extension"
            value = self._kind.read(found, target, context)
            if value is None:
                continue
            for step, at in way:
                step.mark(at, target)
            for name, mark in found.marks.items():
                if mark[0] is Fate.KEPT:
                    found.marks[name] = (Fate.MOVED, mark[1], mark[2])
            extension: Json = {"url": self._url}
            put(extension, self._key, value)
            out.setdefault("extension", []).append(extension)
            if not self._many:
                return

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the value of the extension."""
        for extension in source.get("extension", ()):
            if extension.get("url") == self._url and (self._key in extension or f"_{self._key}" in extension):
                made, top = context.writer.create(element, self._steps) if self._steps else (element, None)
                if self._kind.write(extension, self._key, made, context):
                    context.take(extension, "url", made, "", Fate.MERGED)
                elif top is not None:
                    top.getparent().remove(top)


class Times:
    """A point in time or an interval, which FHIR has as `...DateTime` or `...Period`."""

    def __init__(self, path: str, base: str, *, typed: bool = False) -> None:
        self._steps, self._base, self._typed = parse(path), base, typed
        self._moment, self._interval = Moment(), Interval()

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the time of the first match."""
        for found, way in find(node, self._steps):
            bounds = found.child("low") is not None or found.child("high") is not None
            key = f"{self._base}Period" if bounds else f"{self._base}DateTime"
            kind: DataType = self._interval if bounds else self._moment
            value = kind.read(found, f"{place}.{key}", context)
            if value is not None:
                for step, at in way:
                    step.mark(at, f"{place}.{key}")
                put(out, key, value)
                return

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the time."""
        for key, kind in ((f"{self._base}DateTime", self._moment), (f"{self._base}Period", self._interval)):
            if key in source or f"_{key}" in source:
                made, top = context.writer.create(element, self._steps)
                if key.endswith("Period") and self._typed:
                    made.set(TYPE, "IVL_TS")
                if not kind.write(source, key, made, context):
                    top.getparent().remove(top)


class Value:
    """The value of an observation, whose type is `xsi:type` in CDA and the end of the name in FHIR."""

    _KINDS: tuple[tuple[str, tuple[str, ...], DataType], ...] = (
        ("CodeableConcept", ("CD", "CE", "CV", "CO", "CS"), Concept()),
        ("Quantity", ("PQ", "REAL", "MO"), Amount()),
        ("String", ("ST", "ED", "SC"), Words()),
        ("Integer", ("INT",), Number()),
        ("Boolean", ("BL",), Flag()),
        ("DateTime", ("TS",), Moment()),
        ("Range", ("IVL_PQ",), Bounded()),
        ("Period", ("IVL_TS",), Interval()),
        ("Ratio", ("RTO", "RTO_PQ_PQ", "RTO_QTY_QTY"), Proportion()),
    )

    def __init__(self, path: str = "value", base: str = "value") -> None:
        self._steps, self._base = parse(path), base

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the value; a null flavor of any type is the reason why there is none."""
        for found, way in find(node, self._steps):
            suffix, kind = self._kind_of(found)
            key = self._base + suffix
            target = f"{place}.{key}"
            value: Any = None
            if suffix == "Range":
                value = Bounded().read_compared(found, target, context)
                key = f"{self._base}Quantity" if value else key
            value = value or kind.read(found, target, context)
            if value is None or (isinstance(value, Primitive) and value.value is None and not value.extension):
                continue
            if isinstance(value, dict) and set(value) == {"extension"} and suffix != "CodeableConcept":
                value = Primitive(None, tuple(value["extension"]))
            for step, at in way:
                step.mark(at, target)
            found.take("type", target, Fate.MERGED)
            if isinstance(value, Primitive) and value.value is None:
                out[f"_{self._base}String"] = {"extension": list(value.extension)}
            else:
                put(out, key, value)
            return

    def _kind_of(self, node: Node) -> tuple[str, DataType]:
        written = node.attributes.get("type", "")
        for suffix, names, kind in self._KINDS:
            if written in names:
                return suffix, kind
        if "code" in node.attributes:
            return "CodeableConcept", Concept()
        if "value" in node.attributes:
            return "Quantity", Amount()
        return "String", Words()

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the value with its type."""
        for suffix, names, kind in self._KINDS:
            key = self._base + suffix
            if key not in source and f"_{key}" not in source:
                continue
            made, top = context.writer.create(element, self._steps)
            name = "RTO_PQ_PQ" if suffix == "Ratio" else names[0]
            if suffix == "Quantity" and "comparator" in source[key]:
                name, kind = "IVL_PQ", Bounded()
            made.set(TYPE, name)
            if not kind.write(source, key, made, context):
                top.getparent().remove(top)
            return


class Group:
    """A part of several fields, `many` of them as a list."""

    def __init__(self, path: str, key: str, fields: Sequence[AnyField], *, many: bool = True, fresh: int = 0) -> None:
        self._steps, self._key, self._fields, self._many = parse(path), key, fields, many
        self._fresh = fresh or len(self._steps)

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read each match into an object."""
        target = f"{place}.{self._key}"
        for found, way in find(node, self._steps):
            value: Json = {}
            for field in self._fields:
                field.read(found, value, target, context)
            if not value:
                continue
            for step, at in way:
                step.mark(at, target)
            if not self._many:
                out[self._key] = value
                return
            out.setdefault(self._key, []).append(value)

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write each object."""
        found = source.get(self._key)
        values = found if isinstance(found, list) else [found] if isinstance(found, dict) else []
        for value in values if self._steps else values[:1]:
            made, top = context.writer.create(element, self._steps, fresh=self._fresh)
            before = _size(made)
            for field in self._fields:
                field.write(value, made, context)
            if _size(made) == before and top is not None:
                top.getparent().remove(top)


class Within:
    """Fields of the same object that stand deeper in CDA, in the first element at a path."""

    def __init__(self, path: str, fields: Sequence[AnyField]) -> None:
        self._steps, self._fields = parse(path), fields

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the fields in the first match."""
        for found, way in find(node, self._steps):
            before = len(out)
            for field in self._fields:
                field.read(found, out, place, context)
            if len(out) > before:
                for step, at in way:
                    step.mark(at, place)
            return

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the fields into an element that is made when one of them has a value."""
        made, top = context.writer.create(element, self._steps, fresh=0)
        before = _size(made)
        for field in self._fields:
            field.write(source, made, context)
        if _size(made) == before and top is not None:
            top.getparent().remove(top)


class Custom:
    """A field that reads and writes by functions of its own."""

    def __init__(
        self,
        read: Callable[[Node, Json, str, ReadContext], None] | None = None,
        write: Callable[[Json, Any, WriteContext], None] | None = None,
    ) -> None:
        self._read, self._write = read, write

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read."""
        if self._read is not None:
            self._read(node, out, place, context)

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write."""
        if self._write is not None:
            self._write(source, element, context)


class Nothing:
    """A data type whose null flavor alone is carried, by the extension of an object."""

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        """Return nothing."""
        return None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the null flavor."""
        return write_absent(container[key], element, context)


def _size(element: Any) -> int:
    return sum(1 + len(one.attrib) + bool(one.text) for one in element.iter())
