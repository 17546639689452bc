"""Queries of QIDO-RS (PS3.18, 8.3.4 and 10.6): what is searched for, and whether a data set matches."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request

MAX_LIMIT, DEFAULT_LIMIT = 1_000, 100
MAX_OFFSET = 1_000_000
MAX_KEYS = 50
MAX_VALUE = 1_024
ALL_FIELDS = "all"
_CONTROLS = frozenset(
    {"limit", "offset", "fuzzymatching", "includefield", "emptyvaluematching", "multiplevaluematching", "accept"}
)
_RANGES = frozenset({"DA", "TM", "DT"})
_EXACT = frozenset({"UI", "IS", "DS", "US", "SS", "UL", "SL", "FL", "FD", "AT"})
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
Path = tuple[str, ...]
"""The tags from the top to an attribute within sequences."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query: its keys (path and value of each), the further attributes to return, and which part of the results."""

    keys: Sequence[tuple[Path, str]]
    fields: frozenset[str]
    limit: int
    offset: int
    is_fuzzy: bool

    @property
    def wants_all(self) -> bool:
        """Whether every attribute that is known is to be returned."""
        return ALL_FIELDS in self.fields

    def value_of(self, tag: str) -> str:
        """Return the value that a key at the top has; "" without one."""
        return next((value for path, value in self.keys if path == (tag,)), "")

    def matches(self, data: Json, *, without: Iterable[str] = ()) -> bool:
        """Return whether a data set matches every key but those at the top that are left out."""
        left_out = {(tag,) for tag in without}
        return all(_has(data, path, value) for path, value in self.keys if path not in left_out)

    def tags(self) -> frozenset[str]:
        """Return the tags at the top of all keys and fields."""
        return frozenset(path[0] for path, _ in self.keys) | (self.fields - {ALL_FIELDS})


def parse_query(pairs: Sequence[tuple[str, str]]) -> Query:
    """Return the query of the parameters of a request. Raises: Problem 400 for what is not known or out of bounds."""
    controls: dict[str, str] = {}
    keys: list[tuple[Path, str]] = []
    fields: set[str] = set()
    for name, value in pairs:
        if len(value) > MAX_VALUE:
            raise _bad(name)
        if name == "includefield":
            fields |= {_field(part) for part in value.split(",") if part}
        elif name in _CONTROLS:
            controls[name] = value
        else:
            keys.append((parse_path(name), value))
    if len(keys) > MAX_KEYS or len(fields) > MAX_KEYS:
        raise _bad("includefield")
    return Query(
        keys=keys,
        fields=frozenset(fields),
        limit=_number("limit", controls.get("limit", str(DEFAULT_LIMIT)), MAX_LIMIT),
        offset=_number("offset", controls.get("offset", "0"), MAX_OFFSET),
        is_fuzzy=controls.get("fuzzymatching", "") == "true",
    )


def parse_path(name: str) -> Path:
    """Return the tags of an attribute by keyword or tag, within sequences by dots. Raises: Problem 400."""
    return tuple(_tag(part, name) for part in name.split("."))


def _field(text: str) -> str:
    return ALL_FIELDS if text == ALL_FIELDS else parse_path(text)[0]


@lru_cache(maxsize=4_096)
def _known_tag(text: str) -> str | None:
    if _TAG.fullmatch(text):
        return text.upper()
    tag = tag_for_keyword(text)
    return None if tag is None else f"{tag:08X}"


def _tag(text: str, name: str) -> str:
    found = _known_tag(text)
    if found is None:
        raise _bad(name)
    return found


def _number(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise _bad(name)
    return min(int(text), most)


def _bad(name: str) -> Problem:
    return bad_request(
        name,
        N_("This search parameter is not known or not valid."),
        N_("Use the keyword or the tag of an attribute, and the values of PS3.18."),
        code="value",
    )


def _has(data: Json, path: Path, wanted: str) -> bool:
    """Return whether a data set has an attribute that matches (PS3.4, C.2.2.2)."""
    element = data.get(path[0], {})
    values = element.get("Value") or []
    if len(path) > 1:
        return any(_has(item, path[1:], wanted) for item in values) if element.get("vr") == "SQ" else wanted == ""
    if wanted in ("", "*"):
        return True
    vr = element.get("vr") or _vr_of(path[0])
    return any(map(_matcher(vr, wanted), values))


@lru_cache(maxsize=4_096)
def _vr_of(tag: str) -> str:
    try:
        return dictionary_VR(int(tag, 16))
    except KeyError:
        return "UN"


@lru_cache(maxsize=4_096)
def _matcher(vr: str, wanted: str) -> Callable[[Any], bool]:
    """Return the matching of one value: a list of UIDs, a range, a wildcard, or the same value."""
    if vr == "UI":
        uids = frozenset(re.split(r"[,\\]", wanted))
        return lambda value: value in uids
    if vr in _RANGES and "-" in wanted:
        low, _, high = (part.strip() for part in wanted.partition("-"))
        return lambda value: isinstance(value, str) and _within(value, low, high)
    if vr in _RANGES:
        return lambda value: isinstance(value, str) and value.startswith(wanted)
    if vr in _EXACT:
        return lambda value: str(value) == wanted
    pattern = _pattern(wanted.rstrip("^"), re.IGNORECASE) if vr == "PN" else _pattern(wanted, 0)
    if vr == "PN":
        return lambda value: (
            isinstance(value, Mapping) and any(pattern.fullmatch(_name(part)) for part in value.values())
        )
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _within(value: str, low: str, high: str) -> bool:
    """Return whether a date or time is within a range, whose ends may be of less precision."""
    return (not low or value >= low) and (not high or value[: len(high)] <= high)


def _name(text: str) -> str:
    return text.rstrip("^")


def _pattern(wanted: str, flags: int) -> re.Pattern[str]:
    """Return a wildcard as a pattern: `*` any characters, `?` one.

    Each part between two `*` is taken where it first stands and not tried again (an atomic group), which finds the
    same and takes a time in proportion to the length of the value.
    """
    first, *others = ("".join("." if char == "?" else re.escape(char) for char in part) for part in wanted.split("*"))
    if not others:
        return re.compile(first, flags | re.DOTALL)
    *middle, last = others
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}", flags | re.DOTALL)
