"""The adjudication of a note: what may be charged for each line, and who bears which share of it. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, time
from decimal import Decimal

from esante.services.billing.adjudication.cumulation import settle_session
from esante.services.billing.adjudication.day_rules import DayRules
from esante.services.billing.adjudication.line_checks import check_line
from esante.services.billing.adjudication.line_state import ZERO, History, LineState, make_finding, to_cents
from esante.services.billing.adjudication.model import Adjudication, Case, Finding, LineDecision, PastAct
from esante.services.billing.adjudication.rates import set_rate
from esante.services.billing.adjudication.rule_set import RuleSet
from esante.services.billing.adjudication.surcharges import apply_letters
from esante.services.billing.adjudication.terms import RuleInForce
from esante.services.billing.nomenclature import Part


def adjudicate(case: Case, rules: RuleSet) -> Adjudication:
    """Return the decision on a note by the rules that were in force on the day of each act.

    Of each line: `statutory` + `personal` = `tariff`, rounded half up. A refused line is 0 and the others stand. The
    order of the lines does not matter.
    """
    history = History(case.past, rules.nomenclature)
    lines = [LineState(case, line, rules.on(line.period.start), history) for line in case.note.lines]
    for state in sorted(lines, key=_order):
        check_line(state)
        if not state.refused:
            apply_letters(state)
            history.add(_as_past(state))
    sessions: dict[tuple[date, str], list[LineState]] = defaultdict(list)
    for state in lines:
        if not state.refused and state.part is not Part.CONVENIENCE:
            sessions[state.on, state.provider_code].append(state)
    for session in sessions.values():
        settle_session(session)
    for state in lines:
        if not state.refused:
            set_rate(state)
    decided = tuple(_decide(state) for state in lines)
    return Adjudication(
        note_id=case.note.id,
        lines=decided,
        findings=tuple(_of_note(case, decided, rules.on(case.note.issued_on))),
        rules=rules.digest,
    )


def _order(state: LineState) -> tuple[date, time, Decimal, int, str, tuple[str, ...], int]:
    """Order lines by time, so that limits count the earlier ones; of the same time, the highest amount is first.

    What else lines can differ in follows, so that the order in the note decides between equal lines only.
    """
    line = state.line
    other = (line.hospital_class, line.place, *line.act.prefixes, *line.act.suffixes)
    return (
        state.on,
        line.period.start_time or time.min,
        -state.charged,
        -line.quantity,
        state.provider_code,
        other,
        line.number,
    )


def _as_past(state: LineState) -> PastAct:
    return PastAct(code=state.act.code, on=state.on, provider_code=state.provider_code, quantity=state.line.quantity)


def _of_note(case: Case, decided: Sequence[LineDecision], rules: DayRules) -> Iterator[Finding]:
    accident, rule = case.note.patient.accident, rules.rules.get("accident.number-missing")
    if accident is not None and not accident.number and rule is not None:
        yield make_finding(case.note.id, rule, 0, (), rule.effect)
    rule = rules.rules.get("payment.in-patient")
    if rule is not None and _is_paid_to_provider(case, decided, rule):
        params = (("days", str(rule.params["days"])), ("bound", str(rule.params["most"])))
        yield make_finding(case.note.id, rule, 0, params, rule.effect)


def _is_paid_to_provider(case: Case, decided: Sequence[LineDecision], rule: RuleInForce) -> bool:
    """Return whether acts of an in-patient span more days, or cost more, than the patient has to pay in advance."""
    periods = [one.period for one in case.note.lines if one.hospital_class in rule.params["classes"]]
    if not periods or not any(one.statutory for one in decided):
        return False
    days = (max(one.end or one.start for one in periods) - min(one.start for one in periods)).days
    cost = sum((one.tariff + one.convenience for one in decided), ZERO)
    return bool(days > rule.params["days"] or cost > rule.params["most"])


def _decide(state: LineState) -> LineDecision:
    if state.refused:
        return _decision(state, 0, ZERO, ZERO)
    if state.part is Part.CONVENIENCE:
        return _decision(state, state.line.quantity, ZERO, convenience=to_cents(state.charged))
    paid = sum(count for count, part in state.parts if part)
    tariff = to_cents(sum((count * part * state.unit for count, part in state.parts), ZERO))
    tariff, extra = _bounded(state, tariff) if state.case.has_amounts else (tariff, ZERO)
    return _decision(state, paid, tariff, convenience=extra)


def _bounded(state: LineState, tariff: Decimal) -> tuple[Decimal, Decimal]:
    """Return the tariff, at most what is charged, and what the first class costs beyond it."""
    charged, rules = to_cents(state.charged), state.rules.rules
    if charged < tariff:
        state.apply("amount.below-tariff", (("allowed", str(tariff)),))
        return charged, ZERO
    first_class, extra = rules.get("amount.first-class"), ZERO
    if first_class is not None and state.line.hospital_class in first_class.params["classes"]:
        extra = min(charged - tariff, to_cents(tariff * first_class.params["supplement"]))
        if extra:
            state.find(first_class, (("extra", str(extra)),))
    unreduced = to_cents(state.unit * state.line.quantity)
    if charged > max(unreduced, tariff + extra):
        state.apply("amount.above-tariff", (("charged", str(charged)), ("allowed", str(tariff + extra))))
    return tariff, extra


def _decision(state: LineState, quantity: int, tariff: Decimal, convenience: Decimal) -> LineDecision:
    statutory = to_cents(tariff * state.rate)
    personal, stated = tariff - statutory, state.line.personal
    if not state.refused and stated is not None and stated != personal + convenience:
        state.apply("amount.personal-differs", (("charged", str(stated)), ("allowed", str(personal + convenience))))
    return LineDecision(
        number=state.line.number,
        line_id=state.line.id,
        code=state.line.act.code,
        quantity=quantity,
        tariff=tariff,
        rate=ZERO if state.refused else state.rate,
        statutory=statutory,
        personal=personal,
        convenience=convenience,
        findings=tuple(state.findings),
    )
