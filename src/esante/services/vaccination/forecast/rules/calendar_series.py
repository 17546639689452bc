"""The series of a calendar and their target doses."""

from dataclasses import replace
from datetime import date

from esante.services.vaccination.forecast.durations import FIRST_DAY, LAST_DAY, Duration
from esante.services.vaccination.forecast.rules.calendar_sources import Sources
from esante.services.vaccination.forecast.rules.calendar_vaccines import CalendarVaccines
from esante.services.vaccination.forecast.rules.model import (
    AgeRow,
    Comparison,
    ConditionKind,
    Indication,
    IntervalFrom,
    IntervalRow,
    Season,
    Series,
    SeriesKind,
    Skip,
    SkipCondition,
    SkipSet,
    TargetDose,
    VaccineRow,
)
from esante.services.vaccination.forecast.rules.toml_table import Table

_KINDS = {"standard": SeriesKind.STANDARD, "risk": SeriesKind.RISK, "evaluation": SeriesKind.EVALUATION_ONLY}
_YEAR = 2025
"""The season that a yearly window is written down for; the engine moves it to the season of the day."""


class SeriesReader:
    """Reads the series of a calendar; the same series stands for every antigen that it names."""

    def __init__(self, sources: Sources, vaccines: CalendarVaccines, grace: Duration) -> None:
        self._sources, self._vaccines, self._grace = sources, vaccines, grace

    def read(self, table: Table) -> list[Series]:
        """Return a series for each of its antigens. Raises: RulesError."""
        id = table.get("id", str)
        antigens = table.words("antigens")
        kind = table.get("kind", str, "standard")
        if kind not in _KINDS:
            raise table.error(f"kind is {kind!r} and none of {', '.join(_KINDS)}")
        for antigen in antigens:
            if antigen not in self._vaccines.group_of:
                raise table.error(f"no group has the antigen {antigen}")
        label = table.get("label", str)
        only = table.numbers("vaccines")
        doses = table.tables("dose")
        if not doses or not antigens:
            raise table.error(f"the series {id} has no {'antigen' if doses else 'dose'}")
        one = Series(
            rule=self._sources.note(table, id, text=label),
            name=label,
            antigen="",
            group="",
            kind=_KINDS[kind],
            doses=(),
            genders=frozenset(table.words("genders")),
            series_group=table.get("series_group", str, "1"),
            equivalent=frozenset(table.words("equivalent")),
            default=table.get("default", bool, False),
            product_path=table.get("product", bool, False),
            preference=table.get("preference", int, 1),
            indications=tuple(
                each
                for number, row in enumerate(table.tables("indication"), 1)
                for each in self._indications(row, id, number)
            ),
        )
        table.finish()
        return [
            replace(
                one,
                antigen=antigen,
                group=self._vaccines.group_of[antigen],
                doses=tuple(self._dose(row, id, number, antigen, only) for number, row in enumerate(doses, 1)),
            )
            for antigen in antigens
        ]

    def _indications(self, row: Table, id: str, number: int) -> list[Indication]:
        label = row.get("label", str)
        rule = self._sources.note(row, id, "indication", number, text=label)
        begin, end = row.duration("from"), row.duration("until")
        found = [Indication(rule, code, label, begin, end) for code in row.words("observation")]
        row.finish()
        return found

    def _dose(self, row: Table, id: str, number: int, antigen: str, only: tuple[int, ...]) -> TargetDose:
        season = self._season(row, id, number)
        skips = tuple(
            self._skip(one, (id, number, "skip", place), season) for place, one in enumerate(row.tables("skip"), 1)
        )
        only = row.numbers("vaccines") or only
        known = [one for one in self._vaccines.rows[antigen] if not only or one.cvx in only]
        rule = self._sources.note(row, id, number)
        dose = TargetDose(
            rule=rule,
            number=number,
            ages=(self._age(row, id, number),),
            intervals=tuple(
                self._interval(one, (id, number, "interval", place), number)
                for place, one in enumerate(row.tables("interval"), 1)
            ),
            preferable=tuple(replace(one, rule=rule) for one in self._advised(row, known)),
            allowable=tuple(replace(one, rule=rule) for one in known),
            evaluation_skips=skips,
            forecast_skips=skips,
            recurring=row.get("recurring", bool, False),
            season=season,
        )
        row.finish()
        return dose

    def _age(self, row: Table, id: str, number: int) -> AgeRow:
        minimum = row.duration("minimum")
        return AgeRow(
            rule=self._sources.note(row, id, number, "age"),
            absolute_minimum=row.duration("absolute_minimum") or self._less_grace(minimum),
            minimum=minimum,
            earliest_recommended=row.duration("recommended"),
            latest_recommended=row.duration("late"),
            maximum=row.duration("maximum"),
        )

    def _less_grace(self, duration: Duration | None) -> Duration | None:
        if duration is None:
            return None
        return Duration(duration.months - self._grace.months, duration.days - self._grace.days)

    def _interval(self, row: Table, place: tuple[object, ...], number: int) -> IntervalRow:
        start, target, observation = IntervalFrom.PREVIOUS, 0, ""
        after = row.name_or_number("after")
        if after == "observation":
            start, observation = IntervalFrom.OBSERVATION, row.get("observation", str)
        elif isinstance(after, int):
            if not 0 < after < number:
                raise row.error(f"an interval of dose {number} is measured from dose {after}")
            start, target = IntervalFrom.TARGET_DOSE, after
        elif after != "previous":
            raise row.error(f'after is {after!r} and neither "previous", "observation" nor a number')
        minimum = row.duration("minimum")
        interval = IntervalRow(
            rule=self._sources.note(row, *place),
            start=start,
            target=target,
            observation=observation,
            absolute_minimum=row.duration("absolute_minimum") or self._less_grace(minimum),
            minimum=minimum,
            earliest_recommended=row.duration("recommended"),
            latest_recommended=row.duration("late"),
        )
        row.finish()
        return interval

    def _advised(self, row: Table, known: list[VaccineRow]) -> tuple[VaccineRow, ...]:
        """Return the vaccines that are recommended by name: numbers, or tables with ages; all contain the antigen."""
        found = []
        for one in row.get("advised", list, []):
            narrowed = one if isinstance(one, dict) else {"cvx": one}
            table = row.inline("advised", narrowed)
            cvx = table.get("cvx", int)
            base = next((each for each in known if each.cvx == cvx), None)
            if cvx not in self._vaccines.names:
                raise row.error(f"there is no vaccine {cvx}")
            if base is not None:
                begin, end = table.duration("from") or base.begin, table.duration("until") or base.end
                found.append(replace(base, begin=begin, end=end, recommended=True))
        return tuple(found)

    def _season(self, row: Table, id: str, number: int) -> Season | None:
        for table in row.one("season"):
            (month, day), (end_month, end_day) = table.month_and_day("start"), table.month_and_day("until")
            start = date(_YEAR, month, day)
            end = date(_YEAR + ((end_month, end_day) <= (month, day)), end_month, end_day)
            table.finish()
            rule = self._sources.note(row, id, number, "season")
            return Season(rule, start.toordinal(), end.toordinal() - 1, yearly=True)
        return None

    def _skip(self, row: Table, place: tuple[object, ...], season: Season | None) -> Skip:
        rule = self._sources.note(row, *place, text=row.get("label", str))
        conditions = tuple(self._condition(one, season) for one in row.tables("every"))
        row.finish()
        if not conditions:
            raise row.error("a skip has no condition")
        return Skip(True, True, True, (SkipSet(rule, True, conditions),))

    def _condition(self, row: Table, season: Season | None) -> SkipCondition:
        begin, end = row.duration("from"), row.duration("until")
        comparisons = {"doses_over": Comparison.GREATER, "doses_under": Comparison.LESS}
        found = [key for key in comparisons if row.has(key)]
        if not found:
            row.finish()
            return SkipCondition(ConditionKind.AGE, begin, end)
        this_season = row.get("this_season", bool, False)
        if this_season and season is None:
            raise row.error("the dose has no season")
        condition = SkipCondition(
            ConditionKind.VACCINE_COUNT,
            begin,
            end,
            start_date=season.start if this_season and season else FIRST_DAY,
            end_date=season.end + 1 if this_season and season else LAST_DAY,
            count=row.get(found[0], int),
            comparison=comparisons[found[0]],
            valid_only=row.get("valid", bool, False),
            vaccines=frozenset(row.numbers("vaccines")),
        )
        row.finish()
        return condition
