"""The choice of series: one prioritised series of each series group, then the best of an antigen (chapter 8)."""

from collections.abc import Callable, Sequence
from itertools import groupby

from esante.services.vaccination.forecast.engine.person import Person
from esante.services.vaccination.forecast.engine.series_forecast import SeriesForecast, finish_day, is_completable
from esante.services.vaccination.forecast.model import EvaluationStatus, SeriesStatus
from esante.services.vaccination.forecast.rules.model import SeriesKind

Forecasts = Sequence[SeriesForecast]


def best_series(forecasts: Forecasts, person: Person) -> list[SeriesForecast]:
    """Return the best series of an antigen, of all its relevant ones (section 8.8)."""
    prioritised: dict[str, SeriesForecast] = {}
    by_group = sorted(forecasts, key=_series_group)
    for group, members in groupby(by_group, key=_series_group):
        chosen = prioritised_series(list(members), person)
        if chosen is not None:
            prioritised[group] = chosen
    return [one for one in prioritised.values() if _is_best(one, prioritised)]


def _series_group(forecast: SeriesForecast) -> str:
    return forecast.state.series.series_group


def _is_best(one: SeriesForecast, prioritised: dict[str, SeriesForecast]) -> bool:
    """Return whether the prioritised series of a group is a best series (table 8-14)."""
    if _is_complete(one):
        return True
    series = one.state.series
    equivalent = [other for group, other in prioritised.items() if group in series.equivalent and other is not one]
    if any(map(_is_complete, equivalent)) or series.kind is SeriesKind.EVALUATION_ONLY:
        return False
    return series.kind is SeriesKind.RISK or not any(
        other.state.series.kind is SeriesKind.RISK for other in equivalent
    )


def prioritised_series(members: list[SeriesForecast], person: Person) -> SeriesForecast | None:
    """Return the prioritised series of one series group, or None (sections 8.1 to 8.7)."""
    scorable = scorable_series(members, person)
    defaults = [one for one in members if one.state.series.default]
    complete = [one for one in scorable if _is_complete(one)]
    in_process = [one for one in scorable if _is_in_process(one)]
    if not scorable:
        return defaults[0] if len(defaults) == 1 else None
    if len(scorable) == 1:
        return scorable[0]
    if len(complete) == 1:
        return complete[0]
    if complete:
        return _highest(complete, [_most_valid(complete, 1)])
    if len(in_process) == 1:
        return in_process[0]
    if in_process:
        return _highest(in_process, _in_process_criteria(in_process, person))
    if len(defaults) == 1:
        return defaults[0]
    without_doses = [one for one in scorable if not one.state.valid_count]
    if without_doses:
        return _highest(without_doses, _no_dose_criteria(without_doses, person))
    return _highest(scorable, _in_process_criteria(scorable, person))


def scorable_series(members: list[SeriesForecast], person: Person) -> list[SeriesForecast]:
    """Return the scorable series of a group (SELECTB-24, SELECTSCORE-2)."""
    open_ones = [one for one in members if one.status is not SeriesStatus.CONTRAINDICATED]
    risks = [one.state.series.priority for one in members if one.state.series.kind is SeriesKind.RISK]
    none_valid = not any(one.state.valid for one in members)
    no_default = not any(one.state.series.default for one in members)

    def is_scorable(one: SeriesForecast) -> bool:
        series = one.state.series
        if series.kind is SeriesKind.RISK:
            return series.priority == min(risks)
        if series.kind is SeriesKind.EVALUATION_ONLY:
            return _is_complete(one)
        return (none_valid and no_default) or _started_in_time(one, person)

    return [one for one in open_ones or members if is_scorable(one)]


def _started_in_time(one: SeriesForecast, person: Person) -> bool:
    """Return whether the first valid dose was given before the maximum age to start."""
    valid = one.state.valid
    return bool(valid) and valid[0].day < person.ages.until(one.state.series.maximum_start)


def _is_complete(one: SeriesForecast) -> bool:
    return one.status is SeriesStatus.COMPLETE


def _is_in_process(one: SeriesForecast) -> bool:
    return one.status is SeriesStatus.NOT_COMPLETE and bool(one.state.satisfied)


Criterion = Callable[[SeriesForecast], int]
"""The points that a series gets."""


def _in_process_criteria(ones: Forecasts, person: Person) -> list[Criterion]:
    return [
        lambda one: 2 if one.state.series.product_path and _all_valid(one) else -2,
        lambda one: 3 if is_completable(one, person) else -3,
        _most_valid(ones, 2),
        _fewest(ones, lambda one: one.state.open_count, 2),
        _fewest(ones, lambda one: finish_day(one) if is_completable(one, person) else None, 1),
    ]


def _no_dose_criteria(ones: Forecasts, person: Person) -> list[Criterion]:
    return [
        _fewest(ones, lambda one: one.earliest, 1),
        lambda one: 1 if is_completable(one, person) else -1,
        lambda one: -1 if one.state.series.product_path else 1,
    ]


def _all_valid(one: SeriesForecast) -> bool:
    """Return whether every evaluation against a target dose is Valid (SELECTB-2)."""
    return all(each.status is EvaluationStatus.VALID for each in one.state.outcomes if each.target is not None)


def _most_valid(ones: Forecasts, points: int) -> Criterion:
    return _fewest(ones, lambda one: -one.state.valid_count, points)


def _fewest(ones: Forecasts, measure: Callable[[SeriesForecast], int | None], points: int) -> Criterion:
    """Return the criterion of the lowest measure: points for it alone, none when shared, a loss for all others."""
    measures = [found for one in ones if (found := measure(one)) is not None]
    lowest = min(measures, default=None)
    shared = measures.count(lowest) > 1 if lowest is not None else False

    def score(one: SeriesForecast) -> int:
        if lowest is None or measure(one) != lowest:
            return -points
        return 0 if shared else points

    return score


def _highest(ones: Forecasts, criteria: list[Criterion]) -> SeriesForecast:
    """Return the series with the most points; of several the one that is preferred (section 8.7)."""
    return max(ones, key=lambda one: (sum(criterion(one) for criterion in criteria), -one.state.series.preference))
