"""Checks of the decoded objects of each type: formats, choices, coded concepts, empty objects.

A pattern on a string costs msgspec a Python call for each value, which would be most of the time of a pass over a
document. So the generated types append their instances to a list while they are decoded, and one function for each
type, generated from the definitions, checks them: values that have a format are collected by format, everything else
is decided by the absent fields.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import UNSET

from esante.core.fhir.definitions import Definitions, Element, Type
from esante.core.fhir.validation.nesting import Nesting
from esante.core.fhir.validation.primitive_formats import (
    DISTINCT_FORMATS,
    ValuesByFormat,
    format_of,
    has_extension_field,
    have_format,
    is_checked_in_bulk,
)
from esante.core.fhir.validation.tolerances import tolerated_codes


class DecodedResource:
    """A resource that the types accept, and what the checks collected from it.

    `references` are its Reference objects, `containers` the resources that contain others, `sized_attachments` those
    with data and their size or hash; `needs_rules` is set for a
    tolerated code, or an element that looks like a reference and is none. `levels` is a bound for the depth of
    nesting, as long as contained resources contain no others.
    """

    __slots__ = ("containers", "levels", "needs_rules", "references", "resource", "sized_attachments", "values")

    def __init__(self, resource: Any, levels: int) -> None:
        self.resource = resource
        self.values = ValuesByFormat()
        self.references: list[Any] = []
        self.containers: list[Any] = []
        self.sized_attachments: list[Any] = []
        self.needs_rules = False
        self.levels = levels

    @property
    def type(self) -> str:
        """The name of the resource's type."""
        return type(self.resource).__name__

    @property
    def has_valid_formats(self) -> bool:
        """Whether every collected value has its format."""
        return all(have_format(kind, values) for kind, values in self.values.items())


DecodedCheck = Callable[[list[Any], DecodedResource], bool]


def compile_check(
    type_: Type, field_name: Callable[[str], str], definitions: Definitions, nesting: Nesting
) -> DecodedCheck | None:
    """Return the function that collects the values of the instances of a type, and returns whether their choices and
    coded concepts are valid and none is empty; None for a type without anything to check.

    `field_name` returns the field of a JSON property.
    """
    writer = _CheckWriter(type_, field_name, definitions, nesting)
    lines = list(writer.lines())
    if not lines:
        return None
    body = [*writer.setup, "for o in instances:", *(f"    {line}" for line in lines), "return True"]
    source = "\n    ".join(["def check(instances, decoded):", *body])
    # Names come from the definitions; all other values are in the namespace.
    exec(compile(source, f"<{type_.name}>", "exec"), writer.namespace)  # noqa: S102
    check: DecodedCheck = writer.namespace["check"]
    return check


class _CheckWriter:
    """Writes the lines of one function: `o` is the instance, `v` a value of it, `U` the absent value."""

    def __init__(
        self, type_: Type, field_name: Callable[[str], str], definitions: Definitions, nesting: Nesting
    ) -> None:
        self._type, self._field_name, self._codes, self._nesting = type_, field_name, definitions.codes, nesting
        self.namespace: dict[str, Any] = {"U": UNSET, "one_of": _is_one_of, "coded": _has_coding}
        #: The lines before the loop, in order and without repetition.
        self.setup: dict[str, None] = (
            {"decoded.references = instances.copy()": None} if type_.name == "Reference" else {}
        )

    def lines(self) -> Iterator[str]:
        """Yield the lines of the loop over the instances."""
        formats = [line for element in self._type.elements for line in self._format_lines(element)]
        if self._type.kind != "resource" and not any(element.min for element in self._type.elements):
            # An object that has the first of these is not empty, and needs no further comparison.
            formats.insert(1, f"{'elif' if formats else 'if'} {self._all_absent()}: return False")
        yield from formats
        for element in self._type.elements:
            if element.choice:
                yield self._choice_line(element)
            if element.codes and element.types == ("CodeableConcept",):
                yield self._concept_line(element)
            if tolerated := tolerated_codes(f"{self._type.name}.{element.name}"):
                yield f"if o.{self._field_name(element.name)} in {tolerated!r}: decoded.needs_rules = True"
            if element.name == "reference" and element.types == ("uri",):
                yield "if o.reference is not U and o.reference[:1] == '#': decoded.needs_rules = True"
            if element.name == "contained":
                yield "if o.contained is not U: decoded.containers.append(o)"
        if self._type.name == "Attachment":
            yield "if o.data is not U and (o.size is not U or o.hash is not U): decoded.sized_attachments.append(o)"
        yield from self._level_lines()

    def _fields(self, element: Element) -> Iterator[tuple[str, str, str | None]]:
        """Yield the fields of an element: name, type of the value, and the field for its extensions."""
        for name, code in element.json_names().items():
            extension_field = self._field_name(f"_{name}") if has_extension_field(self._type, element, code) else None
            yield self._field_name(name), code, extension_field

    def _format_lines(self, element: Element) -> Iterator[str]:
        for name, code, _ in self._fields(element):
            if is_checked_in_bulk(element, code):
                add = self._add(format_of(self._type, element, code), element.many)
                value = f"o.{name}" if _is_required_by_types(element) else "v"
                if code == "xhtml":
                    # A declaration or a DOCTYPE can only precede the div. Few narratives have entities; to collect all
                    # of them would take longer than to look.
                    yield f"if (v := {value})[:4] != '<div': return False"
                    yield f"if '&' in v: {add}(v)"
                    continue
                yield (
                    f"{add}({value})"
                    if _is_required_by_types(element)
                    else f"if (v := o.{name}) is not U: {add}({value})"
                )

    def _add(self, kind: str, many: bool = False) -> str:
        """Return the name of the method that adds to the values of a format."""
        self.setup[f"{kind} = decoded.values[{kind!r}]"] = None
        one, all_ = ("add", "update") if kind in DISTINCT_FORMATS else ("append", "extend")
        return f"{kind}.{all_ if many else one}"

    def _choice_line(self, element: Element) -> str:
        """Return the check for one value of a choice, at most or exactly, by itself or by its extensions.

        The number of absent fields among those that nest further is kept for `_level_lines`.
        """
        groups = tuple(
            (name, extension_field) if extension_field else (name,)
            for name, _, extension_field in self._fields(element)
        )
        names = [name for group in groups for name in group]
        nesting = self._nesting_fields(element)
        absent = _count_absent([name for name in names if name not in nesting])
        if nesting:
            absent = f"(n_{element.name} := {_count_absent(nesting)}) + {absent}"
        self.namespace[f"{element.name}_groups"] = groups
        comparison = f"!= {len(names) - 1}" if element.min else f"< {len(names) - 1}"
        return f"if {absent} {comparison} and not one_of(o, {element.name}_groups, {element.min}): return False"

    def _concept_line(self, element: Element) -> str:
        systems = self._codes[element.codes or ""]
        self.namespace[f"{element.name}_codes"] = {
            (system, code) for system, codes in systems.items() for code in codes
        }
        condition = f"coded(v, {element.name}_codes)"
        if element.many:
            condition = f"all([coded(c, {element.name}_codes) for c in v])"
        return f"if (v := o.{self._field_name(element.name)}) is not U and not {condition}: return False"

    def _all_absent(self) -> str:
        """Return the condition that all fields are absent, rare ones last, as it ends at the first present one."""
        elements = sorted(self._type.elements, key=lambda element: element.name in ("id", "extension"))
        fields = [field for element in elements for field in self._fields(element)]
        names = [
            *(name for name, _, _ in fields),
            *(extension_field for _, _, extension_field in fields if extension_field),
        ]
        return " is ".join(["U", *(f"o.{name}" for name in names)])

    def _level_lines(self) -> Iterator[str]:
        """Yield the lines that count levels, for the fields through which objects nest further."""
        if self._type.name in ("Bundle", "Parameters"):
            yield f"decoded.levels += {self._nesting.deepest_resource + 3}"
        for element in self._type.elements:
            if nesting := self._nesting_fields(element):
                absent = f"n_{element.name}" if element.choice else _count_absent(nesting)
                yield f"if {absent} < {len(nesting)}: decoded.levels += {max(nesting.values())}"

    def _nesting_fields(self, element: Element) -> dict[str, int]:
        """Return the fields of an element through which it nests further, with the levels that each adds."""
        fields = self._fields(element)
        return {
            name: self._nesting.levels_of(element, code)
            for name, code, _ in fields
            if self._adds_levels(element, code)
        }

    def _adds_levels(self, element: Element, code: str) -> bool:
        """Return whether a field adds levels; resources in resources are counted by the Bundle, and as contained."""
        return code != "Resource" and self._nesting.leads_back(self._type, element, code)


def _is_required_by_types(element: Element) -> bool:
    """Return whether the generated types require the element."""
    return element.min > 0 and not element.choice


def _count_absent(names: Iterable[str]) -> str:
    """Return the expression that counts the absent fields."""
    return f"({''.join(f'o.{name}, ' for name in names)}).count(U)"


def _is_one_of(instance: Any, groups: tuple[tuple[str, ...], ...], least: int) -> bool:
    """Return whether between `least` and one of the groups has a value, in the slow and exact way."""
    return least <= sum(any(getattr(instance, name) is not UNSET for name in group) for group in groups) <= 1


def _has_coding(concept: Any, allowed: frozenset[tuple[str, str]]) -> bool:
    """Return whether a CodeableConcept with a required binding has a coding from the value set."""
    return concept.coding is not UNSET and any((c.system, c.code) in allowed for c in concept.coding)
