"""Which share of the tariff the insurance bears: the first rate, in the order of the data, that applies to a line."""

from collections.abc import Callable, Mapping

from esante.services.billing.adjudication.line_state import LineState, age_on
from esante.services.billing.adjudication.terms import RuleInForce
from esante.services.billing.nomenclature import Chapter, Part


def set_rate(state: LineState) -> None:
    """Set the share of a line and find its rate; a line for which there is none is refused."""
    for rule in state.rules.rates:
        if APPLIES[rule.key](state, rule):
            state.rate = rule.params["share"]
            shown = [("share", str(state.rate))]
            shown += [(name, str(rule.params[key])) for key, name in _SHOWN if key in rule.params]
            state.find(rule, tuple(shown))
            return
    state.apply("act.no-tariff", (("day", state.on.isoformat()),))


def _convenience(state: LineState, rule: RuleInForce) -> bool:
    return state.part is Part.CONVENIENCE


def _accident(state: LineState, rule: RuleInForce) -> bool:
    accident = state.case.note.patient.accident
    return accident is not None and bool(accident.number) and (accident.on is None or accident.on <= state.on)


def _third_party_payer(state: LineState, rule: RuleInForce) -> bool:
    return any(
        cover.third_party_payer and cover.since <= state.on and (cover.until is None or state.on <= cover.until)
        for cover in state.case.covers
    )


def _under_age(state: LineState, rule: RuleInForce) -> bool:
    return age_on(state.case.birth_date, state.on) < int(rule.params["below_age"])


def _in_patient(state: LineState, rule: RuleInForce) -> bool:
    return state.line.hospital_class in rule.params["classes"]


def _first_home_visit(state: LineState, rule: RuleInForce) -> bool:
    """Return whether it is a home visit, and none was in the days before; visits of the same day are the same one."""
    if state.act.chapter is not Chapter.HOME_VISIT:
        return False
    days = rule.params["days"]
    return not any(0 < (state.on - day).days < days for day in state.history.days_of(Chapter.HOME_VISIT))


def _always(state: LineState, rule: RuleInForce) -> bool:
    return True


Applies = Callable[[LineState, RuleInForce], bool]
APPLIES: Mapping[str, Applies] = {
    "rate.convenience": _convenience,
    "rate.accident": _accident,
    "rate.third-party-payer": _third_party_payer,
    "rate.under-18": _under_age,
    "rate.in-patient": _in_patient,
    "rate.first-home-visit": _first_home_visit,
    "rate.ambulatory": _always,
}
_SHOWN = (("below_age", "age"), ("days", "days"))
"""Parameters of a rate that its words show, with their names there."""
