"""Merging: the forecasts of the best series of a vaccine group as one advice (CDSi Logic Specification, chapter 9)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from esante.services.vaccination.forecast.durations import LAST_DAY, as_date
from esante.services.vaccination.forecast.engine.person import Person
from esante.services.vaccination.forecast.engine.series_forecast import Bound, SeriesForecast
from esante.services.vaccination.forecast.engine.state import Outcome
from esante.services.vaccination.forecast.model import (
    AntigenAdvice,
    DoseEvaluation,
    EvaluationStatus,
    GroupAdvice,
    SeriesStatus,
)
from esante.services.vaccination.forecast.rules import logic
from esante.services.vaccination.forecast.rules.model import RuleSet, SeriesKind, VaccineGroup

_DEAD_ENDS = (
    SeriesStatus.CONTRAINDICATED,
    SeriesStatus.AGED_OUT,
    SeriesStatus.NOT_RECOMMENDED,
    SeriesStatus.NOT_COMPLETE,
)
"""The status of a group is the first of these that one of its antigens has (table 9-4)."""
_PRESSING = {
    SeriesStatus.COMPLETE: 1,
    SeriesStatus.IMMUNE: 2,
    SeriesStatus.NOT_COMPLETE: 3,
    SeriesStatus.NOT_RECOMMENDED: 4,
    SeriesStatus.AGED_OUT: 5,
    SeriesStatus.CONTRAINDICATED: 6,
}


def group_advices(
    group: VaccineGroup, best: Mapping[str, list[SeriesForecast]], person: Person, rules: RuleSet
) -> list[GroupAdvice]:
    """Return the advices of a vaccine group, the most pressing first: risk series are merged with risk series only."""
    kinds: dict[bool, dict[str, list[SeriesForecast]]] = {}
    for antigen in group.antigens:
        for one in best.get(antigen, ()):
            if one.state.series.group == group.name:
                risk = one.state.series.kind is SeriesKind.RISK
                kinds.setdefault(risk, {}).setdefault(antigen, []).append(one)
    chosen = []
    for antigens in kinds.values():
        forecasts = [min(several, key=lambda one: _urgency(one, person)) for several in antigens.values()]
        chosen.append((min(_urgency(one, person) for one in forecasts), forecasts))
    chosen.sort(key=lambda pair: pair[0])
    return [_merge(group, forecasts, person, rules) for _, forecasts in chosen]


def _urgency(one: SeriesForecast, person: Person) -> tuple[int, int]:
    """Return how pressing a forecast is, lowest first: a dose that is due now or for a risk, then what is complete.

    The specification foresees one forecast each where a person follows several series of a group; this is the order.
    """
    due = one.status is SeriesStatus.NOT_COMPLETE and one.earliest is not None
    now = due and (one.state.series.kind is SeriesKind.RISK or (one.earliest or 0) <= person.on)
    return 0 if now else _PRESSING[one.status], one.recommended or LAST_DAY


def _merge(group: VaccineGroup, forecasts: Sequence[SeriesForecast], person: Person, rules: RuleSet) -> GroupAdvice:
    status = _status(forecasts)
    decisive = next((one for one in forecasts if one.status is status), forecasts[0])
    rule_of = {"status": decisive.rules["status"]}
    dated = [one for one in forecasts if one.status is SeriesStatus.NOT_COMPLETE]
    days: dict[str, int] = {}
    if status is SeriesStatus.NOT_COMPLETE:
        days = _merged_days(group, dated, person, rules, rule_of)
    numbers = [one.dose_number for one in dated if one.dose_number is not None] if days else []
    return GroupAdvice(
        group=group.name,
        status=status,
        earliest=as_date(days.get("earliest")),
        recommended=as_date(days.get("recommended")),
        past_due=as_date(days.get("past_due")),
        latest=as_date(days.get("latest")),
        dose_number=(min if group.whole else max)(numbers) if numbers else None,
        vaccines=tuple(dict.fromkeys(str(cvx) for one in dated for cvx in one.vaccines)) if days else (),
        suitable=_suitable(dated) if days else (),
        evaluations=tuple(_merged_evaluations(forecasts)),
        rule_of=rule_of,
        texts=tuple(dict.fromkeys(text for one in forecasts for text in one.texts)),
        series=tuple(dict.fromkeys(one.state.series.name for one in forecasts)),
        risk=forecasts[0].state.series.kind is SeriesKind.RISK,
    )


def _status(forecasts: Sequence[SeriesForecast]) -> SeriesStatus:
    found = {one.status for one in forecasts}
    for status in _DEAD_ENDS:
        if status in found:
            return status
    return SeriesStatus.IMMUNE if found == {SeriesStatus.IMMUNE} else SeriesStatus.COMPLETE


def _merged_days(
    group: VaccineGroup, dated: Sequence[SeriesForecast], person: Person, rules: RuleSet, rule_of: dict[str, str]
) -> dict[str, int]:
    """Return the days of the group and put their rules into `rule_of` (FORECASTVG-2 to -4, tables 9-3 and 9-5)."""
    earliest = _earliest(group, dated, person, rules)
    found: dict[str, Bound] = {"earliest": earliest}
    for name, floor in (("recommended", earliest), ("past_due", earliest), ("latest", (0, ""))):
        bounds = [(day, one.rules[name]) for one in dated if (day := getattr(one, name)) is not None]
        if bounds:
            found[name] = max(min(bounds), floor, key=lambda bound: bound[0])
    rule_of.update({name: rule for name, (_, rule) in found.items()})
    return {name: day for name, (day, _) in found.items()}


def _earliest(group: VaccineGroup, dated: Sequence[SeriesForecast], person: Person, rules: RuleSet) -> Bound:
    bounds = [(one.earliest or 0, one.rules["earliest"]) for one in dated]
    if len(group.antigens) == 1:
        return min(bounds)
    if any(one.priority for one in dated):
        last = (_last_dose(group, person, rules), logic.PRIORITY)
        return max(min(bounds), last, key=lambda bound: bound[0])
    return max(bounds, key=lambda bound: bound[0])


def _suitable(dated: Sequence[SeriesForecast]) -> tuple[str, ...]:
    """Return the vaccines that are suitable for every antigen that needs a dose; those of any, when there is none."""
    every = [cvx for cvx in dated[0].suitable if all(cvx in one.suitable for one in dated)]
    return tuple(map(str, dict.fromkeys(every or [cvx for one in dated for cvx in one.suitable])))


def _last_dose(group: VaccineGroup, person: Person, rules: RuleSet) -> int:
    """Return the day of the last dose of a vaccine with an antigen of the group; 0 for none."""
    antigens = set(group.antigens)
    for given in reversed(person.history):
        if any(each.antigen in antigens for each in rules.vaccines[given.cvx]):
            return given.day
    return 0


def _merged_evaluations(forecasts: Iterable[SeriesForecast]) -> Iterable[DoseEvaluation]:
    """Yield one evaluation of each dose: Not Valid if it is that for any antigen, Extraneous if for all."""
    by_dose: defaultdict[int, list[Outcome]] = defaultdict(list)
    for one in forecasts:
        for outcome in one.state.outcomes:
            by_dose[outcome.given.place].append(outcome)
    for _, outcomes in sorted(by_dose.items()):
        yield evaluation_of(min(outcomes, key=lambda outcome: _WORST[outcome.status]))


_WORST = {
    EvaluationStatus.SUB_STANDARD: 0,
    EvaluationStatus.NOT_VALID: 1,
    EvaluationStatus.VALID: 2,
    EvaluationStatus.EXTRANEOUS: 3,
}


def evaluation_of(outcome: Outcome) -> DoseEvaluation:
    """Return an outcome as it is shown."""
    return DoseEvaluation(outcome.given.dose.id, outcome.status, outcome.reason, outcome.rule)


def antigen_advice(one: SeriesForecast) -> AntigenAdvice:
    """Return the forecast of a best series as it is shown."""
    series = one.state.series
    return AntigenAdvice(
        antigen=series.antigen,
        status=one.status,
        earliest=as_date(one.earliest),
        recommended=as_date(one.recommended),
        past_due=as_date(one.past_due),
        latest=as_date(one.latest),
        dose_number=one.dose_number,
        vaccines=tuple(map(str, one.vaccines)),
        suitable=tuple(map(str, one.suitable)),
        evaluations=tuple(map(evaluation_of, one.state.outcomes)),
        rule_of=one.rules,
        texts=tuple(one.texts),
        series=(series.name,),
        risk=series.kind is SeriesKind.RISK,
    )
