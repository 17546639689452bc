"""Search as the specification describes it, over plain resources one by one: slow, and without code of the package."""

import calendar
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from esante.core.types import Json
from tests.support.search_tables import COMMON, NO_UNITS, PARAMETERS, SYSTEMS, UCUM, UNITS

INFINITE = Decimal("1e300")


@dataclass(frozen=True)
class Stored:
    """A version of a resource as in the table."""

    person: UUID
    type: str
    id: UUID
    source: UUID
    version: int
    since: datetime
    until: datetime
    deleted: bool
    resource: Json

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.person.hex}{self.id.hex}"


def normal(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[\W_]", " ", plain.casefold()).split())


def walk(element: Any, path: str) -> list[tuple[str, Any]]:
    """Return the results of a path, each with its type where the path names one of a choice."""
    found = [("", element)]
    for step in path.split(".") if path else ():
        name, _, wanted = step.rstrip("]").partition("[")
        name += wanted[:1].upper() + wanted[1:]
        inner = [value.get(name) for _, value in found]
        found = [
            (wanted, one) for each in inner if each is not None for one in (each if type(each) is list else [each])
        ]
    return found


def split(text: str, mark: str) -> list[str]:
    parts, escaped = [""], False
    for c in text:
        if c == mark and not escaped:
            parts.append("")
        else:
            parts[-1] += c
        escaped = c == "\\" and not escaped
    return parts


def plain(text: str) -> str:
    return re.sub(r"\\([\\,$|])", r"\1", text)


class Oracle:
    """Searches the versions of a moment, from some sources."""

    def __init__(self, stored: list[Stored], person: UUID, at: datetime, sources: Any = None, outside: Any = None):
        visible = [
            s for s in stored
            if s.person == person and s.since <= at < s.until and not s.deleted
            and (sources is None or s.source in sources)
        ]  # fmt: skip
        latest: dict[tuple[str, UUID], Stored] = {}
        for each in sorted(visible, key=lambda s: (s.since, s.source)):
            latest[each.type, each.id] = each
        self.shown = list(latest.values())
        self.person, self.at, self.outside = person, at, outside or (lambda *_: [])
        self._cache: dict[tuple[str, str, str], bool] = {}

    def search(self, type_: str, pairs: list[tuple[str, str]]) -> list[Stored]:
        """Return all matches, in order."""
        matches = [s for s in self.shown if s.type == type_]
        for name, value in pairs:
            if name not in ("_sort", "_count", "_include", "_revinclude", "_include:iterate"):
                matches = [s for s in matches if self.meets(s, name, value)]
        matches.sort(key=lambda s: s.id)
        sorts = next((value.split(",") for name, value in pairs if name == "_sort"), ["-_lastUpdated"])
        for key in reversed(sorts):
            values = {s.id: self.sort_key(s, key.lstrip("-"), key.startswith("-")) for s in matches}
            there = [s for s in matches if values[s.id] is not None]
            there.sort(key=lambda s: values[s.id], reverse=key.startswith("-"))
            matches = there + [s for s in matches if values[s.id] is None]
        return matches

    def included(self, page: list[Stored], pairs: list[tuple[str, str]]) -> tuple[set[str], set[str]]:
        """Return the references to resources included with a page, and those that lead out of the record."""
        included, new, outside = {s.reference for s in page}, page, set()
        first = True
        while new:
            found: set[str] = set()
            for name, value in pairs:
                if name.startswith(("_include", "_revinclude")) and (first or name.endswith(":iterate")):
                    type_, code, *target = value.split(":")
                    pointing = self.backward if name.startswith("_revinclude") else self.forward
                    found |= pointing(new, type_, code, *target)
            shown = {s.reference: s for s in self.shown}
            ours = re.compile(rf"[A-Z]\w+/{self.person.hex}[0-9a-f]{{32}}")
            outside |= {t for t in found if re.fullmatch(r"[A-Z]\w+/[\w.-]+", t) and not ours.fullmatch(t)}
            new = [shown[text] for text in found if text in shown and text not in included]
            included |= {s.reference for s in new}
            first = False
        return included - {s.reference for s in page}, outside

    def forward(self, rows: list[Stored], type_: str, code: str, target: str = "") -> set[str]:
        elements = [e for s in rows if s.type == type_ for _, e in self.elements(s, code)]
        return {text for e in elements for text in references(e) if not target or text.startswith(f"{target}/")}

    def backward(self, rows: list[Stored], type_: str, code: str, target: str = "") -> set[str]:
        wanted = {s.reference for s in rows if not target or s.type == target}
        pointing = [s for s in self.shown if s.type == type_]
        return {s.reference for s in pointing for _, e in self.elements(s, code) if wanted.intersection(references(e))}

    def parameter(self, type_: str, code: str) -> tuple[str, ...]:
        return (PARAMETERS[type_] | COMMON)[code]

    def elements(self, s: Stored, code: str) -> list[tuple[str, Any]]:
        _kind, *paths = self.parameter(s.type, code)
        found = []
        for path in paths:
            path, _, only = path.partition("|")
            for type_, value in walk(s.resource, path):
                if not only or re.search(rf"(^|/){only}/[^/]+(/_history/.*)?$", value.get("reference", "")):
                    found.append((type_, value))
        return found

    def meets(self, s: Stored, name: str, value: str) -> bool:
        """Return whether a resource meets a condition, from a cache."""
        at = (s.reference, name, value)
        if at not in self._cache:
            self._cache[at] = self._meets(s, name, value)
        return self._cache[at]

    def _meets(self, s: Stored, name: str, value: str) -> bool:
        if name.startswith("_has:"):
            _, type_, reference, rest = name.split(":", 3)
            others = [o for o in self.shown if o.type == type_ and self.meets(o, rest, value)]
            return any(s.reference in references(e) for o in others for _, e in self.elements(o, reference))
        if "." in name:
            return self.chained(s, *name.split(".", 1), value)
        code, _, modifier = name.partition(":")
        if code == "_id":
            found = any(s.reference.endswith(f"/{part}") for part in value.split(","))
            return found != (modifier == "not")
        if code == "_lastUpdated":
            at = since_epoch(s.since)
            return any(self.in_time((at, at + 1), part) for part in value.split(","))
        kind, *paths = self.parameter(s.type, code)
        if kind == "composite":
            return any(self.together(s, paths, part) for part in split(value, ","))
        elements = self.elements(s, code)
        if modifier == "missing":
            return (not elements) == (value == "true")
        system = SYSTEMS.get((s.type, code))
        found = any(
            self.compare(kind, modifier, e, part, system) for e in elements for part in split(value, ",") if part
        )
        return found != (modifier == "not")

    def chained(self, s: Stored, first: str, rest: str, value: str) -> bool:
        code, _, only = first.partition(":")
        for _, element in self.elements(s, code):
            for text in references(element):
                type_ = text.split("/")[0]
                if only and type_ != only:
                    continue
                target = next((o for o in self.shown if o.reference == text), None)
                last = rest.split(".")[0].split(":")[0]
                known = rest.startswith("_has:") or last in (
                    PARAMETERS.get(type_, {}) | COMMON | {"_id": (), "_lastUpdated": ()}
                )
                if (target and known and self.meets(target, rest, value)) or text in self.outside(type_, rest, value):
                    return True
        return False

    def together(self, s: Stored, paths: list[str], value: str) -> bool:
        bases, *components = paths
        parts = split(value, "$")
        for base in bases.split("|"):
            for _, element in walk(s.resource, base):
                fits = []
                for component, part in zip(components, parts, strict=True):
                    kind, path = component.split()
                    fits.append(any(self.compare(kind, "", e, part, None) for e in walk(element, path)))
                if all(fits):
                    return True
        return False

    def compare(self, kind: str, modifier: str, element: tuple[str, Any], value: str, system: str | None) -> bool:
        type_, data = element
        match kind, modifier:
            case "token", "text":
                return bool(normal(plain(value))) and any(
                    normal(t).startswith(normal(plain(value))) for t in labels(data)
                )
            case "token", "of-type":
                parts = [plain(p).lower() for p in split(value, "|")]
                types = (data.get("type") or {}).get("coding", [])
                return any(
                    [c.get("system", "").lower(), c.get("code", "").lower(), data.get("value", "").lower()] == parts
                    for c in types
                )
            case "token", _:
                return any(same_token(t, value) for t in tokens(data, system))
            case "reference", "identifier":
                return "identifier" in data and any(same_token(t, value) for t in tokens(data["identifier"], None))
            case "reference", _:
                wanted = plain(value)
                texts = references(data)
                if modifier:
                    texts = [t for t in texts if t.startswith(f"{modifier}/")]
                return any(t == wanted or t.split("/")[-1] == wanted for t in texts)
            case "string", "exact":
                return plain(value) in strings(data)
            case "string", _:
                # What has neither letters nor digits is compared as it was given.
                form = normal if normal(plain(value)) else str
                wanted = form(plain(value))
                if modifier == "contains":
                    return any(wanted in form(t) for t in strings(data))
                return any(form(t).startswith(wanted) for t in strings(data))
            case "uri", "below":
                below = plain(value).rstrip("/") + "/" if "://" in value and "|" not in value else None
                same = plain(value) in (data, data.split("|")[0])
                return same or (below is not None and data.startswith(below))
            case "uri", "above":
                above = data.split("|")[0]
                return plain(value) in (data, above) or (
                    "://" in data and plain(value).startswith(above.rstrip("/") + "/")
                )
            case "uri", _:
                return plain(value) in (data, data.split("|")[0])
            case "date", _:
                covered = span(type_, data)
                return covered is not None and self.in_time(covered, value)
            case "number", _:
                return any(in_range(r, value) for r in ranges(type_, data, None))
            case "quantity", _:
                number, *unit = [plain(p) for p in split(value, "|")]
                return quantity(type_, data, number, unit)
        raise AssertionError(kind)

    def in_time(self, covered: tuple[int, int], value: str) -> bool:
        prefix, text = re.fullmatch(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", value).groups()
        low, high = moments(text)
        first, last = covered
        inside = low <= first and last <= high
        if prefix == "ap":
            margin = abs(since_epoch(self.at) - low) // 10
            return first < high + margin and low - margin < last
        return {
            None: inside, "eq": inside, "ne": not inside, "gt": last > high, "lt": first < low,
            "ge": last > high or inside, "le": first < low or inside, "sa": first >= high, "eb": last <= low,
        }[prefix]  # fmt: skip

    def sort_key(self, s: Stored, code: str, down: bool) -> Any:
        if code == "_lastUpdated":
            return s.since
        if code == "_id":
            return s.id.hex
        kind = self.parameter(s.type, code)[0]
        values: list[Any] = []
        for type_, data in self.elements(s, code):
            match kind:
                case "token":
                    values += [code for _, code in tokens(data, None)]
                case "string":
                    values += [normal(t) for t in strings(data)]
                case "date":
                    values += [r[0] for r in [span(type_, data)] if r]
                case "number":
                    values += [low for low, _ in ranges(type_, data, None)]
                case "quantity":
                    values += [r[0] for r in ranges(type_, data, unit_of(type_, data))]
                case "reference":
                    values += references(data)
                case "uri":
                    values += [data, data.split("|")[0]]
        return (max if down else min)(values, default=None)


def tokens(data: Any, system: str | None) -> list[tuple[str, str]]:
    """Return systems and lower-case codes; a code of a bound element has both no system and that of its binding."""
    if isinstance(data, bool):
        return [("", str(data).lower())]
    if isinstance(data, str):
        return [("", data.lower()), *([(system, data.lower())] if system else [])]
    if "coding" in data or ("text" in data and "value" not in data):
        return [t for c in data.get("coding", []) for t in tokens(c, None)]
    if "code" in data or "display" in data:
        return [(data.get("system", ""), data["code"].lower())] if "code" in data else []
    if data.get("system") in ("phone", "email", "fax", "url"):
        return [("", data["value"].lower())]
    if "value" in data or "system" in data:
        return [(data.get("system", ""), data.get("value", "").lower())]
    return []


def same_token(token: tuple[str, str], value: str) -> bool:
    parts = [plain(p) for p in split(value, "|")]
    if len(parts) == 1:
        return token[1] == parts[0].lower()
    return token[0] == parts[0] and (not parts[1] or token[1] == parts[1].lower())


def labels(data: Any) -> list[str]:
    if not isinstance(data, dict):
        return []
    texts = [data.get("display"), *(c.get("display") for c in data.get("coding", []))]
    texts.append((data.get("type") or {}).get("text") if "value" in data or "type" in data else data.get("text"))
    return [t for t in texts if t]


def strings(data: Any) -> list[str]:
    if isinstance(data, str):
        return [data]
    parts = (
        "text",
        "family",
        "given",
        "prefix",
        "suffix",
        "line",
        "city",
        "district",
        "state",
        "postalCode",
        "country",
    )
    return [t for p in parts for t in (data.get(p) if isinstance(data.get(p), list) else [data.get(p)]) if t]


def references(data: Any) -> list[str]:
    if isinstance(data, str):
        return [data, data.split("|")[0]]
    text = data.get("reference", "#")
    return [] if text.startswith("#") else [text.split("/_history/")[0]]


def since_epoch(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moments(text: str) -> tuple[int, int]:
    """Return the range of a date in microseconds, the end exclusive."""
    zone = re.search(r"T.*?(Z|[+-]\d\d:\d\d)$", text)
    digits = text[: -len(zone[1])] if zone else text
    whole, _, fraction = digits.partition(".")
    at = datetime.fromisoformat(whole + "0000-01-01T00:00:00"[len(whole) :])
    local = ZoneInfo("Europe/Luxembourg")
    if len(whole) <= 10:  # a day, month or year begins and ends at midnight there
        days = {4: 365 + calendar.isleap(at.year), 7: calendar.monthrange(at.year, at.month)[1], 10: 1}[len(whole)]
        last = at + timedelta(days - 1)
        if last.date() == date.max:
            return since_epoch(at.replace(tzinfo=local)), since_epoch(last.replace(tzinfo=local)) + 86_400_000_000
        return since_epoch(at.replace(tzinfo=local)), since_epoch((last + timedelta(1)).replace(tzinfo=local))
    low = since_epoch(at.replace(tzinfo=UTC if zone else local)) + int(fraction[:6].ljust(6, "0"))
    if zone and zone[1] != "Z":
        hours, minutes = int(zone[1][1:3]), int(zone[1][4:])
        low -= (hours * 60 + minutes) * 60_000_000 * (-1 if zone[1][0] == "-" else 1)
    if fraction:
        return low, low + 10 ** max(0, 6 - len(fraction))
    return low, low + {16: 60_000_000, 19: 1_000_000}[len(whole)]


def span(type_: str, data: Any) -> tuple[int, int] | None:
    if isinstance(data, str):
        return moments(data)
    if "event" in data or "repeat" in data:
        bounds = data.get("repeat", {}).get("boundsPeriod")
        spans = [moments(e) for e in data.get("event", [])] + ([span("Period", bounds)] if bounds else [])
        return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None
    low = moments(data["start"])[0] if "start" in data else -(10**17)
    high = moments(data["end"])[1] if "end" in data else 10**18
    return (low, high) if data.keys() & {"start", "end"} else None


def unit_of(type_: str, data: Any) -> tuple[str, Decimal] | None:
    holder = (
        data if type_ not in ("Range", "SampledData") else data.get("origin") or data.get("low") or data.get("high")
    )
    return UNITS[holder["code"]] if holder.get("system") == UCUM and holder.get("code", "ea") not in NO_UNITS else None


def ranges(type_: str, data: Any, unit: tuple[str, Decimal] | None) -> list[tuple[Decimal, Decimal]]:
    """Return the ranges of a number, in base units if a unit is given."""
    factor = unit[1] if unit else Decimal(1)
    if not isinstance(data, dict):
        return [(Decimal(str(data)),) * 2]
    if type_ == "Range":
        low, high = (data.get(end, {}).get("value") for end in ("low", "high"))
        none = low is None and high is None
        ends = (-INFINITE if low is None else low, INFINITE if high is None else high)
        return [] if none else [(Decimal(str(ends[0])) * factor, Decimal(str(ends[1])) * factor)]
    if type_ == "SampledData":
        scale, origin = Decimal(str(data.get("factor", 1))), Decimal(str(data["origin"].get("value", 0)))
        limits = {"L": data.get("lowerLimit"), "U": data.get("upperLimit")}
        read = [limits.get(t, t) for t in data.get("data", "").split() if t != "E"]
        values = [Decimal(str(v)) * scale + origin for v in read if v is not None]
        return [(min(values) * factor, max(values) * factor)] if values else []
    if "value" not in data:
        return []
    value = Decimal(str(data["value"])) * factor
    comparator = data.get("comparator", "")
    return [(-INFINITE if "<" in comparator else value, INFINITE if ">" in comparator else value)]


def in_range(covered: tuple[Decimal, Decimal], text: str, factor: Decimal = Decimal(1)) -> bool:
    prefix, number = re.fullmatch(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", text).groups()
    digits, _, exponent = number.lower().partition("e")
    half = Decimal(5) * Decimal(10) ** (int(exponent or 0) - len(digits.partition(".")[2]) - 1)
    value = Decimal(number)
    near = max(abs(value) / 10, half) * factor
    low, high, value = (value - half) * factor, (value + half) * factor, value * factor
    first, last = covered
    inside = low <= first and last < high
    return {
        None: inside, "eq": inside, "ne": not inside, "gt": last > value, "lt": first < value, "ge": last >= value,
        "le": first <= value, "sa": first > value, "eb": last < value,
        "ap": first <= value + near and last >= value - near,
    }[prefix]  # fmt: skip


def quantity(type_: str, data: Any, number: str, unit: list[str]) -> bool:
    holder = (
        data if type_ not in ("Range", "SampledData") else data.get("origin") or data.get("low") or data.get("high")
    )
    if unit and unit[0] == UCUM and unit[1] and unit[1] not in NO_UNITS:
        mine = unit_of(type_, data)
        wanted = UNITS[unit[1]]
        return bool(
            mine and mine[0] == wanted[0] and any(in_range(r, number, wanted[1]) for r in ranges(type_, data, mine))
        )
    if unit and unit[0] and holder.get("system") != unit[0]:
        return False
    if (
        unit
        and unit[1]
        and unit[1] not in ((holder.get("code"),) if unit[0] else (holder.get("code"), holder.get("unit")))
    ):
        return False
    return any(in_range(r, number) for r in ranges(type_, data, None))
