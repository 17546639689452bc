"""Rules as data: their files, read and checked, and a rule as it is in force on a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from esante.services.billing.adjudication.model import Effect
from esante.services.billing.nomenclature import (
    WRONG,
    data_text,
    parse_dated,
    parse_number,
    parse_toml,
    parse_whole,
)

PACKAGE = "esante.services.billing.adjudication"
RULES, RATES = "rules.toml", "rates.toml"
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "note.currency": ("currency",),
    "act.in-future": (),
    "act.too-old": ("years",),
    "act.period": (),
    "person.before-birth": (),
    "person.deceased": (),
    "person.not-insured": (),
    "accident.number-missing": (),
    "act.unknown": (),
    "act.not-in-force": (),
    "act.no-tariff": (),
    "act.modifier-unknown": (),
    "act.quantity": (),
    "act.age": (),
    "act.hours": (),
    "act.place": (),
    "act.in-hospital": ("classes",),
    "act.profession": (),
    "act.speciality": (),
    "act.approval": (),
    "act.frequency": (),
    "surcharge.not-due": (),
    "surcharge.time-missing": (),
    "surcharge.general-act": (),
    "surcharge.once": (),
    "cumulation.part-of": (),
    "cumulation.general-technical": (
        *("with_cac", "with_any", "without_urgent_surcharge", "with_specialities"),
        *("specialities", "without_codes"),
    ),
    "cumulation.half": ("shares",),
    "cumulation.beyond": (),
    "cumulation.polytrauma": ("share", "classes"),
    "amount.impossible": ("most",),
    "amount.above-tariff": (),
    "amount.below-tariff": (),
    "amount.first-class": ("supplement", "classes"),
    "amount.personal-differs": (),
    "rate.convenience": ("share",),
    "rate.accident": ("share",),
    "rate.third-party-payer": ("share",),
    "rate.under-18": ("share", "below_age"),
    "rate.in-patient": ("share", "classes"),
    "rate.first-home-visit": ("share", "days"),
    "rate.ambulatory": ("share",),
    "payment.in-patient": ("days", "most", "classes"),
}
"""The rules that the program knows, with the parameters that each period of one must have."""
ALWAYS = frozenset({"act.unknown", "act.not-in-force", "act.no-tariff", "act.modifier-unknown", "amount.impossible"})
"""Rules without which there is no decision; before their first period, that one holds."""
_NUMBERS = {"share", "most", "supplement"}
_WHOLE = {"years", "days", "below_age"}
_TEXTS = {"currency"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePeriod:
    """A period of a rule: its parameters, numbers as Decimal and lists as sets (`shares`: in their order)."""

    valid_from: date
    params: Mapping[str, Any]
    legal_source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule with its periods, the oldest first; `label` says what is wrong, `words` what to do (msgids)."""

    key: str
    effect: Effect
    label: str
    words: str
    periods: tuple[RulePeriod, ...]


@dataclass(frozen=True, slots=True)
class RuleInForce:
    """A rule as it is in force on a day."""

    key: str
    effect: Effect
    params: Mapping[str, Any]
    legal_source: str


def load_rules(name: str) -> tuple[Rule, ...]:
    """Return the rules of a file, in its order. Raises: ValueError for what is missing, unknown or twice."""
    rows = parse_toml(name, data_text(PACKAGE, name), "rule")["rule"]
    try:
        rules = [_rule(name, row) for row in rows]
    except WRONG as error:
        raise ValueError(str(error) if isinstance(error, ValueError) else f"{name}: {error}") from error
    if len({rule.key for rule in rules}) < len(rules):
        raise ValueError(f"{name}: a rule is there twice")
    return tuple(rules)


def _rule(name: str, row: Mapping[str, Any]) -> Rule:
    key = str(row.get("key", "?"))
    try:
        if key not in PARAMETERS:
            raise ValueError("the program does not know this rule")
        periods = sorted((_period(key, period) for period in row["period"]), key=lambda one: one.valid_from)
        if not periods or len({one.valid_from for one in periods}) < len(periods):
            raise ValueError("there is no period, or two begin on one day")
        return Rule(
            key=key,
            effect=Effect(row["effect"]),
            label=_text(row["label"]),
            words=_text(row.get("words", "")),
            periods=tuple(periods),
        )
    except WRONG as error:
        raise ValueError(f"{name}: {key}: {error}") from error


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"{value!r} is no text")
    return value


def _period(key: str, row: Mapping[str, Any]) -> RulePeriod:
    if missing := [one for one in PARAMETERS[key] if one not in row]:
        raise ValueError(f"parameters are missing: {', '.join(missing)}")
    params = {name: _value(name, row[name]) for name in PARAMETERS[key]}
    return RulePeriod(params=params, **parse_dated(row))


def _value(name: str, value: Any) -> Any:
    """Return a parameter in its type. Raises: ValueError, TypeError."""
    if name == "shares":
        return tuple(parse_number(one) for one in value)
    if name in _NUMBERS:
        return parse_number(value)
    if name in _WHOLE:
        return parse_whole(value)
    texts = [value] if name in _TEXTS else value
    if type(texts) is not list or any(type(text) is not str for text in texts):
        raise ValueError(f"{name}: {value!r} is no text, or no list of texts")
    return value if name in _TEXTS else frozenset(texts)
