"""Compilation of the snapshot of a profile to its rules beyond R4."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from esante.core.fhir.definitions import Invariant, load_definitions
from esante.core.fhir.fhirpath import PathError, compile_path
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.profiles.definitions import RESOLVE, Discriminator, Expected, Rule, Slice
from esante.core.types import Json
from tools import build_fhir_definitions as r4
from tools.profile_codes import ProfileValueSets

#: Parts of an ElementDefinition that are not checked; they are reported where a profile has them.
_UNKNOWN = ("minValue", "maxValue")
_ADDITIONAL = "http://hl7.org/fhir/tools/StructureDefinition/additional-binding"
_IDENTITY = "$this"


class ProfileSource:
    """The elements of R4 with which profiles are compared, and the profiles and value sets that they name."""

    def __init__(self, source: r4.Source) -> None:
        self.profiles: dict[str, Json] = {}
        self.codes = ProfileValueSets(source)
        self._elements = {e["path"]: e for s in r4.select_structures(source) for e in s["snapshot"]["element"]}

    def add_codes(self, resources: Iterable[Json]) -> None:
        """Add value sets and code systems of a package."""
        for each in resources:
            (self.codes.sets if each["resourceType"] == "ValueSet" else self.codes.systems)[each["url"]] = each

    def base(self, element: Json) -> Json:
        """Return the element as R4 defines it; empty where it does not."""
        return self._elements.get(element["base"]["path"], {})


@dataclass
class ElementTree:
    """An element of a snapshot with those below it, and its slices, by name.

    `own_name` is the name of a slice that is the element itself.
    """

    element: Json = field(default_factory=dict)
    own_name: str = ""
    children: dict[str, "ElementTree"] = field(default_factory=dict)
    slices: dict[str, "ElementTree"] = field(default_factory=dict)


def build_tree(snapshot: list[Json]) -> ElementTree:
    """Return the elements as a tree along the parts of their ids: `Observation.category:laboratory.coding`.

    A slice of an element that is not listed without one is the element itself: so R4 names some.
    """
    top = ElementTree(snapshot[0])
    for element in snapshot[1:]:
        here = top
        for part in element["id"].split(".")[1:]:
            name, _, sliced = part.partition(":")
            here = here.children.setdefault(name.removesuffix("[x]"), ElementTree())
            if sliced and not here.element:
                here.own_name = sliced
            here = here.slices.setdefault(sliced, ElementTree()) if sliced != here.own_name else here
        here.element = element
    return top


class ProfileCompiler:
    """Compiles one profile; what it cannot compile is kept as text."""

    def __init__(self, source: ProfileSource, profile: Json) -> None:
        self._source = source
        self._profile = profile
        self._not_checked: dict[str, None] = {}

    def compile(self) -> tuple[Rule, tuple[str, ...]]:
        """Return the rules, and texts about what of the profile is not in them."""
        rule = self._rule("", build_tree(self._profile["snapshot"]["element"]), Rule(name=""))
        return rule, tuple(self._not_checked)

    def _leave_out(self, element: Json, why: str) -> None:
        self._not_checked[f"{element['path']}: {why}"] = None

    def _rule(self, name: str, tree: ElementTree, general: Rule, *, is_slice: bool = False) -> Rule:
        """Return the demands on an element, or on a slice of it (`is_slice`), beyond R4 and the `general` rule for all
        slices."""
        element, base = tree.element, self._source.base(tree.element)
        children = [self._rule(each, inner, _child_rule(general, each)) for each, inner in tree.children.items()
                 if not _is_primitive_part(inner.element)]  # fmt: skip
        rule = Rule(
            name=name,
            **(_counts_of_slice(element) if is_slice else _counts(element)),
            types=_narrower_types(r4.type_codes(element), r4.type_codes(base)),
            profiles=self._profiles(element, base),
            **self._targets(element, base),
            expected=_expected(element),
            codes=self._codes(element, base),
            max_length=element.get("maxLength") if element.get("maxLength") != base.get("maxLength") else None,
            invariants=tuple(self._invariants(element)),
            children=tuple(each for each in children if len(each)),
        )
        for key in element:
            if key.startswith(_UNKNOWN) and key not in base:
                self._leave_out(element, f"{key} is not checked")
        rule = _without_general(rule, general, counts=not is_slice)
        return self._with_slices(rule, tree, general) if tree.slices else rule

    def _with_slices(self, rule: Rule, tree: ElementTree, general: Rule) -> Rule:
        slicing = tree.element.get("slicing") or {
            "rules": "open",
            "discriminator": [{"type": "type", "path": "$this"}],
        }
        closed = slicing["rules"] == "closed"
        if slicing.get("ordered") or slicing["rules"] == "openAtEnd":
            self._leave_out(tree.element, "the order of the slices is not checked")
        slices: list[Slice] = []
        for name, inner in tree.slices.items():
            before = dict(self._not_checked)
            discriminators, why = self._discriminators(slicing.get("discriminator", []), inner)
            member_rule = self._rule(rule.name, inner, rule, is_slice=True)
            member_rule = _without_discriminators(member_rule, discriminators)
            self._discard_not_checked(before, inner, discriminators)
            is_known = Slice(name, tuple(discriminators), member_rule) in general.slices
            if (not len(member_rule) or is_known) and not closed:
                continue
            if why or not discriminators or "/" in name:
                self._leave_out(inner.element, f"slice {name}: {why or 'it has no discriminator that can be checked'}")
                closed = False
                continue
            slices.append(Slice(name, tuple(discriminators), member_rule))
        return msgspec.structs.replace(rule, slices=tuple(slices), closed=closed)

    def _discard_not_checked(
        self, before: dict[str, None], inner: ElementTree, discriminators: list[Discriminator]
    ) -> None:
        """Discard texts about discriminators by type or profile: these decide on membership only, not on validity."""
        paths = {
            ".".join((inner.element["path"], *(s for s in discriminator.steps if s != RESOLVE)))
            for discriminator in discriminators
            if discriminator.kind in ("type", "profile")
        }
        for line in self._not_checked.keys() - before.keys():
            if line.partition(": ")[0].removesuffix("[x]") in {path.removesuffix("[x]") for path in paths}:
                del self._not_checked[line]

    def _discriminators(self, listed: list[Json], tree: ElementTree) -> tuple[list[Discriminator], str]:
        """Return the discriminators of a slice, or why they cannot be compiled."""
        discriminators: list[Discriminator] = []
        for each in listed:
            path = each["path"]
            steps = () if path == _IDENTITY else tuple(path.removeprefix(f"{_IDENTITY}.").split("."))
            is_supported = all(step.isidentifier() or step == RESOLVE for step in steps)
            found = self._discriminators_at(each["type"], steps, tree) if is_supported else []
            if not found:
                return discriminators, f"its discriminator {each['type']} at {path} is not supported"
            discriminators += [discriminator for discriminator in found if discriminator not in discriminators]
        return discriminators, ""

    def _discriminators_at(self, kind: str, steps: tuple[str, ...], tree: ElementTree) -> list[Discriminator]:
        trees = [tree]
        for step in steps:
            trees.append(trees[-1] if step == RESOLVE else _only_slice(trees[-1].children.get(step, ElementTree())))
        last = trees[-1].element
        match kind:
            case "value" | "pattern":
                found = [each for n, inner in enumerate(trees) for each in self._values(steps[:n], inner.element)]
                found += self._inner_values(steps, trees[-1])
                if not found and steps == ("url",):
                    urls = [url for each in tree.element.get("type", ()) for url in _urls(each, "profile")]
                    found = [Discriminator(steps, "fixed", url) for url in urls[:1]]
                return found
            case "type" | "profile":
                return self._types(kind, steps, last)
            case "exists" if "min" in last and (last["min"] or last["max"] == "0"):
                return [Discriminator(steps, "exists", last["max"] != "0")]
        return []

    def _types(self, kind: str, steps: tuple[str, ...], element: Json) -> list[Discriminator]:
        """Return the types that the members of a slice have, or the profiles where all alternatives have one."""
        which = "targetProfile" if steps[-1:] == (RESOLVE,) else "profile"
        urls = tuple(url for each in element.get("type", ()) for url in _urls(each, which))
        asked = tuple(url for url in urls if url.removeprefix(r4.TARGET) not in load_definitions().resource_types)
        if kind == "profile" and asked:
            known = asked == urls and all(url in self._source.profiles for url in urls)
            return [Discriminator(steps, "profile", urls)] if known else []
        type_codes = tuple(r4.type_codes(element))
        if which == "targetProfile":
            type_codes = tuple(
                self._source.profiles.get(url, {}).get("type") or url.removeprefix(r4.TARGET) for url in urls
            )
        return [Discriminator(steps, "type", type_codes)] if type_codes and "Resource" not in type_codes else []

    def _values(self, steps: tuple[str, ...], element: Json) -> Iterator[Discriminator]:
        expected = _expected(element)
        if expected:
            yield Discriminator(steps, expected.kind, expected.value)
        url = element.get("binding", {}).get("valueSet", "").partition("|")[0]
        if element.get("binding", {}).get("strength") == "required" and self._source.codes.has_codes(url):
            yield Discriminator(steps, "codes", url)

    def _inner_values(self, steps: tuple[str, ...], tree: ElementTree) -> Iterator[Discriminator]:
        for name, inner in tree.children.items():
            expected = _expected(inner.element)
            if expected:
                yield Discriminator((*steps, name), expected.kind, expected.value)
            yield from self._inner_values((*steps, name), inner)

    def _profiles(self, element: Json, base: Json) -> dict[str, tuple[str, ...]]:
        own = {url for kind in base.get("type", ()) for url in _urls(kind, "profile")}
        found: dict[str, tuple[str, ...]] = {}
        for kind in element.get("type", ()):
            urls = [url for url in _urls(kind, "profile") if url not in own]
            for url in urls:
                if url not in self._source.profiles:
                    self._leave_out(element, f"whether it fits {url}, which is in no package")
            if urls and all(url in self._source.profiles for url in urls):
                found[kind["code"]] = tuple(urls)
        return found

    def _targets(self, element: Json, base: Json) -> Json:
        """Return the targets of references: the types if they are fewer than R4's, and profiles by type."""
        own_urls, r4_urls = ([url for kind in each.get("type", ()) for url in _urls(kind, "targetProfile")]
                        for each in (element, base))  # fmt: skip
        plain = {url.removeprefix(r4.TARGET) for url in own_urls} & set(load_definitions().resource_types)
        types, by_type = set(plain), dict[str, tuple[str, ...]]()
        for url in own_urls:
            profile = self._source.profiles.get(url)
            if profile is not None and profile["type"] not in plain:
                types.add(profile["type"])
                by_type[profile["type"]] = (*by_type.get(profile["type"], ()), url)
            elif profile is None and url.removeprefix(r4.TARGET) not in plain | {"Resource"}:
                self._leave_out(element, f"whether it leads to {url}, which is in no package")
                return {}
        everywhere = "Resource" in {url.removeprefix(r4.TARGET) for url in own_urls}
        allowed = {url.removeprefix(r4.TARGET) for url in r4_urls}
        narrowed = types and not everywhere and types != allowed
        return {"targets": tuple(sorted(types)) if narrowed else (), "target_profiles": by_type}

    def _codes(self, element: Json, base: Json) -> str | None:
        binding = element.get("binding", {})
        for extension in binding.get("extension", ()):
            if extension["url"] == r4.MAX_VALUE_SET and extension not in base.get("binding", {}).get("extension", ()):
                self._leave_out(element, f"that its codes are of {extension.get('valueCanonical')}")
            purposes = [each.get("valueCode") for each in extension.get("extension", ()) if each["url"] == "purpose"]
            if extension["url"] == _ADDITIONAL and purposes[0] in ("required", "maximum"):
                self._leave_out(element, "an additional binding")
        if binding.get("strength") != "required" or "valueSet" not in binding:
            return None
        url: str = binding["valueSet"].partition("|")[0]
        own = base.get("binding", {})
        if own.get("strength") == "required" and own.get("valueSet", "").partition("|")[0] == url:
            return None
        if self._source.codes.has_codes(url):
            return url
        self._leave_out(element, f"that its codes are of {url}, which has no list of them")
        return None

    def _invariants(self, element: Json) -> Iterator[Invariant]:
        types = [kind for kind in _value_types(element) if kind in load_definitions().types or kind in PRIMITIVES]
        for each in element.get("constraint", []):
            if (
                each.get("source", "").removeprefix(r4.TARGET).partition("|")[0]
                in load_definitions().types.keys() | PRIMITIVES.keys()
            ):
                continue
            key, expression = each["key"], each.get("expression", "")
            if any(map(_compiles, [expression] * len(types), types)) and expression:
                yield Invariant(element["path"], key, each["severity"], each["human"], expression)
            else:
                self._leave_out(element, f"{key}, which cannot be compiled: {expression or 'no expression'}")


def _only_slice(tree: ElementTree) -> ElementTree:
    """Return the one slice that an element must have, or the element itself."""
    inner = next(iter(tree.slices.values()), tree)
    return inner if len(tree.slices) == 1 and inner.element.get("min") else tree


def _compiles(expression: str, type_: str) -> bool:
    try:
        compile_path(expression, type_)
    except PathError:
        return False
    return True


def _value_types(element: Json) -> list[str]:
    """Return the types of the values; of a group, and of the top, the path."""
    if "contentReference" in element:
        return [element["contentReference"].partition("#")[2]]
    path: str = element["path"]
    if "." not in path:
        return [path]
    if r4.is_group(element):
        return [path if path in load_definitions().types else element["base"]["path"]]
    return [r4.type_name(kind, path, is_resource=False) for kind in element.get("type", ())]


def _is_primitive_part(element: Json) -> bool:
    """Return whether the element is a part of a primitive that is no element in JSON: its value, or its id."""
    owner, _, name = element.get("base", {}).get("path", "").rpartition(".")
    return owner in PRIMITIVES and name == "value"


def _counts(element: Json) -> Json:
    if "." not in element["path"]:
        return {}
    base = element["base"]
    return {
        "min": element["min"] if element["min"] > base["min"] else 0,
        "max": int(element["max"]) if element["max"] not in (base["max"], "*") else None,
    }


def _counts_of_slice(element: Json) -> Json:
    most = element["max"]
    return {"min": element["min"], "max": None if most in ("*", element["base"]["max"]) else int(most)}


def _expected(element: Json) -> Expected | None:
    for key, value in element.items():
        if key.startswith("fixed"):
            return Expected("fixed", value)
        if key.startswith("pattern"):
            return Expected("pattern", value)
    return None


def _narrower_types(own_urls: list[str], r4_urls: list[str]) -> tuple[str, ...]:
    system = any(code.startswith("http:") for code in chain(own_urls, r4_urls))
    unchanged = system or not r4_urls or "Resource" in own_urls or set(own_urls) == set(r4_urls)
    return () if unchanged else tuple(own_urls)


def _urls(kind: Json, name: str) -> list[str]:
    return [url.partition("|")[0] for url in kind.get(name, ())]


def _child_rule(rule: Rule, name: str) -> Rule:
    return next((each for each in rule.children if each.name == name), Rule(name=name))


def _without_general(rule: Rule, general: Rule, *, counts: bool) -> Rule:
    """Return the rule without what `general` demands already; the `counts` of a slice are its own."""
    slices = {"name", "children", "slices"} | (set() if counts else {"min", "max"})
    none = Rule(name="")
    same = {each: getattr(none, each) for each in rule.__struct_fields__
            if each not in slices and getattr(rule, each) == getattr(general, each)}  # fmt: skip
    return msgspec.structs.replace(rule, **same)


def _without_discriminators(rule: Rule, discriminators: list[Discriminator]) -> Rule:
    """Return the rule without what every member fulfils by the discriminators."""
    for discriminator in discriminators:
        rule = _without_discriminator(rule, discriminator, discriminator.steps)
    return rule


def _without_discriminator(rule: Rule, discriminator: Discriminator, steps: tuple[str, ...]) -> Rule:
    if steps == (RESOLVE,):
        return msgspec.structs.replace(rule, targets=(), target_profiles={})
    if steps:
        children = [
            _without_discriminator(each, discriminator, steps[1:]) if each.name == steps[0] else each
            for each in rule.children
        ]
        counted = [msgspec.structs.replace(each, min=0) if each.name == steps[0] and each.min == 1 else each
                   for each in children]  # fmt: skip
        return msgspec.structs.replace(rule, children=tuple(each for each in counted if len(each)))
    match discriminator.kind:
        case "type":
            return msgspec.structs.replace(rule, types=())
        case "profile":
            return msgspec.structs.replace(rule, profiles={})
        case "codes":
            return msgspec.structs.replace(rule, codes=None)
        case "fixed" | "pattern":
            return msgspec.structs.replace(rule, expected=None)
    return rule
