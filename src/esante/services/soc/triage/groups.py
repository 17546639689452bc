"""Which alerts belong together: those of a member with the same parts, not far apart. Pure."""

import tomllib
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Annotated

import msgspec

from esante.core.dated_data import in_force, packaged_text
from esante.services.soc.cases.model import QueuedAlert

_PARTS = ("subject", "rule")


class Join(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Alerts whose parts `same` are equal and not empty belong together within some minutes."""

    same: tuple[str, ...]
    minutes: Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class CaseRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of the queue from a day on; `queue_hours`: after how long an alert of each level waits too long."""

    valid_from: date
    longest_suppression_days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    queue_hours: Annotated[tuple[int, ...], msgspec.Meta(min_length=5, max_length=5)]
    join: tuple[Join, ...]
    legal_source: str
    verified: bool


def parse_case_rules(text: str) -> tuple[CaseRules, ...]:
    """Return the periods of a TOML text, oldest first. Raises: ValueError."""
    try:
        found = msgspec.convert(tomllib.loads(text).get("period", []), tuple[CaseRules, ...])
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    if not found or any(part not in _PARTS for one in found for join in one.join for part in join.same):
        raise ValueError(f"there is no [[period]], or a part of a join is not one of {', '.join(_PARTS)}")
    return tuple(sorted(found, key=lambda one: one.valid_from))


@cache
def _packaged() -> tuple[CaseRules, ...]:
    return parse_case_rules(packaged_text("esante.services.soc", "case_rules.toml"))


def case_rules_on(day: date) -> CaseRules:
    """Return the rules in force on a day."""
    return in_force(_packaged(), day)


def group(alerts: Sequence[QueuedAlert], joins: Sequence[Join]) -> list[list[QueuedAlert]]:
    """Return the alerts in groups that belong together, each group and the groups in the order of `alerts`.

    What belongs together directly or through others is one group.
    """
    parents = list(range(len(alerts)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for join in joins:
        for places in _equal_places(alerts, join).values():
            for earlier, later in _neighbours(alerts, places, timedelta(minutes=join.minutes)):
                one, other = sorted((root(earlier), root(later)))
                parents[other] = one
    groups: dict[int, list[QueuedAlert]] = defaultdict(list)
    for place, alert in enumerate(alerts):
        groups[root(place)].append(alert)
    return list(groups.values())


def _equal_places(alerts: Sequence[QueuedAlert], join: Join) -> dict[tuple[object, ...], list[int]]:
    places: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, alert in enumerate(alerts):
        parts = tuple(getattr(alert, name) for name in join.same)
        if all(parts):
            places[alert.tenant_id, *parts].append(place)
    return places


def _neighbours(alerts: Sequence[QueuedAlert], places: list[int], most: timedelta) -> list[tuple[int, int]]:
    """Return pairs of places that are near, enough of them to reach all that are: alerts are spans of time."""
    ordered = sorted(places, key=lambda place: alerts[place].first_at)
    pairs = []
    latest = ordered[0]
    for place in ordered[1:]:
        if alerts[place].first_at - alerts[latest].last_at <= most:
            pairs.append((latest, place))
        if alerts[place].last_at > alerts[latest].last_at:
            latest = place
    return pairs
