"""The rules that look at one line: its day, the person, the act, who did it and where, how often it was done.

A check returns None, or the parameters of its finding when the rule applies.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from esante.services.billing.adjudication.day_rules import PricedAct
from esante.services.billing.adjudication.line_state import LineState, Params, age_on
from esante.services.billing.adjudication.model import PastAct
from esante.services.billing.adjudication.terms import RuleInForce
from esante.services.billing.nomenclature import Act, Frequency, Unit, is_within

Check = Callable[[LineState, RuleInForce], Params | None]
Checks = tuple[tuple[Check, RuleInForce], ...]
MOST_QUANTITY = 99
"""The most acts on a line of a message."""


def check_line(state: LineState) -> None:
    """Find what is wrong with a line by itself, and its act."""
    _run(state, state.rules.checks)
    priced = _resolve(state)
    if priced is not None:
        state.approved = _has_approval(state)
        _run(state, priced.checks)


def _run(state: LineState, checks: Iterable[tuple[Check, RuleInForce]]) -> None:
    for check, rule in checks:
        if (params := check(state, rule)) is not None:
            state.find(rule, params)


def _resolve(state: LineState) -> PricedAct | None:
    """Find the act and the letters that change its price; a suffix may belong to the code itself."""
    code = state.line.act.code
    letters = [*state.line.act.prefixes]
    for suffix in state.line.act.suffixes:
        if state.rules.is_known(code + suffix):
            code += suffix
        else:
            letters.append(suffix)
    priced = state.rules.act(code)
    if priced is None:
        known = state.rules.is_known(code)
        state.apply(
            "act.not-in-force" if known else "act.unknown", (("code", _short(code)), ("day", state.on.isoformat()))
        )
        return None
    if priced.unit is None:
        state.apply("act.no-tariff", (("day", state.on.isoformat()),))
        return None
    for letter in letters:
        if letter not in state.rules.surcharges:
            state.apply("act.modifier-unknown", (("letter", _short(letter)), ("code", code)))
    state.act, state.exact, state.unit = priced.act, priced.exact, priced.unit
    state.part = priced.act.chapter.part
    state.letters = tuple(dict.fromkeys(letters))
    return priced


def _currency(state: LineState, rule: RuleInForce) -> Params | None:
    return None if state.case.note.settlement.currency == rule.params["currency"] else ()


def _in_future(state: LineState, rule: RuleInForce) -> Params | None:
    note = state.case.note
    last = min(note.issued_on, state.case.received_on or note.issued_on)
    return (("day", last.isoformat()),) if state.on > last else None


def _too_old(state: LineState, rule: RuleInForce) -> Params | None:
    decided, years = state.case.received_on or state.case.note.issued_on, rule.params["years"]
    if decided.year - state.on.year < years:
        return None
    return (("years", str(years)),) if decided > add_months(state.on, 12 * years) else None


def _period(state: LineState, rule: RuleInForce) -> Params | None:
    period = state.line.period
    last = period.end or period.start
    if last != period.start:
        return () if last < period.start else None
    both = period.start_time is not None and period.end_time is not None
    return () if both and period.end_time < period.start_time else None  # type: ignore[operator]


def _before_birth(state: LineState, rule: RuleInForce) -> Params | None:
    return () if state.on < state.case.birth_date else None


def _deceased(state: LineState, rule: RuleInForce) -> Params | None:
    death = state.case.deceased_on
    return () if death is not None and state.on > death else None


def _not_insured(state: LineState, rule: RuleInForce) -> Params | None:
    for cover in state.case.covers:
        if cover.since <= state.on and (cover.until is None or state.on <= cover.until):
            return None
    return (("day", state.on.isoformat()),)


def _quantity(state: LineState, rule: RuleInForce) -> Params | None:
    quantity = state.line.quantity
    if 1 <= quantity <= MOST_QUANTITY:
        return None
    return (("quantity", str(quantity)), ("most", str(MOST_QUANTITY)))


def _impossible(state: LineState, rule: RuleInForce) -> Params | None:
    most = rule.params["most"]
    amounts = (state.line.gross if state.case.has_amounts else None, state.line.personal)
    return (("bound", str(most)),) if not all(_is_possible(one, most) for one in amounts) else None


def _is_possible(amount: Decimal | None, most: Decimal) -> bool:
    if amount is None:
        return True
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or not 0 <= amount <= most:
        return False
    return exponent >= -2 or amount == round(amount, 2)


def _act_quantity(state: LineState, rule: RuleInForce) -> Params | None:
    quantity, most = state.line.quantity, state.act.max_quantity
    return (("quantity", str(quantity)), ("most", str(most))) if MOST_QUANTITY >= quantity > most else None


def _age(state: LineState, rule: RuleInForce) -> Params | None:
    act = state.act
    age = age_on(state.case.birth_date, state.on)
    fits = (act.min_age is None or age >= act.min_age) and (act.below_age is None or age < act.below_age)
    return None if fits else (("code", act.code), ("age", str(age)))


def _hours(state: LineState, rule: RuleInForce) -> Params | None:
    hours, moment = state.act.hours, state.line.period.start_time
    if hours is None or (moment is not None and is_within(hours, moment)):
        return None
    return (("code", state.act.code), ("from", f"{hours[0]:%H:%M}"), ("to", f"{hours[1]:%H:%M}"))


def _place(state: LineState, rule: RuleInForce) -> Params | None:
    place = state.line.place
    return (("code", state.act.code), ("place", _short(place))) if place and place not in state.act.places else None


def _in_hospital(state: LineState, rule: RuleInForce) -> Params | None:
    stays = state.line.hospital_class in rule.params["classes"]
    return None if stays else (("code", state.act.code),)


def _profession(state: LineState, rule: RuleInForce) -> Params | None:
    fits = state.case.profession in state.act.professions
    return None if fits else (("code", state.act.code),)


def _speciality(state: LineState, rule: RuleInForce) -> Params | None:
    fits = not state.act.specialities.isdisjoint(state.case.specialities)
    return None if fits else (("code", state.act.code),)


def _approval(state: LineState, rule: RuleInForce) -> Params | None:
    return None if state.approved else (("code", state.act.code),)


def _has_approval(state: LineState) -> bool:
    """Return whether there is a prior approval of the act on its day that other acts have not used up."""
    code = state.act.code
    for approval in state.case.approvals:
        if approval.code == code and approval.since <= state.on <= approval.until:
            used = sum(
                one.quantity for one in state.history.of_code(code) if approval.since <= one.on <= approval.until
            )
            if used + state.line.quantity <= approval.quantity:
                return True
    return False


def _frequency(state: LineState, rule: RuleInForce) -> Params | None:
    code = state.act.code
    own = PastAct(code=code, on=state.on, provider_code=state.provider_code, quantity=state.line.quantity)
    acts = [*state.history.of_code(code), own]
    for frequency in state.act.frequencies:
        counted = [one for one in acts if not frequency.by_biller or one.provider_code == state.provider_code]
        if _exceeds(frequency, counted, state.on):
            return (("code", code), ("limit", str(frequency)))
    return None


def _exceeds(frequency: Frequency, acts: list[PastAct], on: date) -> bool:
    """Return whether any span that holds the day holds too many acts; a span begins on the day of an act."""
    for first in {one.on for one in acts if one.on <= on}:
        start, end = _span(frequency, first)
        if on < end and sum(one.quantity for one in acts if start <= one.on < end) > frequency.count:
            return True
    return False


def _span(frequency: Frequency, first: date) -> tuple[date, date]:
    """Return the first day of a span and the day after its last."""
    match frequency.unit:
        case Unit.DAYS:
            return first, first + min(timedelta(days=frequency.span), date.max - first)
        case Unit.MONTHS:
            return first, add_months(first, frequency.span)
        case Unit.CALENDAR_YEARS:
            start = date(first.year, 1, 1)
            return start, add_months(start, 12 * frequency.span)
        case Unit.LIFE:
            return date.min, date.max


def add_months(day: date, months: int) -> date:
    """Return the same day of a later month, or its last day; the last day of the calendar when it is beyond."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _short(text: str) -> str:
    """Return a text of the note as it is shown in a finding: its first printable characters."""
    return "".join(char for char in text[:10] if char.isprintable())


BEFORE_ACT: Mapping[str, Check] = {
    "note.currency": _currency,
    "act.period": _period,
    "act.in-future": _in_future,
    "act.too-old": _too_old,
    "person.before-birth": _before_birth,
    "person.deceased": _deceased,
    "person.not-insured": _not_insured,
    "act.quantity": _quantity,
    "amount.impossible": _impossible,
}
WITH_ACT: Mapping[str, tuple[Callable[[Act], object], Check]] = {
    "act.quantity": (lambda act: act.max_quantity < MOST_QUANTITY, _act_quantity),
    "act.age": (lambda act: act.min_age is not None or act.below_age is not None, _age),
    "act.hours": (lambda act: act.hours, _hours),
    "act.place": (lambda act: act.places, _place),
    "act.in-hospital": (lambda act: act.in_hospital, _in_hospital),
    "act.profession": (lambda act: act.professions, _profession),
    "act.speciality": (lambda act: act.specialities, _speciality),
    "act.approval": (lambda act: act.approval, _approval),
    "act.frequency": (lambda act: act.frequencies, _frequency),
}
"""The checks with the act, each with whether an act needs it."""


def checks_before_act(rules: Mapping[str, RuleInForce]) -> Checks:
    """Return the checks in force that every line passes."""
    return tuple((check, rules[key]) for key, check in BEFORE_ACT.items() if key in rules)


def checks_of_act(act: Act, rules: Mapping[str, RuleInForce]) -> Checks:
    """Return the checks in force that the lines of an act pass."""
    return tuple((check, rules[key]) for key, (needs, check) in WITH_ACT.items() if key in rules and needs(act))
