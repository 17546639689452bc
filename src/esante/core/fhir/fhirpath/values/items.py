"""The items of collections: elements of a resource, and values of FHIRPath's own types."""

import functools
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.types import (
    QUANTITIES,
    SYSTEM_OF,
    TYPE_INFO,
    Field,
    Option,
    fields,
    fields_by_property,
    lineage,
)
from esante.core.fhir.fhirpath.values import quantity, temporal
from esante.core.fhir.fhirpath.values.quantity import Quantity
from esante.core.fhir.fhirpath.values.temporal import Temporal
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.types import Json

UCUM = "http://unitsofmeasure.org"
_TEMPORAL: dict[str, temporal.Kind] = {"date": "Date", "dateTime": "DateTime", "instant": "DateTime", "time": "Time"}


class Node:
    """An element of a resource: its JSON value, its FHIR type and, for a primitive, the object with its extensions.

    The value is None where a primitive has only extensions.
    """

    __slots__ = ("extra", "type", "value")

    def __init__(self, value: Any, type_: str, extra: Any = None) -> None:
        self.value = value
        self.type = type_
        self.extra = extra

    def __repr__(self) -> str:
        return f"Node({self.value!r}, {self.type})"


Item = Any
"""An element (`Node`), or a value: bool, str, int, Decimal, Temporal, Quantity."""
Items = list[Item]


def root_node(resource: Any, type_: str | None = None) -> Node:
    """Return the node of a resource, by its `resourceType`, or of an element of the given type."""
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    return Node(resource, name if isinstance(name, str) else type_ or "Resource")


def navigate(items: Items, name: str) -> Items:
    """Return the elements of a name of every item."""
    found: Items = []
    for item in items:
        if isinstance(item, Node):
            field = fields(item.type).get(name)
            if field is not None:
                owner = item.extra if item.type in PRIMITIVES else item.value
                if isinstance(owner, dict):
                    _collect_nodes(owner, field, found)
    return found


def _collect_nodes(owner: Json, field: Field, found: Items) -> None:
    for option in field.options:
        value = owner.get(option.name)
        extra = owner.get(option.extensions) if option.extensions else None
        if value is not None or extra is not None:
            found.extend(_nodes(value, extra, option))
            return


def _nodes(value: Any, extra: Any, option: Option) -> Iterator[Node]:
    if isinstance(value, list) or isinstance(extra, list):
        values = value if isinstance(value, list) else []
        extras = extra if isinstance(extra, list) else []
        for index in range(max(len(values), len(extras))):
            one_value = values[index] if index < len(values) else None
            one_extra = extras[index] if index < len(extras) else None
            if one_value is not None or one_extra is not None:
                yield _node(one_value, one_extra, option.type)
    else:
        yield _node(value, extra, option.type)


def _node(value: Any, extra: Any, type_: str) -> Node:
    if type_ == "Resource":
        return root_node(value)
    return Node(value, type_, extra)


def children(item: Item) -> Items:
    """Return every child element, in the order of the JSON."""
    owner = (item.extra if item.type in PRIMITIVES else item.value) if isinstance(item, Node) else None
    if not isinstance(owner, dict):
        return []
    known = fields_by_property(item.type)
    found: Items = []
    for name in dict.fromkeys(name.removeprefix("_") for name in owner):
        if name in known:
            option = known[name][1]
            found.extend(_nodes(owner.get(name), owner.get(f"_{name}") if option.extensions else None, option))
    return found


def type_of(item: Item) -> str:
    """Return the type of an item: the name of a FHIR type, or `System.` and the name of a FHIRPath type."""
    match item:
        case Node():
            return item.type if item.type != TYPE_INFO else "System.Any"
        case bool():
            return "System.Boolean"
        case str():
            return "System.String"
        case int():
            return "System.Integer"
        case Decimal():
            return "System.Decimal"
        case Temporal():
            return f"System.{item.kind}"
        case _:
            return "System.Quantity"


def is_type(item: Item, wanted: str) -> bool:
    """Return whether an item is of the type or of one derived from it."""
    return wanted in lineage(type_of(item))


def value_of(item: Item) -> Any:
    """Return the FHIRPath value of an item; None if it has none; a node with elements as it is."""
    if not isinstance(item, Node):
        return item
    value = item.value
    if item.type in QUANTITIES:
        return _quantity_of(item)
    if item.type not in PRIMITIVES or value is None:
        return value if item.type in SYSTEM_OF or item.type == "System.String" else item
    if isinstance(value, str):
        kind = _TEMPORAL.get(item.type)
        return _parse_temporal(value, kind) if kind else value
    if item.type == "decimal" and isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


@functools.lru_cache(4096)
def _parse_temporal(text: str, kind: temporal.Kind) -> Temporal | str:
    return temporal.parse(text, kind) or text


def _quantity_of(node: Node) -> Any:
    """Return a Quantity of FHIR as one of FHIRPath; the node itself with a comparator or without a number."""
    value = node.value
    number = value.get("value") if isinstance(value, dict) else None
    if isinstance(number, bool) or not isinstance(number, int | Decimal) or "comparator" in value:
        return node
    unit = value.get("code") if value.get("system") == UCUM else None
    return Quantity(Decimal(number), str(unit or value.get("unit") or value.get("code") or "1"))


def singleton_value(items: Items, what: str) -> Any:
    """Return the value of the only item, None for an empty collection. Raises: `PathFailed` for several.

    `what` names the operation in the error.
    """
    if not items:
        return None
    if len(items) > 1:
        raise PathFailed(f"{what} needs a single value; found {len(items)}")
    return value_of(items[0])


def singleton_boolean(items: Items, what: str) -> bool | None:
    """Return a collection as a condition (N1, singleton evaluation of collections).

    The only item if it is a boolean, true for any other single item, None for none. Raises: `PathFailed` for several.
    """
    if len(items) == 1 and isinstance(items[0], bool):
        return items[0]
    value = singleton_value(items, what)
    return value if value is None or isinstance(value, bool) else True


def equal(left: Item, right: Item) -> bool | None:
    """Return `=` of two items; None where it cannot be decided."""
    one, other = value_of(left), value_of(right)
    if one is None or other is None:
        return None
    if isinstance(one, Quantity) or isinstance(other, Quantity):
        pair = _as_quantities(one, other)
        order = quantity.compare(*pair) if pair else 1
        return None if order is None else order == 0
    if isinstance(one, Temporal) and isinstance(other, Temporal):
        if (one.kind == "Time") != (other.kind == "Time"):
            return False
        order = temporal.compare(one, other)
        return None if order is None else order == 0
    if isinstance(one, Node) or isinstance(other, Node):
        return isinstance(one, Node) and isinstance(other, Node) and one.value == other.value
    return _equal_values(one, other)


def _equal_values(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _as_quantities(one: Any, other: Any) -> tuple[Quantity, Quantity] | None:
    pair = [Quantity(Decimal(v)) if is_number(v) else v for v in (one, other)]
    return (pair[0], pair[1]) if all(isinstance(v, Quantity) for v in pair) else None


def is_number(value: Any) -> bool:
    """Return whether a value is an Integer or a Decimal."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def compare_values(left: Any, right: Any, what: str) -> int | None:
    """Return -1, 0 or 1 for two values; None where it cannot be decided.

    `what` names the operation in the error. Raises: `PathFailed` where the values have no order.
    """
    if is_number(left) and is_number(right):
        return int(left > right) - int(left < right)
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, Temporal) and isinstance(right, Temporal) and (left.kind == "Time") == (right.kind == "Time"):
        return temporal.compare(left, right)
    pair = _as_quantities(left, right) if isinstance(left, Quantity) or isinstance(right, Quantity) else None
    if pair:
        return quantity.compare(*pair)
    raise PathFailed(f"{what} cannot compare {type_of(left)} with {type_of(right)}")


def equal_collections(left: Items, right: Items) -> bool | None:
    """Return `=` of two collections; None where it cannot be decided, and for an empty one."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    found = [equal(one, other) for one, other in zip(left, right, strict=True)]
    return False if False in found else None if None in found else True


def equivalent(left: Item, right: Item) -> bool:
    """Return `~` of two items, which is never unknown.

    Texts are compared without case and with any white space as a blank, numbers at the lesser precision.
    """
    one, other = value_of(left), value_of(right)
    if isinstance(one, str) and isinstance(other, str):
        return _normalize_text(one) == _normalize_text(other)
    if is_number(one) and is_number(other):
        return _equal_when_rounded(Decimal(one), Decimal(other))
    if isinstance(one, Quantity) or isinstance(other, Quantity):
        pair = _as_quantities(one, other)
        return pair is not None and _equivalent_quantities(*pair)
    if isinstance(one, Node) and isinstance(other, Node):
        return _equivalent_nodes(one, other)
    return equal(left, right) is True


def _equivalent_nodes(one: Node, other: Node) -> bool:
    """Return whether two elements have equivalent children, in any order, without their ids."""
    names = {name for node in (one, other) for name in (node.value if isinstance(node.value, dict) else ())}
    names = {fields_by_property(one.type)[n][0].name for n in names - {"id"} if n in fields_by_property(one.type)}
    return one.type == other.type and all(
        equivalent_collections(navigate([one], name), navigate([other], name)) for name in names
    )


def _equivalent_quantities(one: Quantity, other: Quantity) -> bool:
    if (one.unit in quantity.CALENDAR_UNITS) != (other.unit in quantity.CALENDAR_UNITS):
        one, other = quantity.make_definite(one), quantity.make_definite(other)
    larger = quantity.convert(other, one.unit), one.value
    if quantity.is_finer(one.unit, other.unit):
        larger = quantity.convert(one, other.unit), other.value
    # The number in the smaller unit is rounded to the precision of the one in the larger unit.
    return larger[0] is not None and _equal_when_rounded(larger[0], larger[1])


def _equal_when_rounded(one: Decimal, other: Decimal) -> bool:
    """Compare at the lesser precision; trailing zeros do not count as digits (N1, section 6.1.2)."""
    places = min(len(f"{value:f}".partition(".")[2].rstrip("0")) for value in (one, other))
    return _scaled(one, places) == _scaled(other, places)


def _scaled(value: Decimal, places: int) -> int:
    """Return a number as a count of its last place, rounded; a Decimal has too few digits for large ones."""
    count = int(abs(Fraction(value)) * 10**places + Fraction(1, 2))
    return count if value >= 0 else -count


def _normalize_text(text: str) -> str:
    return "".join(" " if character.isspace() else character for character in text.casefold())


def equivalent_collections(left: Items, right: Items) -> bool:
    """Return `~` of two collections, in any order."""
    if len(left) != len(right):
        return False
    remaining = list(right)
    for one in left:
        match = next((n for n, other in enumerate(remaining) if equivalent(one, other)), None)
        if match is None:
            return False
        del remaining[match]
    return True


def equality_key(item: Item) -> Any:
    """Return a hashable key that is the same for equal items."""
    value = value_of(item)
    match value:
        case bool():
            return ("boolean", value)
        case Quantity():
            return ("quantity", *quantity.equality_key(value))
        case Temporal():
            return ("time", temporal.equality_key(value))
        case Node():
            return ("node", _freeze(value.value))
        case None:
            return ("extension", _freeze(item.extra))
        case _:
            return value


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return frozenset((name, _freeze(each)) for name, each in value.items())
    if isinstance(value, list):
        return tuple(_freeze(each) for each in value)
    return (isinstance(value, bool), value)


def distinct(items: Iterable[Item]) -> Items:
    """Return the items without those equal to an earlier one."""
    found: dict[Any, Item] = {}
    for item in items:
        found.setdefault(equality_key(item), item)
    return list(found.values())
