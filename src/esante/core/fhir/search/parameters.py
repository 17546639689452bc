"""The search parameters of each resource type, from the definitions, and the keys that they share in the index.

Many parameters use the same elements: `combo-code` of an Observation those of `code` and those of `component-code`.
Therefore a key of the index belongs not to a parameter, but to a set of paths that the same parameters use.
"""

import functools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from esante.core.fhir.definitions import SearchParameter, load_definitions, search_parameters
from esante.core.fhir.fhirpath import (
    Call,
    Infix,
    Name,
    Step,
    Subscript,
    SyntaxTree,
    TypeTest,
    is_domain_resource,
    parse_path,
    resource_types,
    split_union,
    unparse_path,
)
from esante.core.fhir.search.indexing.path_types import PathTarget, path_targets

#: Parameters that are columns of the table, not keys of the index.
COLUMNS = frozenset({"_id", "_lastUpdated"})
#: Parameters of the specification that are refused.
UNSUPPORTED = frozenset({"_text", "_content", "_query", "_filter", "_list", "near"})

#: R4 gives the definitions of its two components in the wrong order; R5 corrects it.
_SWAPPED_COMPONENTS = "http://hl7.org/fhir/SearchParameter/DocumentReference-relationship"
#: Types of which one element has several values.
_MULTI_VALUED_TYPES = frozenset({"HumanName", "Address"})


class IndexKey(NamedTuple):
    """A key of the index as a parameter uses it.

    `target_type` limits its references to those to that type. `many` says whether a resource may have several values
    under it. `codes` are the code systems, with their codes in lower case, of codes without a system of their own.
    """

    name: str
    target_type: str | None = None
    many: bool = True
    codes: Mapping[str, frozenset[str]] = MappingProxyType({})


class Component(NamedTuple):
    """A component of a composite parameter.

    `kind` is its parameter type; its `keys` are in the index or in the entries of the nested key; `target` are the
    types that a reference may be to.
    """

    kind: str
    keys: tuple[IndexKey, ...]
    target: tuple[str, ...]


class Alternative(NamedTuple):
    """A place where the components of a composite parameter occur together: the entries of the key `nested` of the
    index, or the resource itself (None)."""

    nested: str | None
    components: tuple[Component, ...]


class Parameter(NamedTuple):
    """A search parameter of one resource type, with the keys of its values in the index.

    `element_types` are the FHIR types of its elements, `target` the types that a reference may be to.
    """

    code: str
    type: str
    url: str
    keys: tuple[IndexKey, ...]
    element_types: frozenset[str] = frozenset()
    target: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    @classmethod
    def of_component(cls, component: Component) -> "Parameter":
        """Return a component of a composite parameter as a parameter."""
        return cls("", component.kind, "", component.keys, target=component.target)


class KeyPlan(NamedTuple):
    """The content of a key of the index: the kind of its values, the paths to them, and the targets of the paths."""

    name: str
    kind: str
    paths: tuple[SyntaxTree, ...]
    targets: tuple[PathTarget, ...]

    def key(self, target_type: str | None = None) -> IndexKey:
        """Return the key as a parameter uses it, with its references limited to one type if that is given."""
        systems = {target.codes for target in self.targets if target.codes and target.type == "code"}
        codes: dict[str, frozenset[str]] = {}
        for url in systems:
            for system, listed in load_definitions().codes.get(url, {}).items():
                codes[system] = codes.get(system, frozenset()) | {code.lower() for code in listed}
        many = len(self.paths) > 1 or any(target.many or target.type in _MULTI_VALUED_TYPES for target in self.targets)
        return IndexKey(self.name, target_type, many, MappingProxyType(codes))


class NestedKeyPlan(NamedTuple):
    """The content of the key of a composite parameter: the components of each element that the path finds."""

    name: str
    path: SyntaxTree
    components: tuple[KeyPlan, ...]


class TypeParameters(NamedTuple):
    """The parameters of a resource type by code, and the keys of the index that hold their values."""

    parameters: Mapping[str, Parameter]
    plans: tuple[KeyPlan, ...]
    nested: tuple[NestedKeyPlan, ...]


@functools.cache
def type_parameters(type_: str) -> TypeParameters:
    """Return the parameters of a resource type and the keys of their index. Raises: `KeyError` for no type of R4."""
    if type_ not in resource_types():
        raise KeyError(type_)
    return _Planner(type_).plan()


def parameters_of(type_: str) -> Mapping[str, Parameter]:
    """Return the search parameters of a resource type by code. Raises: `KeyError` for no type of R4."""
    return type_parameters(type_).parameters


def _definitions_of(type_: str) -> Iterator[SearchParameter]:
    bases = {type_, "Resource", *(("DomainResource",) if is_domain_resource(type_) else ())}
    return (each for each in search_parameters() if not bases.isdisjoint(each.base) and each.code not in UNSUPPORTED)


@functools.cache
def _definitions_by_url() -> Mapping[str, SearchParameter]:
    return {each.url: each for each in search_parameters()}


def _component_definitions(composite: SearchParameter) -> list[tuple[SearchParameter, str]]:
    """Return the definitions of the components of a composite parameter with their expressions."""
    urls, expressions = zip(*composite.components, strict=True)
    if composite.url == _SWAPPED_COMPONENTS:
        urls = urls[::-1]
    return [(_definitions_by_url()[url], expression) for url, expression in zip(urls, expressions, strict=True)]


class _PathUse(NamedTuple):
    """A path that a parameter uses: an operand of its expression without the name of the type."""

    kind: str
    text: str
    target_type: str | None


class _Planner:
    """Assigns the paths of all parameters of a type to keys of the index."""

    def __init__(self, type_: str) -> None:
        self._type = type_
        self._trees: dict[str, SyntaxTree] = {}
        self._uses: dict[str, tuple[_PathUse, ...]] = {}
        self._nested: dict[tuple[str, tuple[tuple[str, str], ...]], NestedKeyPlan] = {}

    def plan(self) -> TypeParameters:
        found = [each for each in _definitions_of(self._type) if each.expression]
        plain = [each for each in found if each.type != "composite"]
        composites = [each for each in found if each.type == "composite"]
        for each in plain:
            self._uses[each.code] = () if each.code in COLUMNS else self._path_uses(each.type, each.expression or "")
        found_alternatives = {each.code: list(self._find_alternatives(each)) for each in composites}
        plans = self._group_paths()
        parameters = {each.code: self._make_parameter(each, plans) for each in plain}
        for each in composites:
            targets = [definition.target for definition, _ in _component_definitions(each)]
            alternatives = tuple(
                self._make_alternative(users, nested, targets, plans)
                for users, nested in found_alternatives[each.code]
            )
            parameters[each.code] = Parameter(each.code, each.type, each.url, (), alternatives=alternatives)
        return TypeParameters(parameters, tuple(dict.fromkeys(plans.values())), tuple(self._nested.values()))

    def _make_parameter(self, found: SearchParameter, plans: "_Plans") -> Parameter:
        used = [plans[use.kind, use.text] for use in self._uses[found.code]]
        types = frozenset(target.type for plan in used for target in plan.targets)
        return Parameter(
            found.code, found.type, found.url, self._parse_logical_id(found.code, plans), types, found.target
        )

    def _path_uses(self, kind: str, expression: str) -> tuple[_PathUse, ...]:
        uses = []
        for part in split_union(parse_path(expression)):
            if _leading_type(part) in (self._type, "Resource", "DomainResource", None):
                inner = _without_leading_type(part, self._type)
                path, target_type = _without_type_filter(inner) if kind == "reference" else (inner, None)
                text = unparse_path(path)
                self._trees[text] = path
                uses.append(_PathUse(kind, text, target_type))
        return tuple(uses)

    def _group_paths(self) -> "_Plans":
        """Return the plan of the key for each path: one key for the paths that the same parameters use."""
        users: dict[tuple[str, str], set[tuple[str, str | None]]] = {}
        for code, uses in self._uses.items():
            for use in uses:
                users.setdefault((use.kind, use.text), set()).add((code, use.target_type))
        groups: dict[tuple[str, frozenset[tuple[str, str | None]]], list[str]] = {}
        for (kind, text), by in users.items():
            groups.setdefault((kind, frozenset(by)), []).append(text)
        plans: _Plans = {}
        taken: set[str] = set()
        for (kind, _), texts in groups.items():
            name = texts[0] if texts[0] not in taken else f"{texts[0]} {kind}"
            taken.add(name)
            plan = _make_plan(name, kind, [self._trees[text] for text in texts], self._type)
            plans.update(((kind, text), plan) for text in texts)
        return plans

    def _parse_logical_id(self, code: str, plans: "_Plans") -> tuple[IndexKey, ...]:
        found = {
            (plans[use.kind, use.text].name, use.target_type): plans[use.kind, use.text] for use in self._uses[code]
        }
        return tuple(plan.key(target_type) for (_, target_type), plan in found.items())

    def _find_alternatives(self, composite: SearchParameter) -> Iterator[tuple[tuple[str, ...], NestedKeyPlan | None]]:
        """Yield for each path of a composite the users of its components' paths, or the plan of the nested key."""
        for base in split_union(parse_path(composite.expression or "")):
            if _leading_type(base) not in (self._type, None):
                continue
            if isinstance(base, Name):
                users = tuple(f"{composite.code}.{n}" for n in range(len(composite.components)))
                for user, (definition, expression) in zip(users, _component_definitions(composite), strict=True):
                    self._uses[user] = self._path_uses(definition.type, expression)
                yield users, None
            else:
                yield (), self._plan_nested(composite, _without_leading_type(base, self._type))

    def _plan_nested(self, composite: SearchParameter, base: SyntaxTree) -> NestedKeyPlan:
        components = tuple(
            (definition.type, expression) for definition, expression in _component_definitions(composite)
        )
        at = (unparse_path(base), components)
        if at not in self._nested:
            inner = next(iter(path_targets(base, self._type))).type
            plans = tuple(
                _make_plan(str(n), kind, split_union(parse_path(expression)), inner)
                for n, (kind, expression) in enumerate(components)
            )
            self._nested[at] = NestedKeyPlan(composite.code, base, plans)
        return self._nested[at]

    def _make_alternative(
        self, users: tuple[str, ...], nested: NestedKeyPlan | None, targets: list[tuple[str, ...]], plans: "_Plans"
    ) -> Alternative:
        if nested is None:
            kinds = [self._uses[user][0].kind for user in users]
            keys = [self._parse_logical_id(user, plans) for user in users]
        else:
            kinds = [plan.kind for plan in nested.components]
            keys = [(plan.key(),) for plan in nested.components]
        return Alternative(nested.name if nested else None, tuple(map(Component, kinds, keys, targets)))


_Plans = dict[tuple[str, str], KeyPlan]
"""Plans by the kind and the text of their paths."""


def _make_plan(name: str, kind: str, paths: list[SyntaxTree], type_: str) -> KeyPlan:
    return KeyPlan(name, kind, tuple(paths), tuple(target for path in paths for target in path_targets(path, type_)))


def _leading_type(tree: SyntaxTree) -> str | None:
    """Return the type that a path begins with; None for none."""
    match tree:
        case Name(name):
            return name if name[:1].isupper() else None
        case Step(left, _) | Subscript(left, _) | Infix(_, left, _) | TypeTest(_, left, _):
            return _leading_type(left)
    return None


def _without_leading_type(tree: SyntaxTree, type_: str) -> SyntaxTree:
    """Return a path without the type that it begins with."""
    match tree:
        case Step(Name(name), right) if name in (type_, "Resource", "DomainResource"):
            return right
        case Step(left, right):
            return Step(_without_leading_type(left, type_), right)
    return tree


def _without_type_filter(tree: SyntaxTree) -> tuple[SyntaxTree, str | None]:
    """Return a path to references without a last `where(resolve() is T)`, and that type."""
    match tree:
        case Step(left, Call("where", (TypeTest("is", Call("resolve", ()), name),))):
            return left, name
    return tree, None
