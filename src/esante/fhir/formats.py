"""Formats, choices and coded concepts of a whole resource, checked in bulk after msgspec has decoded it.

A pattern on a string costs msgspec a Python call per value (0.7 microseconds), which would be most of the
time of a pass over a document. So the generated types that occur often drop their instances into a list while
they are decoded (`Collector.found`), and each format is then checked once over all values that have it,
joined by line feeds.
"""

import itertools
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import UNSET

from esante.fhir.definitions import Element, Type
from esante.fhir.primitives import PRIMITIVES

Pool = defaultdict[str, list[Any]]
Check = Callable[[list[Any]], bool]

#: Formats that come down to "no white space"; a code with a single space inside is left to the slow pass.
_SPACELESS = frozenset({"uri", "url", "canonical", "code"})
_OFTEN = frozenset({"Coding", "Identifier", "Meta", "Period", "Quantity", "Bundle.entry", "Bundle.entry.request"})
_SELDOM = frozenset({"implicitRules", "language"})


def in_bulk(type_: Type, element: Element, code: str) -> bool:
    """Whether values of this element are checked here rather than one by one by msgspec."""
    if element.codes and code == "code":
        return False
    if code not in PRIMITIVES or PRIMITIVES[code].pattern is None or code == "base64Binary":
        return False
    if type_.kind == "resource":
        return element.name not in _SELDOM and (code == "dateTime" or not element.choice)
    return type_.name in _OFTEN or (type_.name == "Extension" and element.name == "url")


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
                names = tuple(field(name) for name in element.json_names())
                self._checks.append(_one_of(names, must=element.min > 0))
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
    if kind == "":
        return "" not in texts and len("\n".join(texts).split()) == len(texts)
    if not texts:
        return True
    joined = "\n".join(texts)
    # A line feed inside a value could pass for the end of one.
    return joined.count("\n") == len(texts) - 1 and _LINES[kind].fullmatch(joined) is not None


def _lines(pattern: str) -> re.Pattern[str]:
    one = pattern.removeprefix(r"(?a)\A").removesuffix(r"\Z")
    return re.compile(rf"(?a){one}(?:\n{one})*")


_LINES = {code: _lines(p.pattern) for code, p in PRIMITIVES.items() if p.pattern and code not in _SPACELESS}


def _one_of(names: tuple[str, ...], must: bool) -> Check:
    """At most one of the properties of a choice element is there; exactly one where it is required."""
    values = operator.attrgetter(*names)
    allowed = {len(names) - 1} if must else {len(names) - 1, len(names)}

    def check(found: list[Any]) -> bool:
        return allowed.issuperset([each.count(UNSET) for each in map(values, found)])

    return check


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
