"""What is looked at in the objects of each type once msgspec has decoded them: formats, choices, coded concepts,
empty objects.

A pattern on a string costs msgspec a Python call for each value, which would be most of the time of a pass over a
document. So the generated types leave their instances in a list while they are decoded, and one function for each
type, written from the definitions, goes over them: values that have a format go into a set for each format, all
else is told by what is absent.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import UNSET

from esante.core.fhir.definitions import Definitions, Element, Type
from esante.core.fhir.validation.nesting import Nesting
from esante.core.fhir.validation.primitive_formats import FORMATS, ONCE, Texts, extensible, in_bulk, well_formed
from esante.core.fhir.validation.tolerances import tolerated_codes


class Seen:
    """A resource that the types accept, and what was noted of it on the way.

    `references` are its Reference objects, `holders` the resources that contain others; `odd` tells of a tolerated
    code, or of what looks like a reference and is none. `levels` bounds how deeply the resource is nested, as long as
    what it contains contains nothing.
    """

    __slots__ = ("holders", "levels", "odd", "references", "resource", "texts")

    def __init__(self, resource: Any, levels: int) -> None:
        self.resource = resource
        self.texts = Texts()
        self.references: list[Any] = []
        self.holders: list[Any] = []
        self.odd = False
        self.levels = levels

    @property
    def type(self) -> str:
        """The name of the resource's type."""
        return type(self.resource).__name__

    @property
    def well_formed(self) -> bool:
        """Whether every value that was noted has its format."""
        return all(well_formed(kind, texts) for kind, texts in self.texts.items())


Gather = Callable[[list[Any], Seen], bool]


def gatherer(type_: Type, named: Callable[[str], str], definitions: Definitions, nesting: Nesting) -> Gather | None:
    """The function that notes the instances of a type, and says whether their choices and coded concepts are right
    and none is empty; None for a type of which nothing has to be looked at.

    `named` gives the field of a JSON property.
    """
    writer = _Writer(type_, named, definitions, nesting)
    lines = list(writer.lines())
    if not lines:
        return None
    body = [*writer.head, "for o in found:", *(f"    {line}" for line in lines), "return True"]
    source = "\n    ".join(["def gather(found, seen):", *body])
    # Names come from the definitions; every other value is passed in.
    exec(compile(source, f"<{type_.name}>", "exec"), writer.space)  # noqa: S102
    made: Gather = writer.space["gather"]
    return made


class _Writer:
    """Writes the lines of one function: `o` is the instance, `v` a value of it, `U` what is absent."""

    def __init__(self, type_: Type, named: Callable[[str], str], definitions: Definitions, nesting: Nesting) -> None:
        self._type, self._named, self._codes, self._nesting = type_, named, definitions.codes, nesting
        self.space: dict[str, Any] = {"U": UNSET, "one_of": _one_of, "coded": _coded}
        #: What stands before the loop, in order and without repetition.
        self.head: dict[str, None] = {"seen.references = found.copy()": None} if type_.name == "Reference" else {}

    def lines(self) -> Iterator[str]:
        formats = [line for element in self._type.elements for line in self._formats(element)]
        if self._type.kind != "resource" and not any(element.min for element in self._type.elements):
            # What has the first of these is not empty, and is not looked at again.
            formats.insert(1, f"{'elif' if formats else 'if'} {self._all_absent()}: return False")
        yield from formats
        for element in self._type.elements:
            if element.choice:
                yield self._choice(element)
            if element.codes and element.types == ("CodeableConcept",):
                yield self._concept(element)
            if tolerated := tolerated_codes(f"{self._type.name}.{element.name}"):
                yield f"if o.{self._named(element.name)} in {tolerated!r}: seen.odd = True"
            if element.name == "reference" and element.types == ("uri",):
                yield "if o.reference is not U and o.reference[:1] == '#': seen.odd = True"
            if element.name == "contained":
                yield "if o.contained is not U: seen.holders.append(o)"
        yield from self._levels()

    def _fields(self, element: Element) -> Iterator[tuple[str, str, str | None]]:
        """The fields of an element: name, type of the value, and the field for its extensions."""
        for name, code in element.json_names().items():
            mark = self._named(f"_{name}") if extensible(self._type, element, code) else None
            yield self._named(name), code, mark

    def _formats(self, element: Element) -> Iterator[str]:
        for name, code, _ in self._fields(element):
            if in_bulk(element, code):
                add = self._add(FORMATS[code], element.many)
                value = f"o.{name}" if _given(element) else "v"
                yield f"{add}({value})" if _given(element) else f"if (v := o.{name}) is not U: {add}({value})"

    def _add(self, kind: str, many: bool = False) -> str:
        """The name of the method that adds to the texts of a format."""
        self.head[f"{kind} = seen.texts[{kind!r}]"] = None
        one, all_ = ("add", "update") if kind in ONCE else ("append", "extend")
        return f"{kind}.{all_ if many else one}"

    def _choice(self, element: Element) -> str:
        """At most one value of a choice, by itself or by its extensions; exactly one where it is required. How many of
        those that nest further are absent is kept for `_levels`."""
        groups = tuple((name, mark) if mark else (name,) for name, _, mark in self._fields(element))
        names = [name for group in groups for name in group]
        inner = self._inner(element)
        absent = _absent([name for name in names if name not in inner])
        if inner:
            absent = f"(n_{element.name} := {_absent(inner)}) + {absent}"
        self.space[f"{element.name}_groups"] = groups
        told = f"!= {len(names) - 1}" if element.min else f"< {len(names) - 1}"
        return f"if {absent} {told} and not one_of(o, {element.name}_groups, {element.min}): return False"

    def _concept(self, element: Element) -> str:
        systems = self._codes[element.codes or ""]
        self.space[f"{element.name}_codes"] = {(system, code) for system, codes in systems.items() for code in codes}
        right = f"coded(v, {element.name}_codes)"
        if element.many:
            right = f"all([coded(c, {element.name}_codes) for c in v])"
        return f"if (v := o.{self._named(element.name)}) is not U and not {right}: return False"

    def _all_absent(self) -> str:
        """Seldom ones come last, since the comparison ends at what is there."""
        elements = sorted(self._type.elements, key=lambda element: element.name in ("id", "extension"))
        fields = [field for element in elements for field in self._fields(element)]
        names = [*(name for name, _, _ in fields), *(mark for _, _, mark in fields if mark)]
        return " is ".join(["U", *(f"o.{name}" for name in names)])

    def _levels(self) -> Iterator[str]:
        """What nests further below goes through one of these."""
        if self._type.name in ("Bundle", "Parameters"):
            yield f"seen.levels += {self._nesting.deepest_resource + 3}"
        for element in self._type.elements:
            if inner := self._inner(element):
                absent = f"n_{element.name}" if element.choice else _absent(inner)
                yield f"if {absent} < {len(inner)}: seen.levels += {max(inner.values())}"

    def _inner(self, element: Element) -> dict[str, int]:
        """The fields of an element through which it nests further, with the levels that each adds."""
        fields = self._fields(element)
        return {name: self._nesting.of(element, code) for name, code, _ in fields if self._counts(element, code)}

    def _counts(self, element: Element, code: str) -> bool:
        """Resources in resources are counted by the Bundle, and where they are contained."""
        return code != "Resource" and self._nesting.leads_back(self._type, element, code)


def _given(element: Element) -> bool:
    """Whether the types insist on the element."""
    return element.min > 0 and not element.choice


def _absent(names: Iterable[str]) -> str:
    """The expression that counts how many of the fields are absent."""
    return f"({''.join(f'o.{name}, ' for name in names)}).count(U)"


def _one_of(instance: Any, groups: tuple[tuple[str, ...], ...], least: int) -> bool:
    """The plain count: how many of the groups have something there."""
    return least <= sum(any(getattr(instance, name) is not UNSET for name in group) for group in groups) <= 1


def _coded(concept: Any, allowed: frozenset[tuple[str, str]]) -> bool:
    """A CodeableConcept under a required binding has a coding from the value set."""
    return concept.coding is not UNSET and any((c.system, c.code) in allowed for c in concept.coding)
