"""Random searches, with values near those of a population."""

import random
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from esante.core.fhir.search import parameters_of
from tests.support.search_oracle import Oracle, Stored, labels, references, strings, tokens, walk
from tests.support.search_population import NOW, PERSON
from tests.support.search_tables import COMMON, NO_UNITS, PARAMETERS, UCUM, UNITS

PREFIXES = ["", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
MODIFIERS = {
    "token": ["", "", "", "not", "text", "missing", "of-type"],
    "string": ["", "", "exact", "contains", "missing"],
    "date": ["", "", "", "missing"],
    "quantity": ["", "", "", "missing"],
    "number": ["", "", "missing"],
    "reference": ["", "", "missing", "identifier"],
    "uri": ["", "", "above", "below", "missing"],
}
#: The results of the search outside of the record.
OUTSIDE = {
    ("Practitioner", "name", "dr"): ["Practitioner/outside-1"],
    ("Practitioner", "active", "true"): ["Practitioner/outside-1", "Practitioner/outside-2"],
}
Pair = tuple[str, str]


def escaped(text: str) -> str:
    for mark in "\\,$|":
        text = text.replace(mark, f"\\{mark}")
    return text


class Queries:
    """Generates searches over the resources of a population."""

    def __init__(self, stored: list[Stored]) -> None:
        self.stored = [s for s in stored if s.person == PERSON]
        self.types = [t for t in PARAMETERS if any(s.type == t for s in self.stored)]
        self._oracle = Oracle([], PERSON, NOW)
        self._elements: dict[tuple[str, str], list[tuple[str, Any]]] = {}

    def make(self, rng: random.Random) -> tuple[str, list[Pair]]:
        """Return a type, and the parameters of a search of it with an order."""
        type_ = rng.choice(self.types)
        pairs = [self.pair(rng, type_) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3]))]
        sortable = [c for c, (kind, *_) in (PARAMETERS[type_] | COMMON).items() if kind != "composite"]
        keys = rng.sample([*sortable, "_lastUpdated", "_id"], rng.randrange(4))
        if keys:
            pairs.append(("_sort", ",".join(rng.choice(["", "-"]) + key for key in keys)))
        return type_, pairs

    def includes(self, rng: random.Random, type_: str) -> list[Pair]:
        """Return some includes; each after the first may start from an earlier one."""
        pairs, near = [], [type_]
        for _ in range(rng.randint(1, 3)):
            start = rng.choice(near)
            forward = [(start, c, t) for c, t in self._pointers(start)]
            backward = [(t, c, start) for t in self.types for c, target in self._pointers(t) if target == start]
            name, (other, code, target) = rng.choice(
                [("_include", each) for each in forward] + [("_revinclude", each) for each in backward]
            )
            near.append(target if name == "_include" and target in self.types else other)
            step = rng.choice(["", ":iterate"])
            pairs.append((name + step, f"{other}:{code}{rng.choice(['', f':{target}'])}"))
        return pairs

    def pair(self, rng: random.Random, type_: str, depth: int = 0) -> Pair:
        """Return one parameter with its value."""
        shape = rng.choice(["plain"] * 6 + ["chain", "has", "column"])
        generated = None
        if shape == "chain" and depth < 2:
            generated = self.chain(rng, type_, depth)
        elif shape == "has" and depth < 2:
            generated = self.has(rng, type_, depth)
        elif shape == "column":
            generated = self.column(rng, type_)
        return generated or self.plain(rng, type_)

    def chain(self, rng: random.Random, type_: str, depth: int) -> Pair | None:
        codes = [(c, t) for c, t in self._pointers(type_) if t in self.types]
        if not codes:
            return None
        code, target = rng.choice(codes)
        few = len(parameters_of(type_)[code].target) < 10
        only = rng.choice([f":{target}", f":{target}", "" if few else f":{target}"])
        if target == "Practitioner" and rng.random() < 0.5:
            _, name, value = rng.choice(list(OUTSIDE))
        else:
            name, value = self.pair(rng, target, depth + 1)
        return f"{code}{only}.{name}", value

    def has(self, rng: random.Random, type_: str, depth: int) -> Pair | None:
        pointing = [(t, c) for t in self.types for c, target in self._pointers(t) if target == type_]
        if not pointing:
            return None
        other, code = rng.choice(pointing)
        name, value = self.pair(rng, other, depth + 1)
        return f"_has:{other}:{code}:{name}", value

    def _pointers(self, type_: str) -> list[tuple[str, str]]:
        codes = [c for c, (kind, *_) in PARAMETERS[type_].items() if kind == "reference"]
        return [(c, t) for c in codes for t in parameters_of(type_)[c].target]

    def column(self, rng: random.Random, type_: str) -> Pair:
        some = [s for s in self.stored if s.type == type_]
        if rng.random() < 0.5:
            ids = [rng.choice([rng.choice(some).reference.split("/")[1], "x"]) for _ in range(rng.randint(1, 3))]
            return rng.choice(["_id", "_id", "_id:not"]), ",".join(ids)
        text = rng.choice(some).since.strftime("%Y-%m-%dT%H:%M:%SZ")
        return "_lastUpdated", rng.choice(PREFIXES) + rng.choice(
            [text, text[:10], text[:7], text[:4], text[:16] + "Z"]
        )

    def plain(self, rng: random.Random, type_: str) -> Pair:
        code = rng.choice(sorted(PARAMETERS[type_] | COMMON))
        kind, *paths = (PARAMETERS[type_] | COMMON)[code]
        if kind == "composite":
            return code, ",".join(self.together(rng, type_, paths) for _ in range(rng.choice([1, 1, 2])))
        elements = self.elements(type_, code)
        modifier = rng.choice(MODIFIERS[kind])
        if modifier == "of-type" and code != "identifier":
            modifier = ""
        if modifier == "missing" or not elements:
            return f"{code}:missing", rng.choice(["true", "false"])
        values = [MAKERS[kind](rng, rng.choice(elements), modifier) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        values = [value for value in values if value] or [
            "x|y|z" if modifier == "of-type" else FALLBACK.get(kind, "x")
        ]
        return f"{code}:{modifier}".rstrip(":"), ",".join(values)

    def together(self, rng: random.Random, type_: str, paths: list[str]) -> str:
        """Return a value of a composite, whose first parts are likely those of one element."""
        bases, *components = paths
        roots = [e for s in self.stored if s.type == type_ for b in bases.split("|") for _, e in walk(s.resource, b)]
        root = rng.choice([r for r in roots if all(walk(r, c.split()[1]) for c in components)] or roots)
        parts = []
        for component in components:
            kind, path = component.split()
            found = walk(root, path)
            parts.append((MAKERS[kind](rng, rng.choice(found), "") if found else "") or FALLBACK.get(kind, "x"))
        return "$".join(parts)

    def elements(self, type_: str, code: str) -> list[tuple[str, Any]]:
        if (type_, code) not in self._elements:
            found = [e for s in self.stored if s.type == type_ for e in self._oracle.elements(s, code)]
            self._elements[type_, code] = found
        return self._elements[type_, code]


def _token(rng: random.Random, element: tuple[str, Any], modifier: str) -> str:
    data = element[1]
    if modifier == "text":
        return escaped(_part(rng, rng.choice(labels(data) or ["display"])))
    if modifier == "of-type":
        coding = ((data.get("type") or {}).get("coding") or [{}])[0]
        parts = [coding.get("system"), coding.get("code"), data.get("value")]
        return "|".join(escaped(p) for p in parts) if all(parts) else "a|b|c"
    system, code = rng.choice(tokens(data, None) or [("", "none")])
    code = rng.choice([code, code, code.upper(), "other"]) or "none"
    bound = "http://hl7.org/fhir/observation-status"
    forms = [
        code,
        f"{escaped(system)}|{escaped(code)}",
        f"|{escaped(code)}",
        f"{escaped(system)}|",
        f"{bound}|{escaped(code)}",
    ]
    return rng.choice([escaped(forms[0]) if code else "x", *forms[1:3], forms[3] if system else "x", forms[4]])


def _part(rng: random.Random, text: str) -> str:
    start = rng.choice([0, 0, 0, rng.randrange(len(text))])
    text = text[start : start + rng.randint(1, len(text))]
    return rng.choice([text, text.upper(), text.lower(), text.replace("ü", "u"), text + "x"])


def _string(rng: random.Random, element: tuple[str, Any], modifier: str) -> str:
    found = strings(element[1])
    if not found:
        return ""
    text = rng.choice(found)
    return escaped(text if modifier == "exact" and rng.random() < 0.7 else _part(rng, text))


def _date(rng: random.Random, element: tuple[str, Any], modifier: str) -> str:
    data = element[1]
    if isinstance(data, dict):
        given = [
            *data.get("event", []),
            data.get("start"),
            data.get("end"),
            *(data.get("repeat", {}).get("boundsPeriod", {}).values()),
        ]
        given = [each for each in given if each]
        if not given:
            return "2020"
        data = rng.choice(given)
    shorter = [data[:4], data[:7], data[:10], data]
    if len(data) > 16:
        shorter += [data[:16] + "Z", data[:16] + "+02:00", data[:19] + "Z", data[:19]]
    return rng.choice(PREFIXES) + rng.choice(shorter)


def _digits(rng: random.Random, value: Any) -> str:
    number = Decimal(str(value))
    if abs(number.adjusted()) > 20:
        return f"{number:e}" if abs(number.adjusted()) < 100 else "5"
    near = [str(number), f"{number:f}", f"{number + 1:f}", f"{number * Decimal('1.09'):f}", f"{number.normalize():e}"]
    near += [f"{round(number, n):f}" for n in (0, 1, 2)] + ["5"]
    return rng.choice([text for text in near if len(text) < 35])


def _number(rng: random.Random, element: tuple[str, Any], modifier: str) -> str:
    data = element[1]
    if isinstance(data, dict):
        data = rng.choice([end["value"] for end in (data.get("low"), data.get("high")) if end] or [1])
    return rng.choice(PREFIXES) + _digits(rng, data)


def _quantity(rng: random.Random, element: tuple[str, Any], modifier: str) -> str:
    data = element[1]
    holder = data.get("origin") or data.get("low") or data.get("high") or data
    value, code, system = holder.get("value", 1), holder.get("code", ""), holder.get("system", "")
    if system == UCUM and code and code not in NO_UNITS and rng.random() < 0.5:
        dimension, factor = UNITS[code]
        code = rng.choice([c for c, (d, _) in UNITS.items() if d == dimension])
        # More digits than a conversion keeps would look like a difference.
        value = Context(prec=12).create_decimal(Decimal(str(value)) * factor / UNITS[code][1]).normalize()
    unit = rng.choice(
        ["", f"||{code}" if code else "", f"|{system}|{code}", f"|{system}|{code}", "||mg", f"|{UCUM}|g"]
    )
    unit = unit if unit.count("|") == 2 and unit not in ("||",) else ""
    return rng.choice(PREFIXES) + _digits(rng, value) + unit


def _reference(rng: random.Random, element: tuple[str, Any], modifier: str) -> str:
    data = element[1]
    if modifier == "identifier":
        return _token(rng, ("", data["identifier"]), "") if "identifier" in data else "urn:ids|P-1"
    found = references(data)
    if not found:
        return "Practitioner/none"
    text = rng.choice(found)
    return rng.choice([text, text, text.rsplit("/", 1)[-1] if "://" not in text and "urn:" not in text else text])


def _uri(rng: random.Random, element: tuple[str, Any], modifier: str) -> str:
    text = element[1]
    shorter = text.rpartition("/")[0] if text.count("/") > 3 else text
    return escaped(rng.choice([text, shorter, text.partition("|")[0], text + "/more"]))


MAKERS: dict[str, Callable[[random.Random, tuple[str, Any], str], str]] = {
    "token": _token, "string": _string, "date": _date, "number": _number, "quantity": _quantity,
    "reference": _reference, "uri": _uri,
}  # fmt: skip
FALLBACK = {"date": "2020", "quantity": "5", "number": "1"}
