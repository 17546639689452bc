"""Which events a rule's log source means: channels and event ids of Windows, from `data/log_sources.toml`.

What an event does not say about its origin does not exclude a rule.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from esante.services.soc.rules.model import LogSource


@dataclass(frozen=True, slots=True)
class Origin:
    """What an event says about its origin: channel in lower case and event id, "" where it has none."""

    channel: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class _Events:
    channels: frozenset[str]
    event_ids: frozenset[str]
    fields: Mapping[str, str]

    def admits(self, origin: Origin) -> bool:
        fits = not origin.channel or origin.channel in self.channels
        return fits and (not self.event_ids or not origin.event_id or origin.event_id in self.event_ids)


@cache
def _table() -> Mapping[LogSource, tuple[_Events, ...]]:
    text = files("esante.services.soc").joinpath("data/log_sources.toml").read_text("utf-8")
    return {
        LogSource(*(source.get(name, "") for name in ("product", "category", "service"))): tuple(
            _Events(
                frozenset(channel.lower() for channel in events["channels"]),
                frozenset(str(number) for number in events.get("event_ids", ())),
                events.get("fields", {}),
            )
            for events in source["events"]
        )
        for source in tomllib.loads(text)["source"]
    }


@cache
def _channels() -> Mapping[str, str]:
    """Return the products of the known channels other than those of Windows."""
    return {
        channel: source.product
        for source, events in _table().items()
        if source.product not in ("", "windows")
        for one in events
        for channel in one.channels
    }


def admits(source: LogSource, origin: Origin) -> bool:
    """Whether events of an origin can belong to a log source."""
    if not origin.channel and not origin.event_id:
        return True
    if source.product and origin.channel and source.product != _channels().get(origin.channel, "windows"):
        return False
    return all(any(events.admits(origin) for events in part) for part in _parts(source))


def field_names(sources: Iterable[LogSource], origin: Origin) -> dict[str, str]:
    """Return names that rules of these sources use, by which the fields of such an event are known otherwise."""
    return {
        name: known
        for source in sources
        for part in _parts(source)
        for events in part
        if events.fields and origin.channel in events.channels and origin.event_id in events.event_ids
        for name, known in events.fields.items()
    }


def _parts(source: LogSource) -> list[tuple[_Events, ...]]:
    """Return the rows of the table for category and service, those of the product before those of none."""
    table, found = _table(), []
    for category, service in ((source.category, ""), ("", source.service)):
        for product in (source.product, "") if source.product else ("", "windows"):
            if (category or service) and (row := table.get(LogSource(product, category, service))):
                found.append(row)
                break
    return found
