"""A calendar as a page to read: every target dose of every series with its ages, intervals, source (Markdown)."""

from collections.abc import Iterator
from datetime import date

from esante.services.vaccination.forecast.durations import Duration
from esante.services.vaccination.forecast.rules import RuleSet
from esante.services.vaccination.forecast.rules.model import (
    IntervalFrom,
    IntervalRow,
    Rule,
    Series,
    SeriesKind,
    TargetDose,
)

_HEAD = """\
# Vaccination calendar

The calendar `{name}` (`src/esante/services/vaccination/data`), printed by `esante vaccination calendar` from those
data. It is no official publication.

"verified": what the row recommends was read in its source; "assumed": it was derived or taken from practice. Minimum
ages, minimum intervals, the ages from which a dose is overdue and the grace of a few days are assumed in every row,
unless an interval says otherwise. A dose counts from its minimum age less the grace on, and is not given from its
maximum age on.
"""


def calendar_page(rules: RuleSet) -> str:
    """Return the page of a calendar."""
    lines = [_HEAD.format(name=rules.name)]
    for series in _series(rules):
        lines += [f"## {series.name}", "", *_series_lines(series, rules), ""]
    lines += ["## Immunity and contraindications", "", *_condition_lines(rules), ""]
    lines += ["## Sources", "", *_source_lines(rules)]
    return "\n".join(lines) + "\n"


def _series(rules: RuleSet) -> list[Series]:
    """Return every series once, whatever the number of its antigens."""
    return list({one.rule: one for antigen in rules.antigens.values() for one in antigen.series}.values())


def _series_lines(series: Series, rules: RuleSet) -> Iterator[str]:
    if series.kind is SeriesKind.RISK:
        for text in dict.fromkeys(one.text for one in series.indications):
            codes = [one.observation for one in series.indications if one.text == text]
            yield f"For: {text} (observations {', '.join(codes)})."
        yield ""
    yield "| dose | minimum | recommended | overdue from | maximum | intervals | season | not needed when | source |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for dose in series.doses:
        age = dose.ages[0]
        skips = [rules.rule(each.rule).text for skip in dose.forecast_skips for each in skip.sets]
        cells = [
            f"{dose.number}{', then again' if dose.recurring else ''}",
            *map(duration_text, (age.minimum, age.earliest_recommended, age.latest_recommended, age.maximum)),
            "; ".join(_interval_text(row, rules) for row in dose.intervals),
            _season_text(dose),
            "; ".join(skips),
            _source(rules.rule(dose.rule)),
        ]
        yield f"| {' | '.join(cells)} |"


def _interval_text(row: IntervalRow, rules: RuleSet) -> str:
    since = {
        IntervalFrom.PREVIOUS: "the dose before",
        IntervalFrom.TARGET_DOSE: f"dose {row.target}",
        IntervalFrom.OBSERVATION: f"observation {row.observation}",
        IntervalFrom.MOST_RECENT: "the last of the vaccines",
    }[row.start]
    parts = [f"{duration_text(row.minimum)} after {since}"]
    if row.earliest_recommended is not None:
        parts.append(f"recommended {duration_text(row.earliest_recommended)}")
    if row.latest_recommended is not None:
        parts.append(f"overdue {duration_text(row.latest_recommended)}")
    return ", ".join(parts) + f" ({'verified' if rules.rule(row.rule).verified else 'assumed'})"


def _season_text(dose: TargetDose) -> str:
    if dose.season is None:
        return ""
    return f"{_month_day(dose.season.start)} to {_month_day(dose.season.end)}"


def _month_day(day: int) -> str:
    return date.fromordinal(day).strftime("%d.%m.")


def _condition_lines(rules: RuleSet) -> Iterator[str]:
    yield "| antigen | | observations | source |"
    yield "|---|---|---|---|"
    for antigen in rules.antigens.values():
        for rule in dict.fromkeys(antigen.immunity.values()):
            codes = [code for code, each in antigen.immunity.items() if each == rule]
            yield f"| {antigen.name} | {rules.rule(rule).text} | {', '.join(codes)} | {_source(rules.rule(rule))} |"
        for birth in antigen.birth_immunity:
            yield f"| {antigen.name} | {rules.rule(birth.rule).text} | | {_source(rules.rule(birth.rule))} |"
        for text in dict.fromkeys(one.text for one in antigen.contraindications):
            ones = [one for one in antigen.contraindications if one.text == text]
            codes = [one.observation for one in ones]
            yield f"| {antigen.name} | {text} | {', '.join(codes)} | {_source(rules.rule(ones[0].rule))} |"


def _source_lines(rules: RuleSet) -> Iterator[str]:
    for number, source in enumerate(_sources(rules), 1):
        yield f"{number}. {source}"


def _sources(rules: RuleSet) -> list[str]:
    return list(dict.fromkeys(rule.source for rule in rules.rules.values() if not rule.id.startswith("logic/")))


def _source(rule: Rule) -> str:
    return f"{rule.source}, {'verified' if rule.verified else 'assumed'}"


def duration_text(duration: Duration | None) -> str:
    """Return a duration in words."""
    if duration is None:
        return ""
    years, months = divmod(duration.months, 12)
    weeks, days = divmod(duration.days, 7) if not duration.days % 7 else (0, duration.days)
    if not years or months:
        years, months = 0, duration.months
    amounts = ((years, "year"), (months, "month"), (weeks, "week"), (days, "day"))
    found = [f"{amount} {unit}{'s' if amount != 1 else ''}" for amount, unit in amounts if amount]
    return " ".join(found) or "birth"
