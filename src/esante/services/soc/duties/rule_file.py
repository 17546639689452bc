"""The file of duties (data/duties.toml): read, and refused as a whole when a part of it is wrong."""

import tomllib
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

import msgspec

from esante.core.dated_data import packaged_text
from esante.services.soc.duties.model import (
    MOMENTS,
    Condition,
    Duty,
    Facts,
    Period,
    Recipient,
    RuleSet,
    Status,
    Threshold,
)
from esante.services.soc.duties.words import SECTION_NAMES

Key = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{1,39}$")]
_DERIVED = {"total_loss_eur", "loss_percent"}


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class _Condition(_Strict, frozen=True, kw_only=True, rename={"equals": "is"}):
    fact: str
    at_least: int | None = None
    more_than: int | None = None
    equals: bool | None = None
    one_of: tuple[str, ...] = ()


class _Threshold(_Strict, frozen=True, kw_only=True):
    key: Key
    label: str
    all: tuple[_Condition, ...]


class _Duty(_Strict, frozen=True, kw_only=True):
    key: Key
    label: str
    to: str
    starts: str
    hours: int | None = None
    days: int | None = None
    months: int | None = None
    thresholds: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    only_while_unhandled: bool = False
    from_handling: bool = False


class _Set(_Strict, frozen=True, kw_only=True):
    key: Key
    regime: Key
    status: Status
    valid_from: date
    label: str
    legal_source: str
    verified: bool
    threshold: tuple[_Threshold, ...]
    duty: tuple[_Duty, ...]


class _Recipient(_Strict, frozen=True, kw_only=True):
    key: Key
    label: str
    display: str


class _File(_Strict, frozen=True, kw_only=True):
    recipient: tuple[_Recipient, ...]
    set: tuple[_Set, ...]


class DutyRules(msgspec.Struct, frozen=True, kw_only=True):
    """The sets of rules, and who gets notifications."""

    sets: tuple[RuleSet, ...]
    recipients: dict[str, Recipient]

    @property
    def drafts(self) -> tuple[RuleSet, ...]:
        """The sets that are not in force."""
        return tuple(one for one in self.sets if one.status is Status.DRAFT)


def parse_rules(text: str) -> DutyRules:
    """Return the rules of a TOML text. Raises: ValueError with the place of what is wrong."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    recipients = {one.key: Recipient(key=one.key, label=one.label, how=one.display) for one in file.recipient}
    rules = DutyRules(sets=tuple(_rule_set(one) for one in file.set), recipients=recipients)
    if faults := _faults(rules):
        raise ValueError("; ".join(faults))
    return rules


@cache
def packaged_rules() -> DutyRules:
    """Return the rules of the program."""
    return parse_rules(packaged_text("esante.services.soc", "duties.toml"))


def _rule_set(row: _Set) -> RuleSet:
    return RuleSet(
        key=row.key,
        regime=row.regime,
        status=row.status,
        valid_from=row.valid_from,
        label=row.label,
        legal_source=row.legal_source,
        verified=row.verified,
        thresholds=tuple(
            Threshold(key=one.key, label=one.label, conditions=tuple(_condition(part) for part in one.all))
            for one in row.threshold
        ),
        duties=tuple(_duty(one) for one in row.duty),
    )


def _condition(row: _Condition) -> Condition:
    return Condition(row.fact, _number(row.at_least), _number(row.more_than), row.equals, frozenset(row.one_of))


def _number(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _duty(row: _Duty) -> Duty:
    given = [(unit, count) for unit in ("hours", "days", "months") if (count := getattr(row, unit)) is not None]
    if len(given) > 1 or any(count < 1 for _, count in given):
        raise ValueError(f"{row.key}: give one of hours, days and months, at least 1")
    return Duty(
        key=row.key,
        label=row.label,
        to=row.to,
        starts=row.starts,
        period=Period(unit=given[0][0], count=given[0][1]) if given else None,
        thresholds=frozenset(row.thresholds),
        sections=row.sections,
        only_while_unhandled=row.only_while_unhandled,
        from_handling=row.from_handling,
    )


def _faults(rules: DutyRules) -> list[str]:
    """Return what refers to nothing, or means nothing."""
    faults = []
    known: set[str] = {*Facts.__struct_fields__, *_DERIVED}
    for one in rules.sets:
        thresholds = {threshold.key for threshold in one.thresholds}
        keys = {duty.key for duty in one.duties}
        for threshold in one.thresholds:
            faults += [
                f"{one.key}.{threshold.key}: {why}" for part in threshold.conditions for why in _why(part, known)
            ]
        for duty in one.duties:
            place = f"{one.key}.{duty.key}"
            faults += [f"{place}: no threshold {key}" for key in duty.thresholds - thresholds]
            faults += [f"{place}: no section {key}" for key in duty.sections if key not in SECTION_NAMES]
            if duty.to not in rules.recipients:
                faults.append(f"{place}: no recipient {duty.to}")
            if duty.starts not in MOMENTS and duty.starts not in keys - {duty.key}:
                faults.append(f"{place}: nothing starts it: {duty.starts}")
            if one.status is Status.IN_FORCE and not duty.sections:
                faults.append(f"{place}: its notification has no sections")
    return faults


def _why(condition: Condition, known: set[str]) -> list[str]:
    parts: list[Any] = [condition.at_least, condition.more_than, condition.equals, condition.one_of or None]
    faults = [] if condition.fact in known else [f"no fact {condition.fact}"]
    if sum(part is not None for part in parts) != 1:
        faults.append(f"{condition.fact}: give one of at_least, more_than, is and one_of")
    return faults
