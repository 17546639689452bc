"""Which duties the facts of an incident bring, why, and until when. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from esante.core.dated_data import in_force
from esante.services.soc.duties.deadlines import end_of
from esante.services.soc.duties.model import MOMENTS, Condition, Duty, Facts, Owed, RuleSet, Status, Threshold


def sets_on(sets: Iterable[RuleSet], day: date) -> list[RuleSet]:
    """Return the set of each regime that is in force on a day."""
    by_regime: dict[str, list[RuleSet]] = {}
    for one in sets:
        if one.status is Status.IN_FORCE:
            by_regime.setdefault(one.regime, []).append(one)
    return [in_force(sorted(found, key=lambda one: one.valid_from), day) for found in by_regime.values()]


def owed_duties(facts: Facts, sent: Mapping[str, datetime], sets: Sequence[RuleSet], zone: ZoneInfo) -> list[Owed]:
    """Return the duties that facts bring under some sets, in the order of the sets.

    `sent`: when the notifications of duties were sent. A duty whose thresholds are not reached any more, but that was
    sent, is no longer owed.
    """
    return [
        owed for rules in sets for duty in rules.duties if (owed := _owed(duty, rules, facts, sent, zone)) is not None
    ]


def reached(rules: RuleSet, facts: Facts) -> tuple[Threshold, ...]:
    """Return the thresholds of a set that facts reach."""
    return tuple(one for one in rules.thresholds if all(holds(part, facts) for part in one.conditions))


def holds(condition: Condition, facts: Facts) -> bool:
    """Return whether a condition holds."""
    value: Any = getattr(facts, condition.fact)
    if condition.at_least is not None:
        return bool(Decimal(value) >= condition.at_least)
    if condition.more_than is not None:
        return bool(Decimal(value) > condition.more_than)
    if condition.equals is not None:
        return bool(value is condition.equals)
    return value in condition.one_of


def _owed(duty: Duty, rules: RuleSet, facts: Facts, sent: Mapping[str, datetime], zone: ZoneInfo) -> Owed | None:
    why = tuple(one for one in reached(rules, facts) if not duty.thresholds or one.key in duty.thresholds)
    if not why:
        return None
    started = _start(duty.starts, facts, sent)
    due = end_of(duty.period, started, zone) if duty.period and started else None
    if due is not None:
        is_unhandled = facts.handled_at is None or facts.handled_at > due
        if duty.only_while_unhandled and not is_unhandled:
            return None
        if duty.from_handling and is_unhandled:
            started = facts.handled_at
            due = end_of(duty.period, started, zone) if duty.period and started else None
    elif duty.only_while_unhandled:
        return None
    return Owed(duty=duty, rules=rules, why=why, started_at=started, due_at=due, sent_at=sent.get(duty.key))


def _start(starts: str, facts: Facts, sent: Mapping[str, datetime]) -> datetime | None:
    """Return when a clock starts: a moment of the facts, or when a notification was sent."""
    if starts == "breach_aware_at":
        return facts.breach_aware_at or facts.aware_at
    moment: datetime | None = getattr(facts, starts) if starts in MOMENTS else sent.get(starts)
    return moment
