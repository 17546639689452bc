"""The advice for one person on one day: every antigen evaluated, forecast, chosen and merged (chapter 4)."""

from collections.abc import Iterable
from datetime import date

from esante.services.vaccination.forecast.engine.conditions import (
    conditions_of,
    indication_texts,
    relevant_series,
    unresolved_indications,
)
from esante.services.vaccination.forecast.engine.evaluation import evaluate
from esante.services.vaccination.forecast.engine.groups import antigen_advice, group_advices
from esante.services.vaccination.forecast.engine.person import Person
from esante.services.vaccination.forecast.engine.selection import best_series
from esante.services.vaccination.forecast.engine.series_forecast import Forecaster, SeriesForecast
from esante.services.vaccination.forecast.model import (
    Advice,
    Dose,
    DoseEvaluation,
    EvaluationStatus,
    Patient,
    Reason,
    SeriesStatus,
)
from esante.services.vaccination.forecast.rules import RuleSet, logic
from esante.services.vaccination.forecast.rules.model import Antigen, at_season


def advise(patient: Patient, doses: Iterable[Dose], on: date, rules: RuleSet) -> Advice:
    """Return which doses count and which are next, for one person on one day.

    Doses in any order; those given after `on` change nothing. Raises: ValueError when the person is born after `on`.
    """
    if on < patient.birth_date:
        raise ValueError("the day of the advice is before the person's birth")
    person = Person(patient, doses, on, rules)
    if patient.death_date is not None and patient.death_date < on:
        return Advice(on=on, rules=rules.name, groups=(), not_evaluated=tuple(person.rejected))
    texts: dict[str, None] = {}
    best: dict[str, list[SeriesForecast]] = {}
    for antigen in rules.antigens.values():
        texts |= dict.fromkeys(unresolved_indications(antigen, person))
        found = _best_of(antigen, person, rules)
        if found:
            best[antigen.name] = found
    merged = [group_advices(group, best, person, rules) for group in rules.groups]
    return Advice(
        on=on,
        rules=rules.name,
        groups=tuple(several[0] for several in merged if several),
        further=tuple(one for several in merged for one in several[1:]),
        by_antigen=tuple(antigen_advice(one) for several in best.values() for one in several),
        not_evaluated=(*person.rejected, *_unevaluated(person, best)),
        texts=tuple(texts),
    )


def _best_of(antigen: Antigen, person: Person, rules: RuleSet) -> list[SeriesForecast]:
    """Return the best series of an antigen, each with its texts for the clinician."""
    relevant = relevant_series(antigen, person)
    if not relevant:
        return []
    conditions = conditions_of(antigen, person)
    completed: set[str] = set()
    forecasts = []
    forecaster = Forecaster(person, rules, conditions, completed)
    for series in relevant:
        if series.seasonal:
            series = at_season(series, person.on)
        forecast = forecaster.forecast(evaluate(series, person, rules, completed))
        if forecast.status is SeriesStatus.COMPLETE:
            completed.add(series.series_group)
        forecasts.append(forecast)
    best = best_series(forecasts, person)
    for one in best:
        one.texts = [*conditions.texts, *indication_texts(one.state.series, person), *one.state.series.guidance]
    return best


def _unevaluated(person: Person, best: dict[str, list[SeriesForecast]]) -> Iterable[DoseEvaluation]:
    """Yield the doses that no best series is about."""
    evaluated = {outcome.given.place for ones in best.values() for one in ones for outcome in one.state.outcomes}
    for given in person.history:
        if given.place not in evaluated:
            yield DoseEvaluation(given.dose.id, EvaluationStatus.NOT_EVALUATED, Reason.NO_SERIES, logic.RELEVANCE)
