"""Single faults put into valid resources: many kinds, each at places drawn by lot, each with the element that a report
has to name. The kinds are in `faults` and `faults_of_rules`."""

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
from tests.core.fhir.samples import DELETE, changed, dumped

Json = dict[str, Any]
Path = tuple[str | int, ...]


class Mutant(NamedTuple):
    """A resource with one fault; `named` are the expressions of which one has to be told; none where the text is no
    JSON."""

    data: bytes
    named: frozenset[str] = frozenset()


class Site(NamedTuple):
    """A value in a resource: where, what, and as which type of which element of which type it stands there."""

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
        """A value by itself: the only one, or one of a list."""
        return not self.is_list

    @property
    def is_object(self) -> bool:
        return self.is_one and self.code not in PRIMITIVES


def sites(resource: Json) -> Iterator[Site]:
    """Every value of a valid resource but those in extensions of primitives."""
    yield from _below(resource, resource["resourceType"], ())


def _below(holder: Json, type_: str, path: Path) -> Iterator[Site]:
    for name, value in holder.items():
        slot = json_properties(type_).get(name)
        if slot is None or slot.extension:
            continue
        site = Site((*path, name), value, type_, slot.element, slot.code, False)
        yield site
        inner = [site]
        if slot.element.many:
            inner = [site._replace(path=(*site.path, n), value=each, inside_list=True) for n, each in enumerate(value)]
            yield from inner
        for each in inner:
            if isinstance(each.value, dict):
                yield from _below(each.value, each.value.get("resourceType", slot.code), each.path)


def objects(resource: Json) -> Iterator[tuple[Path, Json, str]]:
    """Every object with its type, the resource itself among them."""
    yield (), resource, resource["resourceType"]
    for site in sites(resource):
        if site.is_object:
            yield site.path, site.value, site.value.get("resourceType", site.code)


#: The places of a resource that a kind of fault fits, each as what makes the mutant; few of them are drawn.
Make = Callable[[], Mutant]
Kind = Callable[[Json], Iterator[Make]]
KINDS: dict[str, dict[str, Kind]] = {}


def kind(group: str, name: str) -> Callable[[Kind], Kind]:
    def register(made: Kind) -> Kind:
        assert name not in KINDS.setdefault(group, {})
        KINDS[group][name] = made
        return made

    return register


def mutant(resource: Json, *change: Any, named: Path | None = None, without: Path = ()) -> Make:
    """The resource with `changed(resource, *change)`, and `without` a place; the element that is named is the changed
    one if no other is."""

    def make() -> Mutant:
        made = changed(changed(resource, *without, DELETE) if without else resource, *change)
        return Mutant(
            dumped(made), frozenset({location_expression(made, named if named is not None else change[:-1])})
        )

    return make


def each_site(
    group: str, name: str, fits: Callable[[Site], bool], value: Callable[[Site], Any], below: Path = ()
) -> None:
    """A kind of fault: another value at one site that fits; a place `below` it may be the one that is named."""

    def made(resource: Json) -> Iterator[Make]:
        for site in sites(resource):
            if fits(site):
                yield mutant(resource, *site.path, value(site), named=(*site.path, *below))

    kind(group, name)(made)


class Outcome(NamedTuple):
    """What became of the mutants of one group; `missed` tells of those not caught or told elsewhere, `unused` are the
    kinds that no seed has a place for."""

    kinds: int
    mutants: int
    caught: int
    named: int
    missed: tuple[str, ...]
    unused: tuple[str, ...]


def judged(one: Mutant) -> tuple[bool, bool]:
    """Whether the fault is caught, and told at the right element; that of a text by what is wrong with it."""
    result = check(one.data, invariants=True)
    told = {issue.expression for issue in result.issues if issue.severity in ("error", "fatal")}
    caught = not result.ok
    return caught, caught and (not one.named or not told.isdisjoint(one.named))


def survey(seeds: Iterable[Json], per_seed: int = 1) -> dict[str, Outcome]:
    """Up to `per_seed` mutants of every kind from every seed, drawn by a lot that is always the same."""
    importlib.import_module("tests.core.fhir.validation.rule_faults")  # which knows all kinds
    lot = random.Random(1)
    seeds = list(seeds)
    found: dict[str, Outcome] = {}
    for group, kinds in KINDS.items():
        counts: Counter[str] = Counter()
        missed, unused = [], []
        for name, made in kinds.items():
            mutants = [make() for each in seeds for make in _drawn(list(made(each)), per_seed, lot)]
            if not mutants:
                unused.append(name)
            for one in mutants:
                caught, named = judged(one)
                counts.update(mutants=1, caught=caught, named=named)
                if not named:
                    missed.append(f"{name}: {sorted(one.named)} {one.data[:300]!r}")
        total = counts["mutants"], counts["caught"], counts["named"]
        found[group] = Outcome(len(kinds) - len(unused), *total, tuple(missed), tuple(unused))
    return found


def _drawn(places: list[Make], count: int, lot: random.Random) -> list[Make]:
    return lot.sample(places, min(count, len(places)))
