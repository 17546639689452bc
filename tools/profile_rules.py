"""From the snapshot of a profile to the rules in it that go beyond R4."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
from tools import build_fhir_definitions as r4
from tools.profile_codes import Codes

from esante.core.fhir.definitions import Invariant, load
from esante.core.fhir.fhirpath import PathError, compile_path
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.profiles.definitions import RESOLVE, Expected, Mark, Rule, Slice

Json = dict[str, Any]
#: Rules of an ElementDefinition that nothing here checks; they are told where a profile has them.
_UNKNOWN = ("minValue", "maxValue")
_MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
_ADDITIONAL = "http://hl7.org/fhir/tools/StructureDefinition/additional-binding"
_IDENTITY = "$this"


class ProfileSource:
    """What profiles are compared with, and what they name."""

    def __init__(self, source: r4.Source) -> None:
        self.profiles: dict[str, Json] = {}
        self.codes = Codes(source)
        self._elements = {e["path"]: e for s in r4.structures(source) for e in s["snapshot"]["element"]}

    def add_codes(self, resources: Iterable[Json]) -> None:
        """Value sets and code systems of a package."""
        for each in resources:
            (self.codes.sets if each["resourceType"] == "ValueSet" else self.codes.systems)[each["url"]] = each

    def base(self, element: Json) -> Json:
        """The element as R4 has it."""
        return self._elements.get(element["base"]["path"], {})


@dataclass
class Tree:
    """An element of a snapshot with those below it, and its slices, by name."""

    element: Json = field(default_factory=dict)
    below: dict[str, "Tree"] = field(default_factory=dict)
    slices: dict[str, "Tree"] = field(default_factory=dict)


def tree_of(snapshot: list[Json]) -> Tree:
    """The elements along the parts of their ids: `Observation.category:laboratory.coding`."""
    top = Tree(snapshot[0])
    for element in snapshot[1:]:
        here = top
        for part in element["id"].split(".")[1:]:
            name, _, sliced = part.partition(":")
            here = here.below.setdefault(name.removesuffix("[x]"), Tree())
            here = here.slices.setdefault(sliced, Tree()) if sliced else here
        here.element = element
    return top


class Compiler:
    """Compiles one profile."""

    def __init__(self, source: ProfileSource, profile: Json) -> None:
        self._source = source
        self._profile = profile
        self._left_out: dict[str, None] = {}

    def compiled(self) -> tuple[Rule, tuple[str, ...]]:
        """The rules, and what of the profile is not in them."""
        rule = self._rule("", tree_of(self._profile["snapshot"]["element"]), Rule(name=""))
        return rule, tuple(self._left_out)

    def _leave(self, element: Json, why: str) -> None:
        self._left_out[f"{element['path']}: {why}"] = None

    def _rule(self, name: str, tree: Tree, general: Rule, *, part: bool = False) -> Rule:
        """What is demanded of an element, or of a slice of it (`part`), beyond R4 and the `general` rule for all
        slices."""
        element, base = tree.element, self._source.base(tree.element)
        below = [self._rule(each, inner, _below(general, each)) for each, inner in tree.below.items()
                 if not _of_primitive(inner.element)]  # fmt: skip
        rule = Rule(
            name=name,
            **(_counts_of_slice(element) if part else _counts(element)),
            types=_narrowed(r4.names(element), r4.names(base)),
            profiles=self._profiles(element, base),
            **self._targets(element, base),
            expected=_expected(element),
            codes=self._codes(element, base),
            max_length=element.get("maxLength") if element.get("maxLength") != base.get("maxLength") else None,
            invariants=tuple(self._invariants(element)),
            below=tuple(each for each in below if len(each)),
        )
        for key in element:
            if key.startswith(_UNKNOWN) and key not in base:
                self._leave(element, f"{key} is not checked")
        rule = _without(rule, general, counts=not part)
        return self._sliced(rule, tree, general) if tree.slices else rule

    def _sliced(self, rule: Rule, tree: Tree, general: Rule) -> Rule:
        slicing = tree.element.get("slicing") or {
            "rules": "open",
            "discriminator": [{"type": "type", "path": "$this"}],
        }
        closed = slicing["rules"] == "closed"
        if slicing.get("ordered") or slicing["rules"] == "openAtEnd":
            self._leave(tree.element, "the order of the slices is not checked")
        kept: list[Slice] = []
        for name, inner in tree.slices.items():
            before = dict(self._left_out)
            marks, why = self._marks(slicing.get("discriminator", []), inner)
            one = self._rule(rule.name, inner, rule, part=True)
            one = _without_marks(one, marks)
            self._forget(before, inner, marks)
            known_already = Slice(name, tuple(marks), one) in general.slices
            if (not len(one) or known_already) and not closed:
                continue
            if why or not marks or "/" in name:
                self._leave(inner.element, f"slice {name}: {why or 'nothing says what is in it'}")
                closed = False
                continue
            kept.append(Slice(name, tuple(marks), one))
        return msgspec.structs.replace(rule, slices=tuple(kept), closed=closed)

    def _forget(self, before: dict[str, None], inner: Tree, marks: list[Mark]) -> None:
        """What is left out at a mark that is a type or profile decides on membership only, not on being right."""
        paths = {
            ".".join((inner.element["path"], *(s for s in mark.steps if s != RESOLVE)))
            for mark in marks
            if mark.kind in ("type", "profile")
        }
        for line in self._left_out.keys() - before.keys():
            if line.partition(": ")[0].removesuffix("[x]") in {path.removesuffix("[x]") for path in paths}:
                del self._left_out[line]

    def _marks(self, discriminators: list[Json], tree: Tree) -> tuple[list[Mark], str]:
        """By what a slice is known, or why nothing can tell."""
        marks: list[Mark] = []
        for each in discriminators:
            path = each["path"]
            steps = () if path == _IDENTITY else tuple(path.removeprefix(f"{_IDENTITY}.").split("."))
            told = all(step.isidentifier() or step == RESOLVE for step in steps)
            found = self._mark(each["type"], steps, tree) if told else []
            if not found:
                return marks, f"known by {each['type']} at {path}, which cannot be told"
            marks += [mark for mark in found if mark not in marks]
        return marks, ""

    def _mark(self, kind: str, steps: tuple[str, ...], tree: Tree) -> list[Mark]:
        way = [tree]
        for step in steps:
            way.append(way[-1] if step == RESOLVE else way[-1].below.get(step, Tree()))
        last = way[-1].element
        match kind:
            case "value" | "pattern":
                found = [mark for n, inner in enumerate(way) for mark in self._values(steps[:n], inner.element)]
                found += self._inner_values(steps, way[-1])
                if not found and steps == ("url",):
                    urls = [url for each in tree.element.get("type", ()) for url in _urls(each, "profile")]
                    found = [Mark(steps, "fixed", url) for url in urls[:1]]
                return found
            case "type" | "profile":
                return self._types(kind, steps, last)
            case "exists" if "min" in last and (last["min"] or last["max"] == "0"):
                return [Mark(steps, "exists", last["max"] != "0")]
        return []

    def _types(self, kind: str, steps: tuple[str, ...], element: Json) -> list[Mark]:
        """The types that the members of a slice have, or the profiles where all alternatives have one."""
        which = "targetProfile" if steps[-1:] == (RESOLVE,) else "profile"
        urls = tuple(url for each in element.get("type", ()) for url in _urls(each, which))
        asked = tuple(url for url in urls if url.removeprefix(r4.TARGET) not in load().resource_types)
        if kind == "profile" and asked:
            known = asked == urls and all(url in self._source.profiles for url in urls)
            return [Mark(steps, "profile", urls)] if known else []
        names = tuple(r4.names(element))
        if which == "targetProfile":
            names = tuple(
                self._source.profiles.get(url, {}).get("type") or url.removeprefix(r4.TARGET) for url in urls
            )
        return [Mark(steps, "type", names)] if names and "Resource" not in names else []

    def _values(self, steps: tuple[str, ...], element: Json) -> Iterator[Mark]:
        expected = _expected(element)
        if expected:
            yield Mark(steps, expected.kind, expected.value)
        url = element.get("binding", {}).get("valueSet", "").partition("|")[0]
        if element.get("binding", {}).get("strength") == "required" and self._source.codes.listed(url):
            yield Mark(steps, "codes", url)

    def _inner_values(self, steps: tuple[str, ...], tree: Tree) -> Iterator[Mark]:
        for name, inner in tree.below.items():
            expected = _expected(inner.element)
            if expected:
                yield Mark((*steps, name), expected.kind, expected.value)
            yield from self._inner_values((*steps, name), inner)

    def _profiles(self, element: Json, base: Json) -> dict[str, tuple[str, ...]]:
        own = {url for kind in base.get("type", ()) for url in _urls(kind, "profile")}
        found: dict[str, tuple[str, ...]] = {}
        for kind in element.get("type", ()):
            urls = [url for url in _urls(kind, "profile") if url not in own]
            for url in urls:
                if url not in self._source.profiles:
                    self._leave(element, f"whether it fits {url}, which is in no package")
            if urls and all(url in self._source.profiles for url in urls):
                found[kind["code"]] = tuple(urls)
        return found

    def _targets(self, element: Json, base: Json) -> Json:
        """Where references lead: the types if they are fewer than R4's, and profiles by type."""
        ours, theirs = ([url for kind in each.get("type", ()) for url in _urls(kind, "targetProfile")]
                        for each in (element, base))  # fmt: skip
        plain = {url.removeprefix(r4.TARGET) for url in ours} & set(load().resource_types)
        types, asked = set(plain), dict[str, tuple[str, ...]]()
        for url in ours:
            profile = self._source.profiles.get(url)
            if profile is not None and profile["type"] not in plain:
                types.add(profile["type"])
                asked[profile["type"]] = (*asked.get(profile["type"], ()), url)
            elif profile is None and url.removeprefix(r4.TARGET) not in plain | {"Resource"}:
                self._leave(element, f"whether it leads to {url}, which is in no package")
                return {}
        everywhere = "Resource" in {url.removeprefix(r4.TARGET) for url in ours}
        allowed = {url.removeprefix(r4.TARGET) for url in theirs}
        narrowed = types and not everywhere and types != allowed
        return {"targets": tuple(sorted(types)) if narrowed else (), "target_profiles": asked}

    def _codes(self, element: Json, base: Json) -> str | None:
        binding = element.get("binding", {})
        for extension in binding.get("extension", ()):
            if extension["url"] == _MAX_VALUE_SET and extension not in base.get("binding", {}).get("extension", ()):
                self._leave(element, f"that its codes are of {extension.get('valueCanonical')}")
            purposes = [each.get("valueCode") for each in extension.get("extension", ()) if each["url"] == "purpose"]
            if extension["url"] == _ADDITIONAL and purposes[0] in ("required", "maximum"):
                self._leave(element, "an additional binding")
        if binding.get("strength") != "required" or "valueSet" not in binding:
            return None
        url: str = binding["valueSet"].partition("|")[0]
        own = base.get("binding", {})
        if own.get("strength") == "required" and own.get("valueSet", "").partition("|")[0] == url:
            return None
        if self._source.codes.listed(url):
            return url
        self._leave(element, f"that its codes are of {url}, which has no list of them")
        return None

    def _invariants(self, element: Json) -> Iterator[Invariant]:
        types = [kind for kind in _value_types(element) if kind in load().types or kind in PRIMITIVES]
        for each in element.get("constraint", []):
            if (
                each.get("source", "").removeprefix(r4.TARGET).partition("|")[0]
                in load().types.keys() | PRIMITIVES.keys()
            ):
                continue
            key, expression = each["key"], each.get("expression", "")
            if any(map(_compiles, [expression] * len(types), types)) and expression:
                yield Invariant(element["path"], key, each["severity"], each["human"], expression)
            else:
                self._leave(element, f"{key}, which cannot be compiled: {expression or 'no expression'}")


def _compiles(expression: str, type_: str) -> bool:
    try:
        compile_path(expression, type_)
    except PathError:
        return False
    return True


def _value_types(element: Json) -> list[str]:
    """The types of the values; of a group, and of the top, the path."""
    if "contentReference" in element:
        return [element["contentReference"].partition("#")[2]]
    path: str = element["path"]
    if "." not in path:
        return [path]
    if r4.is_group(element):
        return [path if path in load().types else element["base"]["path"]]
    return [r4.type_name(kind, path, is_resource=False) for kind in element.get("type", ())]


def _of_primitive(element: Json) -> bool:
    """Whether it is a part of a primitive that JSON does not show as an element: its value, or its id."""
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


def _narrowed(ours: list[str], theirs: list[str]) -> tuple[str, ...]:
    system = any(code.startswith("http:") for code in chain(ours, theirs))
    unchanged = system or not theirs or "Resource" in ours or set(ours) == set(theirs)
    return () if unchanged else tuple(ours)


def _urls(kind: Json, name: str) -> list[str]:
    return [url.partition("|")[0] for url in kind.get(name, ())]


def _below(rule: Rule, name: str) -> Rule:
    return next((each for each in rule.below if each.name == name), Rule(name=name))


def _without(rule: Rule, general: Rule, *, counts: bool) -> Rule:
    """The rule without what holds of all values anyhow; the `counts` of a slice are its own."""
    kept = {"name", "below", "slices"} | (set() if counts else {"min", "max"})
    none = Rule(name="")
    same = {each: getattr(none, each) for each in rule.__struct_fields__
            if each not in kept and getattr(rule, each) == getattr(general, each)}  # fmt: skip
    return msgspec.structs.replace(rule, **same)


def _without_marks(rule: Rule, marks: list[Mark]) -> Rule:
    """The rule without what a member fulfils because it is one."""
    for mark in marks:
        rule = _without_mark(rule, mark, mark.steps)
    return rule


def _without_mark(rule: Rule, mark: Mark, steps: tuple[str, ...]) -> Rule:
    if steps == (RESOLVE,):
        return msgspec.structs.replace(rule, targets=(), target_profiles={})
    if steps:
        below = [_without_mark(each, mark, steps[1:]) if each.name == steps[0] else each for each in rule.below]
        counted = [msgspec.structs.replace(each, min=0) if each.name == steps[0] and each.min == 1 else each
                   for each in below]  # fmt: skip
        return msgspec.structs.replace(rule, below=tuple(each for each in counted if len(each)))
    match mark.kind:
        case "type":
            return msgspec.structs.replace(rule, types=())
        case "profile":
            return msgspec.structs.replace(rule, profiles={})
        case "codes":
            return msgspec.structs.replace(rule, codes=None)
        case "fixed" | "pattern":
            return msgspec.structs.replace(rule, expected=None)
    return rule
