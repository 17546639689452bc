"""Points in time and intervals: TS and IVL_TS of CDA, date, dateTime, instant and Period of FHIR."""

import re
from datetime import date
from typing import Any

from esante.core.types import Json
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
from esante.services.exchange.conversion.terms import ORIGINAL_VALUE

_TS = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d+)?)?)?)?)?)?([+-]\d{4})?", re.ASCII)
_FHIR = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?", re.ASCII)


def fhir_time(text: str) -> str | None:
    """Return a point in time of CDA as FHIR has it; None when it is none.

    FHIR has hours with minutes and a zone only: a time without them is cut to its day.
    """
    found = _TS.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    days = "-".join(part for part in (year, month, day) if part)
    if hour is None:
        return days
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        return None
    if minute is None or zone is None:
        return days
    if int(zone[1:3]) > 14 or int(zone[3:]) > 59 or zone[1:] > "1400":
        return None
    return f"{days}T{hour}:{minute}:{second or '00'}{fraction or ''}{zone[:3]}:{zone[3:]}"


def cda_time(text: str) -> str | None:
    """Return a point in time of FHIR as CDA has it; None when it is none."""
    found = _FHIR.fullmatch(text)
    if found is None:
        return None
    *parts, fraction, zone = found.groups()
    digits = "".join(part for part in parts if part)
    return digits + (fraction or "") + ("+0000" if zone == "Z" else zone.replace(":", "") if zone else "")


class Moment:
    """A point in time in `@value`: dateTime, or `date` (its day alone), or `instant`."""

    def __init__(self, kind: str = "dateTime") -> None:
        self._kind = kind

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        """Return the time, with what FHIR cannot say of it in an extension."""
        text = node.attributes.get("value")
        if text is None:
            absent = absent_extensions(node, target)
            return Primitive(None, absent) if absent else None
        value = fhir_time(text)
        if value is not None and self._kind == "date":
            value = value[:10]
        if value is None or (self._kind == "instant" and "T" not in value):
            node.lose("value", UNREADABLE if value is None else "no instant without a time and a zone")
            return None
        node.take("value", target)
        if cda_time(value) == text:
            return value
        return Primitive(value, ({"url": ORIGINAL_VALUE, "valueString": text.strip()},))

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the time."""
        beside = container.get(f"_{key}", {}) if isinstance(container, dict) else {}
        value = container.get(key) if isinstance(container, dict) else container[key]
        if value is None:
            return write_absent(beside, element, context)
        text = cda_time(value)
        if text is None:
            return False
        original = next((one for one in beside.get("extension", ()) if one.get("url") == ORIGINAL_VALUE), None)
        context.take(container, key, element, "value")
        if original is not None and fhir_time(original.get("valueString", "")) is not None:
            exact = fhir_time(original["valueString"]) or ""
            if exact[: len(value)] == value:
                context.take(original, "url", element, "value", Fate.MERGED)
                text = context.take(original, "valueString", element, "value", Fate.MERGED)
        element.set("value", xml_text(text))
        return True


class Interval:
    """IVL_TS with low and high: a Period; a single value begins and ends it."""

    def __init__(self) -> None:
        self._moment = Moment()

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        """Return the period."""
        found: Json = {}
        for name, key in (("low", "start"), ("high", "end")):
            child = node.child(name)
            if child is not None:
                put(found, key, self._moment.read(child, f"{target}.{key}", context))
        if not found and "value" in node.attributes:
            value = self._moment.read(node, target, context)
            put(found, "start", value)
            put(found, "end", value)
        if not found:
            absent = absent_extensions(node, target)
            return {"extension": list(absent)} if absent else None
        if found.get("start", "")[:10] > found.get("end", "9999")[:10]:
            node_low = node.child("low")
            if node_low is not None:
                node_low.marks.pop("value", None)
                node_low.lose("value", "the interval ends before it begins")
            found.pop("start")
            found.pop("_start", None)
        return found

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        """Write the period."""
        value: Json = container[key]
        written = write_absent(value, element, context)
        for own, name in (("start", "low"), ("end", "high")):
            if own in value or f"_{own}" in value:
                child = sub(element, name)
                if self._moment.write(value, own, child, context):
                    written = True
                else:
                    element.remove(child)
        return written


def put(container: Json, key: str, value: Any) -> None:
    """Put a value or a primitive with its extensions into a container."""
    if isinstance(value, Primitive):
        if value.value is not None:
            container[key] = value.value
        if value.extension:
            container[f"_{key}"] = {"extension": list(value.extension)}
    elif value is not None:
        container[key] = value
