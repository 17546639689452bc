"""Single faults inserted into valid resources: many kinds, each at random elements, each with the element that the check
has to report. The kinds are in `element_faults` and `rule_faults`."""

import importlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from esante.core.fhir import check
from esante.core.fhir.definitions import Element
from esante.core.fhir.location_expressions import location_expression
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.validation.structure_validator import json_properties
from esante.core.types import Json
from tests.core.fhir.samples import DELETE, changed, dumped

Path = tuple[str | int, ...]


class Mutant(NamedTuple):
    """A resource with one fault; `named` are the expressions of which one has to be reported; none where the text is no
    JSON."""

    data: bytes
    named: frozenset[str] = frozenset()


class Site(NamedTuple):
    """A value in a resource, with its path, the type that it belongs to, its element, and its own type (`code`)."""

    path: Path
    value: Any
    owner: str
    element: Element
    code: str
    inside_list: bool

    @property
    def is_list(self) -> bool:
        return self.element.many and not self.inside_list

    @property
    def is_one(self) -> bool:
        """Whether this is a single value: the only one, or one of a list."""
        return not self.is_list

    @property
    def is_object(self) -> bool:
        return self.is_one and self.code not in PRIMITIVES


def sites(resource: Json) -> Iterator[Site]:
    """Every value of a valid resource, without those in extensions of primitives."""
    yield from _below(resource, resource["resourceType"], ())


def _below(container: Json, type_: str, path: Path) -> Iterator[Site]:
    for name, value in container.items():
        json_property = json_properties(type_).get(name)
        if json_property is None or json_property.extension:
            continue
        site = Site((*path, name), value, type_, json_property.element, json_property.code, False)
        yield site
        inner = [site]
        if json_property.element.many:
            inner = [site._replace(path=(*site.path, n), value=each, inside_list=True) for n, each in enumerate(value)]
            yield from inner
        for each in inner:
            if isinstance(each.value, dict):
                yield from _below(each.value, each.value.get("resourceType", json_property.code), each.path)


def objects(resource: Json) -> Iterator[tuple[Path, Json, str]]:
    """Every object with its type, including the resource itself."""
    yield (), resource, resource["resourceType"]
    for site in sites(resource):
        if site.is_object:
            yield site.path, site.value, site.value.get("resourceType", site.code)


#: A kind of fault yields functions that make mutants, one for each element that it fits; few of them are called.
Make = Callable[[], Mutant]
Kind = Callable[[Json], Iterator[Make]]
KINDS: dict[str, dict[str, Kind]] = {}


def kind(group: str, name: str) -> Callable[[Kind], Kind]:
    def register(kind_function: Kind) -> Kind:
        assert name not in KINDS.setdefault(group, {})
        KINDS[group][name] = kind_function
        return kind_function

    return register


def mutant(resource: Json, *change: Any, named: Path | None = None, without: Path = ()) -> Make:
    """The resource with `changed(resource, *change)`, and `without` an element; `named` is by default the changed
    element."""

    def make() -> Mutant:
        kind_function = changed(changed(resource, *without, DELETE) if without else resource, *change)
        return Mutant(
            dumped(kind_function),
            frozenset({location_expression(kind_function, named if named is not None else change[:-1])}),
        )

    return make


def each_site(
    group: str, name: str, fits: Callable[[Site], bool], value: Callable[[Site], Any], below: Path = ()
) -> None:
    """Register a kind of fault: another value at one site that fits; an element `below` it may be the named one."""

    def kind_function(resource: Json) -> Iterator[Make]:
        for site in sites(resource):
            if fits(site):
                yield mutant(resource, *site.path, value(site), named=(*site.path, *below))

    kind(group, name)(kind_function)


class GroupResult(NamedTuple):
    """The results of the mutants of one group; `missed` describes those not caught or reported elsewhere, `unused` are the
    kinds that fit no seed."""

    kinds: int
    mutants: int
    caught: int
    named: int
    missed: tuple[str, ...]
    unused: tuple[str, ...]


def judge_mutant(one: Mutant) -> tuple[bool, bool]:
    """Return whether the fault is caught, and whether it is reported at the right element."""
    result = check(one.data, invariants=True)
    reported = {issue.expression for issue in result.issues if issue.severity in ("error", "fatal")}
    caught = not result.ok
    return caught, caught and (not one.named or not reported.isdisjoint(one.named))


def survey_faults(seeds: Iterable[Json], per_seed: int = 1) -> dict[str, GroupResult]:
    """Check up to `per_seed` mutants of every kind from every seed, drawn by a generator with a fixed seed."""
    importlib.import_module("tests.core.fhir.validation.rule_faults")  # registers all kinds
    rng = random.Random(1)
    seeds = list(seeds)
    found: dict[str, GroupResult] = {}
    for group, kinds in KINDS.items():
        counts: Counter[str] = Counter()
        missed, unused = [], []
        for name, kind_function in kinds.items():
            mutants = [make() for each in seeds for make in _drawn(list(kind_function(each)), per_seed, rng)]
            if not mutants:
                unused.append(name)
            for one in mutants:
                caught, named = judge_mutant(one)
                counts.update(mutants=1, caught=caught, named=named)
                if not named:
                    missed.append(f"{name}: {sorted(one.named)} {one.data[:300]!r}")
        total = counts["mutants"], counts["caught"], counts["named"]
        found[group] = GroupResult(len(kinds) - len(unused), *total, tuple(missed), tuple(unused))
    return found


def _drawn(places: list[Make], count: int, rng: random.Random) -> list[Make]:
    return rng.sample(places, min(count, len(places)))
