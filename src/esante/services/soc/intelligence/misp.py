"""Indicators of MISP: events and attributes in its JSON, as files export them and the API returns them.

Format: MISP core format (draft-dulaunoy-misp-core-format), sections 2.2 to 2.4; taxonomies `tlp` and `misp`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from esante.core.web import N_
from esante.services.soc.intelligence.lifetimes import end_of
from esante.services.soc.intelligence.model import (
    SKIPPED_BROKEN,
    SKIPPED_CONTEXT,
    SKIPPED_KIND,
    SKIPPED_VALUE,
    Indicator,
    NotRead,
    Reading,
    Tlp,
)
from esante.services.soc.intelligence.observables import ObservableKind, observable_of
from esante.services.soc.scalars import moment_of

_KINDS: dict[str, ObservableKind] = {
    "ip-src": ObservableKind.IP,
    "ip-dst": ObservableKind.IP,
    "ip": ObservableKind.IP,
    "domain": ObservableKind.DOMAIN,
    "hostname": ObservableKind.DOMAIN,
    "url": ObservableKind.URL,
    "uri": ObservableKind.URL,
    "email": ObservableKind.EMAIL,
    "email-src": ObservableKind.EMAIL,
    "email-dst": ObservableKind.EMAIL,
    "md5": ObservableKind.HASH,
    "sha1": ObservableKind.HASH,
    "sha224": ObservableKind.HASH,
    "sha256": ObservableKind.HASH,
    "sha384": ObservableKind.HASH,
    "sha512": ObservableKind.HASH,
}
"""Types of attributes; of those of two parts (filename|sha256, domain|ip) each part that is of a kind counts."""
_CONFIDENCE = {
    "completely-confident": 100,
    "usually-confident": 75,
    "fairly-confident": 50,
    "rarely-confident": 25,
    "unconfident": 0,
}
_DEFAULT_CONFIDENCE = 50
_CONFIDENCE_TAG = re.compile(r'misp:confidence-level="([a-z-]+)"')
_MAX_TITLE = 200


def read_misp(content: bytes, default_tlp: Tlp = Tlp.AMBER) -> Reading:
    """Return the indicators of an export or an answer of MISP; those without a TLP have `default_tlp`.

    Raises: `NotRead` for what is no JSON of MISP.
    """
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise NotRead(N_("The file is not valid JSON."), detail=str(error)[:100]) from error
    skipped: Counter[str] = Counter()
    indicators: list[Indicator] = []
    newest = 0
    for event, attributes in _events(value):
        for attribute in attributes:
            if not isinstance(attribute, dict):
                skipped[SKIPPED_BROKEN] += 1
                continue
            indicators += _indicators(event, attribute, default_tlp, skipped)
            newest = max(newest, _seconds(attribute.get("timestamp")))
    return Reading(indicators, dict(skipped), str(newest) if newest else "")


def _events(value: Any) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield each event with its attributes, also those of its objects; bare attributes with an empty event."""
    if isinstance(value, dict) and "response" in value:
        value = value["response"]
    if isinstance(value, dict) and isinstance(value.get("Attribute"), list) and "uuid" not in value:
        yield {}, value["Attribute"]
        return
    found = value if isinstance(value, list) else [value]
    for one in found:
        event = one.get("Event", one) if isinstance(one, dict) else None
        if not isinstance(event, dict) or not {"info", "Attribute", "Object"} & set(event):
            raise NotRead(N_("The file holds no events of MISP."), N_("Export events as JSON in MISP."))
        parts = [event, *(part for part in _list(event.get("Object")) if isinstance(part, dict))]
        yield event, [one for part in parts for one in _list(part.get("Attribute"))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _indicators(
    event: dict[str, Any], attribute: dict[str, Any], default_tlp: Tlp, skipped: Counter[str]
) -> Iterator[Indicator]:
    name, text = str(attribute.get("type", "")), attribute.get("value")
    parts = list(zip(name.split("|"), str(text).split("|"), strict=False)) if isinstance(text, str) else []
    wanted = [(_KINDS[part], value) for part, value in parts if part in _KINDS]
    if not wanted:
        skipped[SKIPPED_KIND] += 1
        return
    if attribute.get("to_ids") not in (True, "1", 1):
        skipped[SKIPPED_CONTEXT] += 1
        return
    about = attribute.get("Event") if isinstance(attribute.get("Event"), dict) else event
    tags = [*_tags(attribute), *_tags(about or {})]
    seen = moment_of(attribute.get("last_seen")) or datetime.fromtimestamp(_seconds(attribute.get("timestamp")), UTC)
    begin = moment_of(attribute.get("first_seen")) or seen
    for kind, value in wanted:
        if "/" in value and kind is ObservableKind.IP:
            kind = ObservableKind.NETWORK
        found = observable_of(kind, value)
        if found is None:
            skipped[SKIPPED_VALUE] += 1
            continue
        yield Indicator(
            kind=found.kind,
            value=found.value,
            reference=str(attribute.get("uuid", ""))[:64] or f"{name}:{text}"[:200],
            tlp=_tlp(tags) or default_tlp,
            confidence=_confidence(tags),
            valid_from=min(begin, seen),
            valid_until=end_of(found.kind, seen),
            title=str((about or {}).get("info") or attribute.get("comment") or "")[:_MAX_TITLE],
            revoked=attribute.get("deleted") in (True, "1", 1),
        )


def _tags(part: dict[str, Any]) -> list[str]:
    return [str(tag.get("name", "")).lower() for tag in _list(part.get("Tag")) if isinstance(tag, dict)]


def _tlp(tags: list[str]) -> Tlp | None:
    """Return the strictest TLP of some tags; `white` is the name of `clear` before version 2.0."""
    names = [tag.removeprefix("tlp:").replace("white", "clear") for tag in tags if tag.startswith("tlp:")]
    known = [Tlp(name) for name in names if name in list(Tlp)]
    return max(known, key=lambda tlp: tlp.rank, default=None)


def _confidence(tags: list[str]) -> int:
    found = (match[1] for tag in tags if (match := _CONFIDENCE_TAG.fullmatch(tag)))
    return next((_CONFIDENCE[level] for level in found if level in _CONFIDENCE), _DEFAULT_CONFIDENCE)


def _seconds(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
