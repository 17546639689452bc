"""Formats, choices and coded concepts of a whole resource, checked in bulk after msgspec has decoded it.

A pattern on a string costs msgspec a Python call per value (0.7 microseconds), which would be most of the
time of a pass over a document. So the generated types that occur often drop their instances into a list while
they are decoded (`Collector.found`), and each format is then checked once over all values that have it,
joined by line feeds.
"""

import itertools
import operator
import re
import string
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import UNSET

from esante.fhir.definitions import Element, Type
from esante.fhir.primitives import PRIMITIVES

Pool = defaultdict[str, list[Any]]
Check = Callable[[list[Any]], bool]

_absent = operator.methodcaller("count", UNSET)

#: Formats that come down to "no white space". A code with single spaces inside is left to the slow pass.
_SPACELESS = frozenset({"uri", "url", "canonical", "code"})
_OFTEN = frozenset({"Coding", "Identifier", "Meta", "Period", "Quantity", "Bundle.entry", "Bundle.entry.request"})
_SPACE = b" \t\n\r\f\v"
_ID = string.ascii_letters.encode() + string.digits.encode() + b"-."
_SELDOM = frozenset({"implicitRules", "language"})


def in_bulk(type_: Type, element: Element, code: str) -> bool:
    """Whether values of this element are checked here rather than one by one by msgspec."""
    if element.codes and code == "code":
        return False
    if code not in PRIMITIVES or PRIMITIVES[code].pattern is None:
        return False
    if type_.kind == "resource":
        return element.name not in _SELDOM and (code == "dateTime" or not element.choice)
    return type_.name in _OFTEN or (type_.name == "Extension" and element.name == "url")


def extensible(type_: Type, element: Element, code: str) -> bool:
    """Whether the generated type has `_name` for the primitive's extensions.

    Not for Extension.value[x]: twenty more fields in the type that is decoded most often, for what hardly occurs.
    """
    return code in PRIMITIVES and not element.plain and not (type_.name == "Extension" and element.choice)


class Collector:
    """What has to be looked at in the instances of one generated type, and the instances of the current
    resource."""

    def __init__(self, type_: Type, field: Callable[[str], str], codes: dict[str, dict[str, tuple[str, ...]]]) -> None:
        self.found: list[Any] = []
        self._checks: list[Check] = []
        single: defaultdict[str, list[str]] = defaultdict(list)
        many: defaultdict[str, list[str]] = defaultdict(list)
        for element in type_.elements:
            for json_name, code in element.json_names().items():
                if in_bulk(type_, element, code):
                    kind = "" if code in _SPACELESS else code
                    (many if element.many else single)[kind].append(field(json_name))
            if element.choice:
                fields = {
                    field(name): field(f"_{name}") if extensible(type_, element, code) else ""
                    for name, code in element.json_names().items()
                }
                self._checks.append(_one_of(fields, must=element.min > 0))
            if element.codes and element.types == ("CodeableConcept",):
                self._checks.append(_coded(field(element.name), element.many, codes[element.codes]))
        self._single = [(kind, _values(names)) for kind, names in single.items()]
        self._many = [(kind, _values(names)) for kind, names in many.items()]

    def __bool__(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self._single or self._many or self._checks)

    def gather(self, pool: Pool) -> bool:
        """Put the values with a format into `pool`; whether choices and coded concepts are right."""
        found = self.found
        for kind, values in self._single:
            pool[kind].extend(values(found))
        for kind, values in self._many:
            for listed in values(found):
                if listed is not UNSET:
                    pool[kind].extend(listed)
        return all([check(found) for check in self._checks])  # noqa: C419  (a generator costs more here)


def _values(names: list[str]) -> Callable[[list[Any]], Iterable[Any]]:
    """The values of the named fields over many instances, in one go."""
    if not names:
        return lambda found: ()
    value = operator.attrgetter(*names)
    if len(names) == 1:
        return lambda found: map(value, found)
    return lambda found: itertools.chain.from_iterable(map(value, found))


def all_well_formed(pool: Pool) -> bool:
    """Whether every collected value has its format."""
    return all(_well_formed(kind, values) for kind, values in pool.items())


def _well_formed(kind: str, values: Iterable[Any]) -> bool:
    texts = set(values)
    texts.discard(UNSET)
    if not texts:
        return True
    if kind == "":
        joined = "".join(texts).encode()
        return "" not in texts and len(joined.translate(None, _SPACE)) == len(joined)
    if kind == "id":
        joined = "".join(texts).encode()
        return "" not in texts and max(map(len, texts)) <= 64 and not joined.translate(None, _ID)
    lines = "\n".join(texts)
    # A line feed inside a value could pass for the end of one.
    return lines.count("\n") == len(texts) - 1 and _LINES[kind].fullmatch(lines) is not None


def _lines(pattern: str) -> re.Pattern[str]:
    one = pattern.removeprefix(r"(?a)\A").removesuffix(r"\Z")
    return re.compile(rf"(?a){one}(?:\n{one})*")


_LINES = {code: _lines(p.pattern) for code, p in PRIMITIVES.items() if p.pattern and code not in _SPACELESS}


def _one_of(fields: dict[str, str], must: bool) -> Check:
    """At most one of the fields of a choice element is there; exactly one where it is required.

    `fields` names beside each the one for its extensions, "" where it has none: either of them counts.
    """
    values = operator.attrgetter(*fields)
    allowed = {len(fields) - 1} if must else {len(fields) - 1, len(fields)}
    marks = _values([mark for mark in fields.values() if mark])

    def check(found: list[Any]) -> bool:
        if any(marks(found)):
            return all(int(must) <= _present(each, fields) <= 1 for each in found)
        return allowed.issuperset(map(_absent, map(values, found)))

    return check


def _present(instance: Any, fields: dict[str, str]) -> int:
    """How many of the fields are there, by value or by extension."""
    pairs = ((name, mark) if mark else (name,) for name, mark in fields.items())
    return sum(any(getattr(instance, name) is not UNSET for name in pair) for pair in pairs)


def _coded(name: str, many: bool, codes: dict[str, tuple[str, ...]]) -> Check:
    """A CodeableConcept under a required binding has a coding from the value set."""
    allowed = frozenset((system, code) for system, listed in codes.items() for code in listed)
    value = operator.attrgetter(name)

    def check(found: list[Any]) -> bool:
        for each in map(value, found):
            for concept in each if many and each is not UNSET else (each,):
                if concept is UNSET:
                    continue
                if concept.coding is UNSET or not any((c.system, c.code) in allowed for c in concept.coding):
                    return False
        return True

    return check
