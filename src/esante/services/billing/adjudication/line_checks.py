"""The rules that look at one line: its day, the person, the act, who did it and where, how often it was done.

A check returns None, or the parameters of its finding when the rule applies.
"""

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from esante.services.billing.adjudication.line_state import LineState, Params, age_on
from esante.services.billing.adjudication.model import PastAct
from esante.services.billing.adjudication.terms import RuleInForce
from esante.services.billing.nomenclature import Frequency, Unit, is_within

Check = Callable[[LineState, RuleInForce], Params | None]
MOST_QUANTITY = 99
"""The most acts on a line of a message."""


def check_line(state: LineState) -> None:
    """Find what is wrong with a line by itself, and its act."""
    _run(state, BEFORE_ACT)
    if _resolve(state):
        state.approved = _has_approval(state)
        _run(state, WITH_ACT)


def _run(state: LineState, checks: Mapping[str, Check]) -> None:
    rules = state.rules.rules
    for key, check in checks.items():
        rule = rules.get(key)
        if rule is not None and (params := check(state, rule)) is not None:
            state.find(rule, params)


def _resolve(state: LineState) -> bool:
    """Find the act and the letters that change its price; a suffix may belong to the code itself."""
    code, on = state.line.act.code, state.on.isoformat()
    letters = [*state.line.act.prefixes]
    for suffix in state.line.act.suffixes:
        if state.rules.is_known(code + suffix):
            code += suffix
        else:
            letters.append(suffix)
    priced = state.rules.act(code)
    if priced is None:
        known = state.rules.is_known(code)
        state.apply("act.not-in-force" if known else "act.unknown", (("code", _short(code)), ("day", on)))
        return False
    if priced.unit is None:
        state.apply("act.no-tariff", (("day", on),))
        return False
    for letter in letters:
        if letter not in state.rules.surcharges:
            state.apply("act.modifier-unknown", (("letter", _short(letter)), ("code", code)))
    state.priced, state.letters, state.unit = priced, tuple(dict.fromkeys(letters)), priced.unit
    return True


def _currency(state: LineState, rule: RuleInForce) -> Params | None:
    return None if state.case.note.settlement.currency == rule.params["currency"] else ()


def _in_future(state: LineState, rule: RuleInForce) -> Params | None:
    note = state.case.note
    last = min(note.issued_on, state.case.received_on or note.issued_on)
    return (("day", last.isoformat()),) if state.on > last else None


def _too_old(state: LineState, rule: RuleInForce) -> Params | None:
    decided, years = state.case.received_on or state.case.note.issued_on, rule.params["years"]
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
    return isinstance(exponent, int) and 0 <= amount <= most and amount == round(amount, 2)


def _act_quantity(state: LineState, rule: RuleInForce) -> Params | None:
    quantity, most = state.line.quantity, state.act.max_quantity
    return (("quantity", str(quantity)), ("most", str(most))) if MOST_QUANTITY >= quantity > most else None


def _age(state: LineState, rule: RuleInForce) -> Params | None:
    act = state.act
    if act.min_age is None and act.below_age is None:
        return None
    age = age_on(state.case.birth_date, state.on)
    fits = (act.min_age is None or age >= act.min_age) and (act.below_age is None or age < act.below_age)
    return None if fits else (("code", act.code), ("age", str(age)))


def _hours(state: LineState, rule: RuleInForce) -> Params | None:
    hours, moment = state.act.hours, state.line.period.start_time
    if hours is None or (moment is not None and is_within(hours, moment)):
        return None
    return (("code", state.act.code), ("from", f"{hours[0]:%H:%M}"), ("to", f"{hours[1]:%H:%M}"))


def _place(state: LineState, rule: RuleInForce) -> Params | None:
    places, place = state.act.places, state.line.place
    return (("code", state.act.code), ("place", _short(place))) if places and place and place not in places else None


def _in_hospital(state: LineState, rule: RuleInForce) -> Params | None:
    needed = state.act.in_hospital and state.line.hospital_class not in rule.params["classes"]
    return (("code", state.act.code),) if needed else None


def _profession(state: LineState, rule: RuleInForce) -> Params | None:
    professions = state.act.professions
    return (("code", state.act.code),) if professions and state.case.profession not in professions else None


def _speciality(state: LineState, rule: RuleInForce) -> Params | None:
    needed = state.act.specialities
    return (("code", state.act.code),) if needed and needed.isdisjoint(state.case.specialities) else None


def _approval(state: LineState, rule: RuleInForce) -> Params | None:
    return (("code", state.act.code),) if state.act.approval and not state.approved else None


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
    frequencies = state.act.frequencies
    if not frequencies:
        return None
    code = state.act.code
    own = PastAct(code=code, on=state.on, provider_code=state.provider_code, quantity=state.line.quantity)
    acts = [*state.history.of_code(code), own]
    for frequency in frequencies:
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
WITH_ACT: Mapping[str, Check] = {
    "act.quantity": _act_quantity,
    "act.age": _age,
    "act.hours": _hours,
    "act.place": _place,
    "act.in-hospital": _in_hospital,
    "act.profession": _profession,
    "act.speciality": _speciality,
    "act.approval": _approval,
    "act.frequency": _frequency,
}
