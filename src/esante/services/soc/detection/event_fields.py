"""The fields of an event by the names that rules use, whatever the shape in which it was collected."""

from collections.abc import Iterator
from typing import Any

from esante.services.soc.detection.log_sources import Origin
from esante.services.soc.scalars import moment_of

Fields = dict[str, Any]
_ATTRIBUTES = "#attributes"
_TEXT = "#text"
_PROVIDER = "Provider_Name"
_TIMES = ("TimeCreated", "@timestamp", "timestamp", "eventTime", "EventTime", "UtcTime", "time", "ts", "published")
MAX_DEPTH = 40


def fields_of(event: dict[str, Any]) -> Fields:
    """Return the fields of an event.

    Windows events as `evtx` and its like write them and those of Winlogbeat become flat; of any other event, nested
    names are joined by dots (`userIdentity.type`), through lists as well.
    """
    nested = event.get("Event")
    if type(nested) is dict and type(nested.get("System")) is dict:
        return _windows(nested)
    if type(winlog := event.get("winlog")) is dict:
        return _winlogbeat(event, winlog)
    for value in event.values():
        if type(value) is dict or (type(value) is list and any(type(one) in (dict, list) for one in value)):
            event = _flat(event)
            break
    if _PROVIDER not in event and "Channel" in event:
        for name in ("SourceName", "ProviderName", "Provider"):
            if name in event:
                return {**event, _PROVIDER: event[name]}
    return event


def origin_of(fields: Fields) -> Origin:
    """Return what the fields say about where the event comes from."""
    channel, event_id = fields.get("Channel"), fields.get("EventID")
    return Origin(
        channel.lower() if type(channel) is str else "",
        str(event_id) if type(event_id) in (int, str) else "",
    )


def time_of(fields: Fields) -> float | None:
    """Return the time of an event in seconds of Unix, from the first of the usual fields that has one."""
    for name in _TIMES:
        value = fields.get(name)
        if type(value) in (str, int, float) and (moment := moment_of(value)):
            return moment.timestamp()
    return None


def leaf_values(fields: Fields) -> Iterator[Any]:
    """Yield every value of an event, for keywords."""
    for value in fields.values():
        yield from value if type(value) is list else (value,)


def _windows(event: dict[str, Any]) -> Fields:
    fields: Fields = {}
    for name, value in event["System"].items():
        if type(value) is dict:
            attributes = value.get(_ATTRIBUTES)
            for attribute, content in (attributes if type(attributes) is dict else value).items():
                if type(content) not in (dict, list) and attribute != _TEXT:
                    fields[f"{name}_{attribute}"] = content
            if _TEXT in value:
                fields[name] = value[_TEXT]
        else:
            fields[name] = value
    for part in ("EventData", "UserData"):
        if type(content := event.get(part)) is dict:
            _add_data(fields, content, 0)
    if "TimeCreated_SystemTime" in fields:
        fields.setdefault("TimeCreated", fields["TimeCreated_SystemTime"])
    return fields


def _add_data(fields: Fields, content: dict[str, Any], depth: int) -> None:
    """Add the data of an event; elements that have no name themselves give way to what they hold.

    Names with blanks, as those of Defender, are known without them too, since rules are written both ways.
    """
    for name, value in content.items():
        if name == _ATTRIBUTES:
            continue
        if type(value) is dict and depth < MAX_DEPTH:
            if _TEXT not in value:
                _add_data(fields, value, depth + 1)
                continue
            value = value[_TEXT]
        elif type(value) is list:
            value = [one.get(_TEXT) if type(one) is dict else one for one in value]
        fields.setdefault(name, value)
        if " " in name:
            fields.setdefault(name.replace(" ", ""), value)


def _winlogbeat(event: dict[str, Any], winlog: dict[str, Any]) -> Fields:
    fields = _flat(event)
    for name, known in (("Channel", "channel"), ("EventID", "event_id"), (_PROVIDER, "provider_name")):
        if known in winlog:
            fields[name] = winlog[known]
    for part in ("event_data", "user_data"):
        if type(content := winlog.get(part)) is dict:
            _add_data(fields, content, 0)
    return fields


def _flat(event: dict[str, Any]) -> Fields:
    fields: Fields = {}
    _add_flat(fields, "", event, 0)
    return fields


def _add_flat(fields: Fields, prefix: str, value: Any, depth: int) -> None:
    if type(value) is dict and depth < MAX_DEPTH:
        for name, content in value.items():
            _add_flat(fields, f"{prefix}.{name}" if prefix else name, content, depth + 1)
    elif type(value) is list and depth < MAX_DEPTH:
        plain = [one for one in value if type(one) not in (dict, list)]
        if plain or not value:
            _put(fields, prefix, plain)
        for one in value:
            if type(one) in (dict, list):
                _add_flat(fields, prefix, one, depth + 1)
    else:
        _put(fields, prefix, value)


def _put(fields: Fields, name: str, value: Any) -> None:
    """Set a field; a second value of the same name, from a list of objects, joins the first."""
    if name not in fields:
        fields[name] = value
        return
    first = fields[name]
    if type(first) is not list:
        first = fields[name] = [first]
    if type(value) is list:
        first.extend(value)
    else:
        first.append(value)
