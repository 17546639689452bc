"""The search parameters of each resource type, from the definitions, and the keys that they share in the index.

Many parameters look at the same elements: `combo-code` of an Observation at those of `code` and those of
`component-code`. So not each parameter has a key of its own in the index, but each set of paths that the same
parameters look at.
"""

import functools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from esante.core.fhir.definitions import SearchParameter, load_definitions, search_parameters
from esante.core.fhir.fhirpath.model import At, Call, Infix, Name, Step, Tree, TypeTest
from esante.core.fhir.fhirpath.parser import parse, unparse
from esante.core.fhir.fhirpath.types import is_domain, resources
from esante.core.fhir.search.indexing.path_types import Spot, leads

#: Not in the index: columns of the table.
COLUMNS = frozenset({"_id", "_lastUpdated"})
#: What a search says besides parameters of the definitions, and cannot be asked for here.
REFUSED = frozenset({"_text", "_content", "_query", "_filter", "_list", "near"})


#: R4 names the definitions of its two parts the wrong way round; R5 mended it.
_SWAPPED = "http://hl7.org/fhir/SearchParameter/DocumentReference-relationship"
#: Types of which one says several values.
_OF_SEVERAL = frozenset({"HumanName", "Address"})


class Key(NamedTuple):
    """A key of the index as a parameter uses it.

    `only`: of its references those to that type. `many`: whether a resource may have several values there. `codes`:
    the code systems, with their codes in small letters, that codes without a system of their own are from.
    """

    name: str
    only: str | None = None
    many: bool = True
    codes: Mapping[str, frozenset[str]] = MappingProxyType({})


class Component(NamedTuple):
    """One part of a composite parameter: its type, its keys, in the index or in an entry of the nested key, and the
    types that a reference may point to."""

    kind: str
    keys: tuple[Key, ...]
    target: tuple[str, ...]


class Alternative(NamedTuple):
    """Where the parts of a composite parameter are found together: in the entries of a key of the index, or, where
    that is None, in the resource itself."""

    nested: str | None
    components: tuple[Component, ...]


class Parameter(NamedTuple):
    """A search parameter of one resource type: what it is called and where its values are. `holds` are the FHIR types
    of the elements it looks at, `target` the types that a reference may point to."""

    code: str
    type: str
    url: str
    keys: tuple[Key, ...]
    holds: frozenset[str] = frozenset()
    target: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    @classmethod
    def part(cls, component: Component) -> "Parameter":
        """A part of a composite parameter by itself."""
        return cls("", component.kind, "", component.keys, target=component.target)


class Plan(NamedTuple):
    """What is to be put under a key of the index: a kind of value, found by paths, and where these lead."""

    name: str
    kind: str
    paths: tuple[Tree, ...]
    spots: tuple[Spot, ...]

    def key(self, only: str | None = None) -> Key:
        """The key as a parameter uses it."""
        systems = {spot.codes for spot in self.spots if spot.codes and spot.type == "code"}
        codes: dict[str, frozenset[str]] = {}
        for url in systems:
            for system, listed in load_definitions().codes.get(url, {}).items():
                codes[system] = codes.get(system, frozenset()) | {code.lower() for code in listed}
        many = len(self.paths) > 1 or any(spot.many or spot.type in _OF_SEVERAL for spot in self.spots)
        return Key(self.name, only, many, MappingProxyType(codes))


class NestedPlan(NamedTuple):
    """What is to be put under the key of a composite: for each element that the path finds, its components."""

    name: str
    path: Tree
    components: tuple[Plan, ...]


class Types(NamedTuple):
    """All there is to know to index and to search resources of a type."""

    parameters: Mapping[str, Parameter]
    plans: tuple[Plan, ...]
    nested: tuple[NestedPlan, ...]


@functools.cache
def of_type(type_: str) -> Types:
    """The parameters of a resource type, and what is to be indexed for them. Raises KeyError for no type of R4."""
    if type_ not in resources():
        raise KeyError(type_)
    return _Planner(type_).types()


def parameters(type_: str) -> Mapping[str, Parameter]:
    """The search parameters of a resource type by code. Raises KeyError for no type of R4."""
    return of_type(type_).parameters


def _definitions(type_: str) -> Iterator[SearchParameter]:
    bases = {type_, "Resource", *(("DomainResource",) if is_domain(type_) else ())}
    return (each for each in search_parameters() if not bases.isdisjoint(each.base) and each.code not in REFUSED)


@functools.cache
def _by_address() -> Mapping[str, SearchParameter]:
    return {each.url: each for each in search_parameters()}


def _components(composite: SearchParameter) -> list[tuple[SearchParameter, str]]:
    """The definitions of the parts of a composite parameter with their expressions."""
    urls, expressions = zip(*composite.components, strict=True)
    if composite.url == _SWAPPED:
        urls = urls[::-1]
    return [(_by_address()[url], expression) for url, expression in zip(urls, expressions, strict=True)]


class _Use(NamedTuple):
    """A path as a parameter looks at it: a part of the expression without the name of the type."""

    kind: str
    text: str
    only: str | None


class _Planner:
    """Finds which parameters look at the same paths."""

    def __init__(self, type_: str) -> None:
        self._type = type_
        self._trees: dict[str, Tree] = {}
        self._uses: dict[str, tuple[_Use, ...]] = {}
        self._nested: dict[tuple[str, tuple[tuple[str, str], ...]], NestedPlan] = {}

    def types(self) -> Types:
        found = [each for each in _definitions(self._type) if each.expression]
        plain = [each for each in found if each.type != "composite"]
        composites = [each for each in found if each.type == "composite"]
        for each in plain:
            self._uses[each.code] = () if each.code in COLUMNS else self._used(each.type, each.expression or "")
        together = {each.code: list(self._alternatives(each)) for each in composites}
        plans = self._grouped()
        parameters = {each.code: self._parameter(each, plans) for each in plain}
        for each in composites:
            targets = [definition.target for definition, _ in _components(each)]
            alternatives = tuple(
                self._alternative(users, nested, targets, plans) for users, nested in together[each.code]
            )
            parameters[each.code] = Parameter(each.code, each.type, each.url, (), alternatives=alternatives)
        return Types(parameters, tuple(dict.fromkeys(plans.values())), tuple(self._nested.values()))

    def _parameter(self, found: SearchParameter, plans: "_Plans") -> Parameter:
        used = [plans[use.kind, use.text] for use in self._uses[found.code]]
        holds = frozenset(spot.type for plan in used for spot in plan.spots)
        return Parameter(found.code, found.type, found.url, self._keys(found.code, plans), holds, found.target)

    def _used(self, kind: str, expression: str) -> tuple[_Use, ...]:
        uses = []
        for part in _parts(parse(expression)):
            if _beginning(part) in (self._type, "Resource", "DomainResource", None):
                inner = _inner(part, self._type)
                path, only = _unfiltered(inner) if kind == "reference" else (inner, None)
                text = unparse(path)
                self._trees[text] = path
                uses.append(_Use(kind, text, only))
        return tuple(uses)

    def _grouped(self) -> "_Plans":
        """What is put under which key for each path: one key for those that the same parameters look at."""
        users: dict[tuple[str, str], set[tuple[str, str | None]]] = {}
        for code, uses in self._uses.items():
            for use in uses:
                users.setdefault((use.kind, use.text), set()).add((code, use.only))
        groups: dict[tuple[str, frozenset[tuple[str, str | None]]], list[str]] = {}
        for (kind, text), by in users.items():
            groups.setdefault((kind, frozenset(by)), []).append(text)
        plans: _Plans = {}
        taken: set[str] = set()
        for (kind, _), texts in groups.items():
            name = texts[0] if texts[0] not in taken else f"{texts[0]} {kind}"
            taken.add(name)
            plan = _plan(name, kind, [self._trees[text] for text in texts], self._type)
            plans.update(((kind, text), plan) for text in texts)
        return plans

    def _keys(self, code: str, plans: "_Plans") -> tuple[Key, ...]:
        found = {(plans[use.kind, use.text].name, use.only): plans[use.kind, use.text] for use in self._uses[code]}
        return tuple(plan.key(only) for (_, only), plan in found.items())

    def _alternatives(self, composite: SearchParameter) -> Iterator[tuple[tuple[str, ...], NestedPlan | None]]:
        """For each path of a composite: the users of the paths of its components, or the nested key."""
        for base in _parts(parse(composite.expression or "")):
            if _beginning(base) not in (self._type, None):
                continue
            if isinstance(base, Name):
                users = tuple(f"{composite.code}.{n}" for n in range(len(composite.components)))
                for user, (definition, expression) in zip(users, _components(composite), strict=True):
                    self._uses[user] = self._used(definition.type, expression)
                yield users, None
            else:
                yield (), self._nest(composite, _inner(base, self._type))

    def _nest(self, composite: SearchParameter, base: Tree) -> NestedPlan:
        components = tuple((definition.type, expression) for definition, expression in _components(composite))
        at = (unparse(base), components)
        if at not in self._nested:
            inner = next(iter(leads(base, self._type))).type
            plans = tuple(
                _plan(str(n), kind, list(_parts(parse(expression))), inner)
                for n, (kind, expression) in enumerate(components)
            )
            self._nested[at] = NestedPlan(composite.code, base, plans)
        return self._nested[at]

    def _alternative(
        self, users: tuple[str, ...], nested: NestedPlan | None, targets: list[tuple[str, ...]], plans: "_Plans"
    ) -> Alternative:
        if nested is None:
            kinds = [self._uses[user][0].kind for user in users]
            keys = [self._keys(user, plans) for user in users]
        else:
            kinds = [plan.kind for plan in nested.components]
            keys = [(plan.key(),) for plan in nested.components]
        return Alternative(nested.name if nested else None, tuple(map(Component, kinds, keys, targets)))


#: Plans by the kind and the text of their paths.
_Plans = dict[tuple[str, str], Plan]


def _plan(name: str, kind: str, paths: list[Tree], type_: str) -> Plan:
    return Plan(name, kind, tuple(paths), tuple(spot for path in paths for spot in leads(path, type_)))


def _parts(tree: Tree) -> Iterator[Tree]:
    if isinstance(tree, Infix) and tree.operator == "|":
        yield from _parts(tree.left)
        yield from _parts(tree.right)
    else:
        yield tree


def _beginning(tree: Tree) -> str | None:
    """The type that a path begins with."""
    match tree:
        case Name(name):
            return name if name[:1].isupper() else None
        case Step(left, _) | At(left, _) | Infix(_, left, _) | TypeTest(_, left, _):
            return _beginning(left)
    return None


def _inner(tree: Tree, type_: str) -> Tree:
    """A path without the type that it begins with."""
    match tree:
        case Step(Name(name), right) if name in (type_, "Resource", "DomainResource"):
            return right
        case Step(left, right):
            return Step(_inner(left, type_), right)
    return tree


def _unfiltered(tree: Tree) -> tuple[Tree, str | None]:
    """A path to references without a last `where(resolve() is T)`, and that type."""
    match tree:
        case Step(left, Call("where", (TypeTest("is", Call("resolve", ()), name),))):
            return left, name
    return tree, None
