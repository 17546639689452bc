"""Events of the Open Cybersecurity Schema Framework (OCSF), in the version that `data/ocsf.toml` pins."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

Event = dict[str, Any]
BASE, OTHER = 0, 99


class NotNormalized(Exception):
    """An event that cannot be normalised: why, and what its sender can do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


@cache
def tables() -> Mapping[str, Any]:
    """Return the version and the names by number."""
    return tomllib.loads(files("esante.services.soc").joinpath("data/ocsf.toml").read_text("utf-8"))


def new_event(
    class_uid: int, activity_id: int, time: datetime | None, *, severity_id: int = 1, status_id: int | None = None
) -> Event:
    """Return an event with its classification, named and numbered; further attributes are added by the caller.

    `time`: when it happened; None where the original does not say.
    """
    event = {**_classification(class_uid, activity_id, severity_id), "metadata": {"version": tables()["version"]}}
    if time is not None:
        event["time"] = int(time.timestamp() * 1000)
    if status_id is not None:
        event["status_id"], event["status"] = status_id, tables()["statuses"][str(status_id)]
    return event


@lru_cache(4_096)
def _classification(class_uid: int, activity_id: int, severity_id: int) -> Mapping[str, Any]:
    """Return the numbers and names that say what kind of event it is."""
    table = tables()
    known = table["classes"][str(class_uid)]
    category = 1 if class_uid > 200_000 else class_uid // 1000
    activity = known["activities"].get(str(activity_id), "Unknown" if activity_id == 0 else "Other")
    return {
        "class_uid": class_uid,
        "class_name": known["name"],
        "category_uid": category,
        "category_name": table["categories"][str(category)],
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": class_uid * 100 + activity_id,
        "type_name": f"{known['name']}: {activity}",
        "severity_id": severity_id,
        "severity": table["severities"][str(severity_id)],
    }


def put(event: Event, path: str, value: Any) -> None:
    """Set an attribute by its path, such as `src_endpoint.ip`; nothing for a value that says nothing.

    What the sender of an event in OCSF set as a plain value stays.
    """
    if value is None or value == "" or value == "-" or value == [] or value == {}:
        return
    put_at(event, *split_path(path), value)


def put_at(event: Event, parents: Sequence[str], name: str, value: Any) -> None:
    """Set an attribute by the names on its path, whatever the value."""
    for parent in parents:
        event = event.setdefault(parent, {})
        if type(event) is not dict:
            return
    event[name] = value


@lru_cache(4_096)
def split_path(path: str) -> tuple[Sequence[str], str]:
    """Return the names on a path, and the last one by itself."""
    *parents, name = path.split(".")
    return tuple(parents), name


def check_event(event: Event) -> Event:
    """Return an event that came in OCSF, with the numbers that follow from others.

    Raises: `NotNormalized` for one that lacks its classification, or contradicts itself.
    """
    numbers = {name: event.get(name) for name in ("class_uid", "activity_id", "severity_id", "time")}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise NotNormalized(f"the OCSF event has no number as {name}", f"send {name} as the schema has it")
    type_uid = event["class_uid"] * 100 + event["activity_id"]
    if event.get("type_uid", type_uid) != type_uid:
        raise NotNormalized("type_uid is not class_uid * 100 + activity_id", "send the numbers of one event")
    if not isinstance(event.get("metadata"), dict):
        raise NotNormalized("the OCSF event has no metadata", "send metadata with product and version")
    return {**event, "type_uid": type_uid}
