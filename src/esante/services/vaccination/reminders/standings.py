"""How persons stand with each antigen: the advice of the engine in the few figures that are kept."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from esante.services.vaccination import forecast
from esante.services.vaccination.card.advice import best_by_antigen, generic_vaccines, vaccines_of
from esante.services.vaccination.forecast import Advice, AntigenAdvice, EvaluationStatus, Patient, SeriesStatus
from esante.services.vaccination.products.catalogue import Age, catalogue
from esante.services.vaccination.reminders.model import Forecast, Standing


@dataclass(frozen=True, slots=True)
class KeptDose:
    """A dose as the platform keeps it; `suspect`: the vaccine may not have been fit for use."""

    key: str
    given_on: date
    cvx: tuple[str, ...]
    antigens: tuple[str, ...]
    expires_on: date | None
    public: bool
    suspect: bool = False


def engine_doses(doses: Iterable[KeptDose]) -> Iterator[forecast.Dose]:
    """Yield doses as the vaccines that the rules know."""
    for dose in doses:
        for part in vaccines_of(dose.key, dose.given_on, dose.cvx or generic_vaccines(dose.antigens), dose.expires_on):
            yield forecast.Dose(
                id=part.id,
                given_on=part.given_on,
                vaccine=part.vaccine,
                expires_on=part.expires_on,
                condition_flag=dose.suspect,
            )


def standings(advice: Advice) -> tuple[Standing, ...]:
    """Return how a person stands with each antigen of the catalogue; `given` is 0, since it is no matter of rules."""
    keys = _keys()
    found = (_standing(keys[name], one) for name, one in best_by_antigen(advice).items() if name in keys)
    return tuple(one for one in found if one.valid or one.complete or one.due_on)


def with_given(found: Iterable[Standing], doses: Iterable[KeptDose]) -> tuple[Standing, ...]:
    """Return standings with the number of doses given, also of antigens that the calendar does not know."""
    counts: dict[str, int] = {}
    for dose in doses:
        for antigen in dose.antigens:
            counts[antigen] = counts.get(antigen, 0) + 1
    by_antigen = {one.antigen: one for one in found}
    empty = {key: Standing(key, 0, 0, False, None, None, 0) for key in counts}
    return tuple(_with_count(one, counts.get(key, 0)) for key, one in (empty | by_antigen).items())


def refresh_day(found: Iterable[Standing], patient: Patient, on: date) -> date:
    """Return the next day on which something may change without a new dose: a date of the advice, or a birthday."""
    days = {day for one in found for day in (one.due_on, one.overdue_on) if day is not None and day > on}
    return min((*days, _next_birthday(patient.birth_date, on)))


def forecast_of(found: Iterable[Standing], doses: Iterable[KeptDose], patient: Patient, on: date) -> Forecast:
    """Return what is kept of a person."""
    whole = with_given(found, doses)
    return Forecast(whole, refresh_day(whole, patient, on))


def _standing(key: str, advice: AntigenAdvice) -> Standing:
    is_open = advice.status is SeriesStatus.NOT_COMPLETE
    return Standing(
        antigen=key,
        given=0,
        valid=sum(one.status is EvaluationStatus.VALID for one in advice.evaluations),
        complete=advice.status in (SeriesStatus.COMPLETE, SeriesStatus.IMMUNE),
        due_on=advice.recommended if is_open else None,
        overdue_on=advice.past_due if is_open else None,
        dose_number=(advice.dose_number or 0) if is_open else 0,
    )


def _with_count(one: Standing, given: int) -> Standing:
    return Standing(one.antigen, given, one.valid, one.complete, one.due_on, one.overdue_on, one.dose_number)


def _next_birthday(birth_date: date, on: date) -> date:
    """Return the next birthday after a day; under two years that of a month, as the calendar counts them."""
    months = (on.year - birth_date.year) * 12 + on.month - birth_date.month
    step = 1 if months < 24 else 12
    number = months // step * step
    while (day := Age(number, "m").on(birth_date)) <= on:
        number += step
    return day


@cache
def _keys() -> Mapping[str, str]:
    """Return the keys of antigens by their names in the rules."""
    return {one.in_rules: one.key for one in catalogue().antigens.values() if one.in_rules}
