"""What the vaccination calendar says of a card: which doses count, what is due, and from when.

"Given" and "valid" are two things: the card holds what was given, the calendar in force judges it, and both are shown.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from esante.core.time_zone import day_of
from esante.core.web import N_
from esante.identity.directory import Person
from esante.services.vaccination import forecast
from esante.services.vaccination.card.checks import check_terms, contraindication_kinds
from esante.services.vaccination.card.model import Card, Contraindication, Dose, DoseEntry
from esante.services.vaccination.forecast import (
    Advice,
    AntigenAdvice,
    EvaluationStatus,
    Observation,
    Patient,
    Reason,
    RuleSet,
    SeriesStatus,
    advise,
    load_rules,
)
from esante.services.vaccination.products.catalogue import Age, catalogue

COUNTRY = "lu"
PART = "#"
"""Before the number of a vaccine in a dose that holds several."""
_NEW = "new"
"""The key of a dose that is not in the card yet."""
_AHEAD = timedelta(days=2 * 365)
"""How far ahead a first dose is shown."""


class Standing(StrEnum):
    """How a person stands with one disease."""

    OVERDUE = "overdue"
    DUE = "due"
    LATER = "later"
    """The next dose is not due yet."""
    DONE = "done"
    IMMUNE = "immune"
    NOT_NOW = "contraindicated"
    NOT_NEEDED = "not-recommended"
    UNKNOWN = "unknown"
    """The calendar says nothing of the disease."""


NOT_COUNTED = {
    "Age: Too Young": N_("given too early for the age"),
    "Age: Too Old": N_("given too late for the age"),
    "Interval: too short": N_("too soon after the dose before"),
    "Live Virus Conflict": N_("too soon after another live vaccine"),
    "Expired lot": N_("the vaccine had expired"),
    "Dose flagged by its condition": N_("the vaccine was not fit for use"),
    "Less than the recommended volume": N_("less than the whole dose"),
    "Vaccine unknown to the rules": N_("the calendar does not know this vaccine"),
    "Given before birth": N_("given before birth"),
    "Given after death": N_("given after death"),
    "Series Already Complete": N_("more than the calendar asks for"),
}
"""Why a dose does not count, by the reason of the rules (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AntigenRow:
    """How a person stands with a disease, or with several alike: the doses given, the last one, what comes next.

    `labels` are msgids. `next_on`: the day from which the next dose is recommended; `past_due`: when it is overdue;
    `source`: of the rule.
    """

    antigens: tuple[str, ...]
    labels: tuple[str, ...]
    doses: int
    last: date | None
    standing: Standing
    next_on: date | None = None
    past_due: date | None = None
    dose_number: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAdvice:
    """What the calendar says: rows of the diseases that it or the card is about, the most pressing first.

    `not_counted`: for a dose, by its key, the antigens for which it does not count, with the reason (a msgid).
    """

    rows: tuple[AntigenRow, ...] = ()
    not_counted: Mapping[str, Mapping[str, str]]
    rules: str = ""

    @property
    def pressing(self) -> int:
        """The number of rows with a dose that is due or overdue."""
        return sum(row.standing in (Standing.OVERDUE, Standing.DUE) for row in self.rows)


_ORDER = (
    Standing.OVERDUE,
    Standing.DUE,
    Standing.NOT_NOW,
    Standing.LATER,
    Standing.DONE,
    Standing.IMMUNE,
    Standing.NOT_NEEDED,
    Standing.UNKNOWN,
)


def advise_on(person: Person, card: Card, on: date, suspect: Collection[UUID] = ()) -> CardAdvice:
    """Return what the calendar in force on a day says of a person's card.

    `suspect`: the keys of doses of which the vaccine may not have been fit for use; they do not count.
    """
    rules = load_rules(COUNTRY, on=on)
    advice = _advice(person, card, on, rules, suspect)
    found = best_by_antigen(advice)
    rows = [_row(key, found.get(one.in_rules), card, on, rules) for key, one in catalogue().antigens.items()]
    shown = _merged(row for row in rows if _is_shown(row, on))
    shown.sort(key=lambda row: _ORDER.index(row.standing))
    return CardAdvice(rows=tuple(shown), not_counted=_not_counted(advice, person, card), rules=rules.name)


def _merged(rows: Iterable[AntigenRow]) -> list[AntigenRow]:
    """Return one row for diseases of which everything else is alike."""
    merged: dict[AntigenRow, AntigenRow] = {}
    for row in rows:
        like = replace(row, antigens=(), labels=(), source="")
        known = merged.get(like)
        both = row if known is None else replace(known, antigens=known.antigens + row.antigens)
        merged[like] = both if known is None else replace(both, labels=known.labels + row.labels)
    return list(merged.values())


def _is_shown(row: AntigenRow, on: date) -> bool:
    if row.doses:
        return True
    if row.standing is Standing.LATER:
        return row.next_on is not None and row.next_on <= on + _AHEAD
    return row.standing not in (Standing.NOT_NEEDED, Standing.UNKNOWN)


def judge_entry(person: Person, card: Card, entry: DoseEntry) -> dict[str, tuple[str, str]]:
    """Return for which antigens a dose that is to be given would not count, with the reason and its source.

    Reasons are a short interval, and an age below that of the calendar for children and adolescents: what the calendar
    asks of adults by age or season may be given earlier.
    """
    if entry.day is None or entry.day < person.birth_date:
        return {}
    rules = load_rules(COUNTRY, on=entry.day)
    reasons = {Reason.TOO_SOON, Reason.CONFLICT}
    if entry.day < _grown_on(person, entry.day):
        reasons.add(Reason.TOO_YOUNG)
    new = [*vaccines_of(_NEW, entry.day, _cvx_of(entry), entry.expires_on)]
    before = [part for dose in card.given if dose.day and dose.day <= entry.day for part in _parts(dose)]
    advice = advise(_patient(person, card), [*before, *new], entry.day, rules)
    keys = {one.in_rules: one.key for one in catalogue().antigens.values() if one.in_rules}
    found: dict[str, tuple[str, str]] = {}
    for antigen in advice.by_antigen:
        own = [one for one in antigen.evaluations if one.dose.startswith(_NEW) and antigen.antigen in keys]
        if own and all(one.status is EvaluationStatus.NOT_VALID and one.reason in reasons for one in own):
            last = own[-1]
            found[keys[antigen.antigen]] = NOT_COUNTED[str(last.reason)], rules.rule(last.rule).source
        elif own:
            found.pop(keys[antigen.antigen], None)
    return found


def _grown_on(person: Person, on: date) -> date:
    """Return the day from which the calendar's ages are those of adults."""
    return Age(check_terms(on).calendar_age_until_years, "y").on(person.birth_date)


def _cvx_of(entry: DoseEntry) -> Iterable[str]:
    product = catalogue().products.get(entry.product)
    return product.cvx if product else generic_vaccines(entry.antigens)


def _advice(person: Person, card: Card, on: date, rules: RuleSet, suspect: Collection[UUID]) -> Advice:
    doses = [replace(part, condition_flag=dose.id in suspect) for dose in card.given for part in _parts(dose)]
    return advise(_patient(person, card), doses, on, rules)


def _patient(person: Person, card: Card) -> Patient:
    return Patient(
        birth_date=person.birth_date,
        gender=person.sex if person.sex in ("male", "female") else "unknown",
        observations=tuple(_observations(card.contraindications)),
        death_date=day_of(person.deceased_at) if person.deceased_at else None,
    )


def _observations(contraindications: Sequence[Contraindication]) -> Iterator[Observation]:
    kinds = contraindication_kinds()
    for one in contraindications:
        if one.kind in kinds and kinds[one.kind].observation:
            yield Observation(kinds[one.kind].observation, one.since, one.until)


def _parts(dose: Dose) -> Iterator[forecast.Dose]:
    """Yield a dose as the vaccines that the rules know, one for each CVX code; nothing without a whole date."""
    if dose.day is not None:
        yield from vaccines_of(dose.id.hex, dose.day, dose.cvx or generic_vaccines(dose.antigens), dose.expires_on)


def vaccines_of(key: str, on: date, cvx: Iterable[str], expires_on: date | None) -> Iterator[forecast.Dose]:
    """Yield a dose for each CVX code in it; their keys are that of the dose, `PART` and a number."""
    for number, code in enumerate(cvx):
        yield forecast.Dose(id=f"{key}{PART}{number}", given_on=on, vaccine=code, expires_on=expires_on)


def generic_vaccines(antigens: Sequence[str]) -> Iterator[str]:
    """Yield the CVX codes of vaccines without a product that together protect against the antigens."""
    left = set(antigens)
    for covered, cvx in catalogue().generic:
        if covered <= left:
            left -= covered
            yield cvx


def best_by_antigen(advice: Advice) -> dict[str, AntigenAdvice]:
    """Return the advice on each antigen; of several series the one that asks for a dose first."""
    found: dict[str, AntigenAdvice] = {}
    for one in advice.by_antigen:
        known = found.get(one.antigen)
        if known is None or (one.recommended or date.max) < (known.recommended or date.max):
            found[one.antigen] = one
    return found


def _row(key: str, advice: AntigenAdvice | None, card: Card, on: date, rules: RuleSet) -> AntigenRow:
    doses = [dose for dose in card.given if key in dose.antigens]
    label = catalogue().antigens[key].label
    last = max((dose.day for dose in doses if dose.day), default=None)
    if advice is None:
        return AntigenRow(antigens=(key,), labels=(label,), doses=len(doses), last=last, standing=Standing.UNKNOWN)
    return AntigenRow(
        antigens=(key,),
        labels=(label,),
        doses=len(doses),
        last=last,
        standing=_standing(advice, on),
        next_on=advice.recommended if advice.status is SeriesStatus.NOT_COMPLETE else None,
        past_due=advice.past_due,
        dose_number=advice.dose_number,
        source=_source(advice, "recommended" if advice.recommended else "status", rules),
    )


def _standing(advice: AntigenAdvice, on: date) -> Standing:
    match advice.status:
        case SeriesStatus.COMPLETE:
            return Standing.DONE
        case SeriesStatus.IMMUNE:
            return Standing.IMMUNE
        case SeriesStatus.CONTRAINDICATED:
            return Standing.NOT_NOW
        case SeriesStatus.NOT_COMPLETE:
            if advice.past_due is not None and advice.past_due <= on:
                return Standing.OVERDUE
            return Standing.DUE if advice.recommended is not None and advice.recommended <= on else Standing.LATER
        case _:
            return Standing.NOT_NEEDED


def _source(advice: AntigenAdvice, what: str, rules: RuleSet) -> str:
    rule = advice.rule_of.get(what)
    return rules.rule(rule).source if rule else ""


def _not_counted(advice: Advice, person: Person, card: Card) -> dict[str, dict[str, str]]:
    """Return for each dose (its key as 32 hexadecimal digits) the antigens for which it does not count, and why.

    An age that the calendar asks of adults is no such reason (see `judge_entry`).
    """
    days = {dose.id.hex: dose.day for dose in card.given}
    grown = _grown_on(person, advice.on)
    labels = {one.in_rules: one.label for one in catalogue().antigens.values() if one.in_rules}
    found: dict[str, dict[str, str]] = {}
    for antigen in best_by_antigen(advice).values():
        for one in antigen.evaluations:
            if one.status in (EvaluationStatus.NOT_VALID, EvaluationStatus.SUB_STANDARD) and one.reason:
                key, words = one.dose.partition(PART)[0], NOT_COUNTED.get(one.reason.value)
                of_adult = one.reason is Reason.TOO_YOUNG and (days.get(key) or grown) >= grown
                if words and antigen.antigen in labels and not of_adult:
                    found.setdefault(key, {})[labels[antigen.antigen]] = words
    return found
