"""Indicators of STIX 2.1: bundles and envelopes, patterns of single values.

OASIS STIX 2.1, sections 4.7 (Indicator), 7.2 (data markings), 9 (patterning). Objects are checked by `stix2`, patterns
by `stix2-patterns`; a pattern that is more than values of which one suffices is left out and counted.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from esante.core.web import N_
from esante.services.soc.intelligence.lifetimes import end_of
from esante.services.soc.intelligence.model import (
    SKIPPED_BROKEN,
    SKIPPED_KIND,
    SKIPPED_PATTERN,
    SKIPPED_VALUE,
    Indicator,
    NotRead,
    Reading,
    Tlp,
)
from esante.services.soc.intelligence.observables import Observable, ObservableKind, observable_of

TLP_MARKINGS: dict[str, Tlp] = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR,
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER,
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": Tlp.RED,
}
"""Identifiers of TLP: those of STIX 2.1 itself (TLP 1), then those of the extension for TLP 2.0."""
_KINDS = {
    "ipv4-addr": ObservableKind.IP,
    "ipv6-addr": ObservableKind.IP,
    "domain-name": ObservableKind.DOMAIN,
    "url": ObservableKind.URL,
    "email-addr": ObservableKind.EMAIL,
}
_DEFAULT_CONFIDENCE = 50
_MAX_PATTERN = 20_000
_MAX_TITLE = 200


def read_stix(content: bytes, default_tlp: Tlp = Tlp.AMBER) -> Reading:
    """Return the indicators of a bundle or an envelope of TAXII; those without a TLP have `default_tlp`.

    Raises: `NotRead` for what is neither.
    """
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise NotRead(N_("The file is not valid JSON."), detail=str(error)[:100]) from error
    objects = value.get("objects", []) if isinstance(value, dict) else None
    if not isinstance(objects, list) or not isinstance(value, dict) or not ({"type", "objects", "more"} & set(value)):
        raise NotRead(N_("The file is no bundle of STIX 2.1."), N_("Export a bundle of STIX 2.1 as JSON."))
    return read_objects(objects, default_tlp)


def read_objects(objects: list[Any], default_tlp: Tlp = Tlp.AMBER) -> Reading:
    """Return the indicators among STIX objects."""
    skipped: Counter[str] = Counter()
    indicators: list[Indicator] = []
    for one in objects:
        if not isinstance(one, dict) or "type" not in one:
            skipped[SKIPPED_BROKEN] += 1
        elif one["type"] == "indicator":
            indicators += _indicators(one, default_tlp, skipped)
    return Reading(indicators, dict(skipped))


def _indicators(given: dict[str, Any], default_tlp: Tlp, skipped: Counter[str]) -> Iterator[Indicator]:
    import stix2  # late: it takes memory that a server which reads no indicators does not need
    from stix2.exceptions import STIXError
    from stix2patterns.exceptions import ParseException

    pattern = given.get("pattern")
    if given.get("pattern_type", "stix") != "stix" or not isinstance(pattern, str) or len(pattern) > _MAX_PATTERN:
        skipped[SKIPPED_PATTERN] += 1
        return
    try:
        parsed = stix2.parse(given, allow_custom=True, version="2.1")
        values = [*_values(pattern)]
    except (STIXError, ParseException, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        skipped[SKIPPED_BROKEN] += 1
        return
    if not values:
        skipped[SKIPPED_PATTERN] += 1
    for kind, text in values:
        found = _observable(kind, text)
        if kind is None or found is None:
            skipped[SKIPPED_KIND if kind is None else SKIPPED_VALUE] += 1
            continue
        begin = _moment(parsed["valid_from"])
        until = parsed.get("valid_until")
        yield Indicator(
            kind=found.kind,
            value=found.value,
            reference=str(parsed["id"]),
            tlp=_tlp(given) or default_tlp,
            confidence=int(given.get("confidence", _DEFAULT_CONFIDENCE)),
            valid_from=begin,
            valid_until=_moment(until) if until else end_of(found.kind, max(begin, _moment(parsed["modified"]))),
            title=str(given.get("name") or given.get("description") or "")[:_MAX_TITLE],
            revoked=given.get("revoked") is True,
        )


def _values(pattern: str) -> Iterator[tuple[ObservableKind | None, str]]:
    """Yield kind and value of each comparison of a pattern of which one suffices; none for any other pattern."""
    from stix2patterns.v21.pattern import Pattern

    found = Pattern(pattern).inspect()
    comparisons = [(name, *one) for name, listed in found.comparisons.items() for one in listed]
    is_single = len(comparisons) == 1 or " AND " not in _outside_quotes(pattern).upper()
    if found.qualifiers or not set(found.observation_ops) <= {"OR"} or not is_single:
        return
    if any(operator not in ("=", "IN") for _, _, operator, _ in comparisons):
        return
    for name, path, _, literal in comparisons:
        for text in _literals(literal):
            yield _kind(name, path), text


def _outside_quotes(pattern: str) -> str:
    """Return a pattern without its literals."""
    parts = pattern.replace("\\\\", "").replace("\\'", "").split("'")
    return "".join(parts[::2]).replace("\n", " ").replace("\t", " ")


def _kind(name: str, path: list[Any]) -> ObservableKind | None:
    if name == "file" and path and path[0] == "hashes":
        return ObservableKind.HASH
    return _KINDS.get(name) if path == ["value"] else None


def _literals(literal: Any) -> list[str]:
    texts = literal if isinstance(literal, list | tuple | set) else [literal]
    return [str(text).strip()[1:-1].replace("\\'", "'").replace("\\\\", "\\") for text in texts]


def _observable(kind: ObservableKind | None, text: str) -> Observable | None:
    if kind is None:
        return None
    is_network = kind is ObservableKind.IP and "/" in text
    return observable_of(ObservableKind.NETWORK if is_network else kind, text)


def _tlp(given: dict[str, Any]) -> Tlp | None:
    """Return the strictest TLP of an object's markings."""
    marked = given.get("object_marking_refs")
    known = [TLP_MARKINGS[ref] for ref in marked if ref in TLP_MARKINGS] if isinstance(marked, list) else []
    return max(known, key=lambda tlp: tlp.rank, default=None)


def _moment(value: Any) -> datetime:
    """Return a time of `stix2` as one of the standard library."""
    return datetime.fromtimestamp(value.timestamp(), UTC)
