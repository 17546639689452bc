"""What letters at the code of an act do to its price: surcharges of article 8, both sides, assistance, anaesthesia."""

from datetime import time
from decimal import Decimal

from esante.services.billing.adjudication.line_state import LineState, age_on, to_cents
from esante.services.billing.adjudication.public_holidays import is_public_holiday
from esante.services.billing.nomenclature import Part, Surcharge, is_within
from esante.services.billing.nomenclature.model import SurchargeTerms


def apply_letters(state: LineState) -> None:
    """Set the price of one act with its letters: shares first, then the sum of all additions on the result."""
    addition = Decimal(0)
    for letter in state.letters:
        surcharge, terms = state.rules.surcharges[letter]
        if (rule := _why_not(state, surcharge, terms)) is not None:
            state.apply(rule, (("letter", letter),))
            continue
        state.urgent = state.urgent or surcharge.urgent
        addition += terms.addition
        if terms.share != 1:
            state.unit = max(to_cents(state.unit * terms.share), terms.minimum)
    if addition:
        state.unit = to_cents(state.unit * (1 + addition))


def _why_not(state: LineState, surcharge: Surcharge, terms: SurchargeTerms) -> str | None:
    """Return the key of the rule by which a letter does not count, None when it does."""
    changes = terms.addition or terms.share != 1
    if changes and state.part is not Part.TECHNICAL:
        return "surcharge.general-act"
    moment = state.line.period.start_time
    if surcharge.when == "night" and moment is None:
        return "surcharge.time-missing"
    if not _is_due(state, surcharge.when, terms, moment):
        return "surcharge.not-due"
    return "surcharge.once" if surcharge.urgent and state.urgent else None


def _is_due(state: LineState, when: str, terms: SurchargeTerms, moment: time | None) -> bool:
    match when:
        case "night":
            return terms.hours is not None and moment is not None and is_within(terms.hours, moment)
        case "sunday":
            return state.on.isoweekday() == 7
        case "holiday":
            return is_public_holiday(state.on)
        case "age":
            age = age_on(state.case.birth_date, state.on)
            young = terms.below_age is not None and age < terms.below_age
            return young or (terms.above_age is not None and age > terms.above_age)
        case _:
            return True
