"""Events of known products to OCSF, by the table `data/ocsf_mappings.toml`."""

import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from esante.services.soc.events.schema import Event, new_event, put_at, split_path
from esante.services.soc.rules.patterns import compile_regex
from esante.services.soc.scalars import moment_of, plain_text

Fields = Mapping[str, Any]
MAX_CHOSEN = 4_096
"""Selections of deciding values whose kind is remembered; more make it forget them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A number by the value of a field: `values`, or `default`; `prefixes` are tried when no value fits."""

    field: str
    values: Mapping[str, int]
    prefixes: Mapping[str, int]
    default: int

    def number(self, fields: Fields) -> int:
        """Return the number for an event."""
        value = plain_text(fields[self.field]) if fields.get(self.field) is not None else ""
        if value in self.values:
            return self.values[value]
        return next((number for prefix, number in self.prefixes.items() if value.startswith(prefix)), self.default)


@dataclass(frozen=True, slots=True)
class EventMapping:
    """How one kind of event of a product becomes one of OCSF.

    `when`: fields with the values that they must have ("*": any). `fields`: attribute of OCSF, and the fields of the
    event of which the first that has a value is taken, with its conversion.
    """

    when: Mapping[str, Sequence[str]]
    class_uid: int
    activity: Choice
    severity: Choice
    status: Choice | None
    time: Sequence[str]
    constants: Mapping[str, Any]
    fields: Mapping[str, tuple[Sequence[str], str]]
    steps: Sequence[tuple[Sequence[str], str, Sequence[str], str]] = field(init=False)
    """`fields` with the names on the path of each attribute."""

    def __post_init__(self) -> None:
        steps = [(*split_path(path), names, conversion) for path, (names, conversion) in self.fields.items()]
        object.__setattr__(self, "steps", tuple(steps))

    def fits(self, fields: Fields) -> bool:
        """Whether an event is of this kind."""
        return all(
            fields.get(name) is not None and ("*" in allowed or plain_text(fields[name]) in allowed)
            for name, allowed in self.when.items()
        )

    def event(self, fields: Fields) -> Event:
        """Return the OCSF event; what is not mapped stays under `unmapped`."""
        time = next((found for name in self.time if (found := moment_of(fields.get(name, "")))), None)
        status = self.status.number(fields) if self.status else None
        event = new_event(
            self.class_uid,
            self.activity.number(fields),
            time,
            severity_id=self.severity.number(fields),
            status_id=status,
        )
        used = {*self.time, self.activity.field, self.severity.field, *(self.when if len(self.when) > 1 else ())}
        for path, value in self.constants.items():
            put_at(event, *split_path(path), value)
        get = fields.get
        for parents, last, names, conversion in self.steps:
            for name in names:
                if (value := get(name)) is not None and value != "" and value != "-":
                    used.add(name)
                    if conversion:
                        value = _converted(value, conversion)
                    if value is not None and value != [] and value != {}:
                        put_at(event, parents, last, value)
                    break
        unmapped = {name: value for name, value in fields.items() if value is not None and name not in used}
        if unmapped:
            event["unmapped"] = unmapped
        return event


class MappingChoice:
    """Which kind an event is of, remembered by the values that decide it: there are as many as the table names."""

    def __init__(self, mappings: Sequence[EventMapping]) -> None:
        self._mappings = mappings
        self._values: dict[str, set[str]] = defaultdict(set)
        for mapping in mappings:
            for name, allowed in mapping.when.items():
                self._values[name].update(allowed)
        self._chosen: dict[frozenset[tuple[str, str | None]], EventMapping | None] = {}

    def of(self, fields: Fields) -> EventMapping | None:
        """Return the first kind that an event fits; None when there is none."""
        deciding = []
        for name in self._values.keys() & fields.keys():
            if (value := fields[name]) is not None:
                text = plain_text(value)
                deciding.append((name, text if text in self._values[name] else None))
        key = frozenset(deciding)
        if key not in self._chosen:
            if len(self._chosen) >= MAX_CHOSEN:
                self._chosen.clear()
            self._chosen[key] = next((one for one in self._mappings if one.fits(fields)), None)
        return self._chosen[key]


def map_fields(fields: Fields) -> Event | None:
    """Return the OCSF event of an event with flat fields; None when its product is not known."""
    found = _tables()[0].of(fields)
    return found.event(fields) if found else None


def map_text(text: str) -> Event | None:
    """Return the OCSF event of a line of text; None when its product is not known."""
    for pattern in _tables()[1]:
        if found := pattern.search(text):
            return map_fields(found.groupdict())
    return None


@cache
def _tables() -> tuple[MappingChoice, list[Any]]:
    """Return the kinds of events, and the expressions that take lines of text apart: their groups are the fields."""
    text = files("esante.services.soc").joinpath("data/ocsf_mappings.toml").read_text("utf-8")
    data = tomllib.loads(text)
    common = data.get("common", {})
    mappings = [_mapping(one, common) for one in data["mapping"]]
    return MappingChoice(mappings), [compile_regex(one["pattern"]) for one in data["text"]]


def _mapping(row: dict[str, Any], common: dict[str, dict[str, Any]]) -> EventMapping:
    base = common.get(row.get("common", ""), {})
    when = {**base.get("when", {}), **row.get("when", {})}
    return EventMapping(
        when={name: [value] if isinstance(value, str) else value for name, value in when.items()},
        class_uid=row["class_uid"],
        activity=_choice(row.get("activity", base.get("activity", 0))),
        severity=_choice(row.get("severity", base.get("severity", 1))),
        status=_choice(status) if (status := row.get("status", base.get("status"))) is not None else None,
        time=_list(row.get("time", base.get("time", []))),
        constants={**base.get("constants", {}), **row.get("constants", {})},
        fields={
            path: _field(value) for path, value in {**base.get("fields", {}), **row.get("fields", {})}.items() if value
        },
    )


def _choice(given: Any) -> Choice:
    if isinstance(given, int):
        return Choice("", {}, {}, given)
    return Choice(given["field"], given.get("values", {}), given.get("prefixes", {}), given.get("default", 0))


def _field(given: Any) -> tuple[Sequence[str], str]:
    if isinstance(given, dict):
        return _list(given["from"]), given["as"]
    return _list(given), ""


def _list(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def _converted(value: Any, conversion: str) -> Any:
    match conversion:
        case "int":
            try:
                return int(float(plain_text(value)))
            except (ValueError, OverflowError):
                return None
        case "text":
            return plain_text(value)
        case "list":
            return value if isinstance(value, list) else [value]
        case "time":
            moment = moment_of(value)
            return int(moment.timestamp() * 1000) if moment else None
        case "base_name":
            return plain_text(value).replace("\\", "/").rsplit("/", 1)[-1]
        case "yes":
            return plain_text(value).lower() in ("yes", "true", "1")
    return value
