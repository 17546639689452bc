"""Alerts of what rules and correlations find: their keys, evidence and reasons; and what bounds their number."""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

from esante.core.web import N_
from esante.services.soc.alerts.model import Evidence, Level, NewAlert, Origin
from esante.services.soc.detection.correlation import CorrelationAlert
from esante.services.soc.detection.evidence import evidence_of
from esante.services.soc.rules.model import Rule, RuleHead
from esante.services.soc.storage.model import StoredEvent

MAX_EVIDENCE = 20
MOST, WITHIN = 20, timedelta(minutes=10)
"""Alerts of one rule about one member within a time; what it finds beyond is one alert more."""
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_KEPT = 10_000
REASON_MANY = N_("This rule found more than %(count)s events in ten minutes; search for the rule to see all of them.")
REASON_CORRELATION = N_("%(count)s events belong together: the rule asks for that many, or for that order.")


def event_time(event: StoredEvent) -> datetime:
    """Return when an event happened, as far as its clock is believed; otherwise when it was received."""
    return event.occurred_at if event.occurred_at is not None and not event.clock_is_off else event.received_at


def alert_of_rule(rule: Rule, event: StoredEvent, fields: Mapping[str, Any]) -> NewAlert:
    """Return the alert that an event met a rule."""
    at = event_time(event)
    evidence = [
        Evidence(field=one.field, value=_clean(one.value), event=str(event.event_id))
        for one in evidence_of(rule, dict(fields))[:MAX_EVIDENCE]
    ]
    return NewAlert(
        tenant_id=event.tenant_id,
        key=f"{Origin.SIGMA}:{rule.key}:{event.key}",
        first_at=at,
        last_at=at,
        origin=Origin.SIGMA,
        rule=rule.key,
        title=rule.title,
        level=level_of(rule),
        subject=event.host or event.user or event.ip,
        techniques=techniques_of(rule),
        evidence=tuple(evidence) or (Evidence(field="", value=event.summary, event=str(event.event_id)),),
    )


def alert_of_correlation(tenant_id: UUID, found: CorrelationAlert) -> NewAlert:
    """Return the alert of a correlation; the reference of each entry is key and id of its event."""
    events = _events(found)
    times = [datetime.fromtimestamp(one.time, UTC) for one in found.entries]
    digest = blake2b("\n".join(sorted(key for key, _ in events)).encode(), digest_size=16).hexdigest()
    group = [Evidence(field=name, value=_clean(value)) for name, value in found.group.items()]
    met = [Evidence(field="", value=one.rule, event=_first_event(one.reference)) for one in found.entries]
    rule = found.correlation
    return NewAlert(
        tenant_id=tenant_id,
        key=f"{Origin.CORRELATION}:{rule.key}:{digest}",
        first_at=min(times),
        last_at=max(times),
        origin=Origin.CORRELATION,
        rule=rule.key,
        title=rule.title,
        level=level_of(rule),
        subject=_clean(", ".join(found.group.values()))[:200],
        why=REASON_CORRELATION,
        values={"count": len(events)},
        techniques=techniques_of(rule),
        evidence=tuple([*group, *met][:MAX_EVIDENCE]),
    )


def _events(found: CorrelationAlert) -> list[tuple[str, str]]:
    """Return key and id of the events that a correlation rests on, through correlations of correlations."""
    events: list[tuple[str, str]] = []
    for one in found.entries:
        if isinstance(one.reference, CorrelationAlert):
            events += _events(one.reference)
        elif isinstance(one.reference, tuple):
            events.append(one.reference)
    return list(dict.fromkeys(events))


def _first_event(reference: object) -> str:
    if isinstance(reference, CorrelationAlert):
        return _first_event(reference.entries[-1].reference)
    return str(reference[1]) if isinstance(reference, tuple) else ""


def alert_of_many(found: NewAlert) -> NewAlert:
    """Return the alert that stands for all that a rule finds beyond the bound; in the period it has one key."""
    return replace(
        found,
        key=f"{found.origin}:{found.rule}:many:{_period(found.last_at)}",
        why=REASON_MANY,
        values={"count": MOST},
    )


class AlertBound:
    """How many alerts of a rule about a member there are: for all that goes beyond the bound there is one more.

    Kept by each process by itself: where several find the same, there may be as many times more.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[UUID, str, int], int] = OrderedDict()

    def bounded(self, tenant_id: UUID, rule: str, at: datetime, make: Callable[[], NewAlert]) -> list[NewAlert]:
        """Return the alert that a finding is (`make`), one that stands for many, or none."""
        place = tenant_id, rule, _period(at)
        count = self._counts[place] = self._counts.pop(place, 0) + 1
        while len(self._counts) > _KEPT:
            self._counts.popitem(last=False)
        if count > MOST + 1:
            return []
        return [make() if count <= MOST else alert_of_many(make())]


def _period(at: datetime) -> int:
    return int(at.timestamp() // WITHIN.total_seconds())


def level_of(rule: RuleHead) -> Level:
    """Return the level of a rule; medium where it has none."""
    return Level.__members__.get(rule.level.upper(), Level.MEDIUM)


def techniques_of(rule: RuleHead) -> tuple[str, ...]:
    """Return the techniques of ATT&CK that a rule is tagged with."""
    return tuple(found[1].upper() for tag in rule.tags if (found := _TECHNIQUE.fullmatch(tag)))


def _clean(text: str) -> str:
    return text.replace("\0", "")
