"""Small sets of rules made by hand: one antigen against which vaccine 1 protects, live vaccines 3 and 4, others."""

from datetime import date, timedelta
from itertools import count

from esante.services.vaccination.forecast import Dose, Patient
from esante.services.vaccination.forecast.durations import Duration, parse_duration
from esante.services.vaccination.forecast.rules.antigen_data import in_order_of_evaluation
from esante.services.vaccination.forecast.rules.logic import LOGIC_RULES
from esante.services.vaccination.forecast.rules.model import (
    AgeRow,
    Antigen,
    Association,
    Conflict,
    IntervalFrom,
    IntervalRow,
    Rule,
    RuleSet,
    Series,
    SeriesKind,
    Skip,
    SkipSet,
    TargetDose,
    VaccineGroup,
    VaccineRow,
)

BIRTH = date(2020, 1, 15)
CHILD = Patient(BIRTH, "female")


def span(text):
    return None if text is None else parse_duration(text)


def age(minimum=None, recommended=None, late=None, maximum=None, absolute=None, **more):
    return AgeRow(
        "age", span(absolute or minimum), span(minimum), span(recommended), span(late), span(maximum), **more
    )


def interval(
    minimum=None, recommended=None, late=None, absolute=None, start=IntervalFrom.PREVIOUS, rule="interval", **more
):
    return IntervalRow(
        rule,
        start,
        absolute_minimum=span(absolute or minimum),
        minimum=span(minimum),
        earliest_recommended=span(recommended),
        latest_recommended=span(late),
        **more,
    )


def vaccine(cvx, begin=None, end=None, **more):
    return VaccineRow(f"vaccine-{cvx}", cvx, span(begin), span(end), **more)


def dose(*, ages=(), intervals=(), preferable=(1,), allowable=(), skips=(), **more):
    """A target dose; its number is given by `series`."""
    return dict(
        rule="dose",
        ages=tuple(ages),
        intervals=tuple(intervals),
        preferable=tuple(one if isinstance(one, VaccineRow) else vaccine(one) for one in preferable),
        allowable=tuple(one if isinstance(one, VaccineRow) else vaccine(one) for one in allowable),
        evaluation_skips=tuple(one for one in skips if one.in_evaluation),
        forecast_skips=tuple(one for one in skips if one.in_forecast),
        **more,
    )


def skip(*conditions, every=True, context="Both", **dated):
    one = SkipSet("skip", every, tuple(conditions), **dated)
    return Skip(context != "Forecast", context != "Evaluation", True, (one,))


_numbers = count(1)


def series(*doses, name=None, antigen="A", group="G", kind=SeriesKind.STANDARD, default=True, **more):
    name = name or f"series {next(_numbers)}"
    return Series(
        rule=name,
        name=name,
        antigen=antigen,
        group=group,
        kind=kind,
        doses=tuple(TargetDose(number=number, **one) for number, one in enumerate(doses, 1)),
        default=default,
        **more,
    )


def rule_set(*members, groups=None, vaccines=None, conflicts=None, antigens=None, **of_antigen):
    """A set of rules of series, with the antigen-level rules of `of_antigen` on every antigen."""
    names = list(dict.fromkeys(one.antigen for one in members))
    return RuleSet(
        name="made",
        antigens={
            name: Antigen(name, in_order_of_evaluation(one for one in members if one.antigen == name), **of_antigen)
            for name in names
        },
        groups=groups or (VaccineGroup("G", tuple(names)),),
        vaccines=vaccines
        or {cvx: tuple(Association(name) for name in names) for cvx in (1, 2, 3, 4, 5)} | {9: (Association("other"),)},
        conflicts=conflicts or {},
        rules=LOGIC_RULES
        | {id: Rule(id, "made by hand", verified=False) for id in ("dose", "age", "interval", "skip")},
        vaccine_names={1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 9: "nine"},
    )


def live_conflict(previous, current):
    """Live vaccines: on one day, or 28 days apart; 24 after a valid dose."""
    return {current: {previous: Conflict("conflict", Duration(days=1), Duration(days=24), Duration(days=28))}}


def on_day(days):
    """The day so many days after birth."""
    return BIRTH + timedelta(days=days)


def given(day, cvx=1, id=None, **more):
    """A dose `day` days after birth, or on a date."""
    when = day if isinstance(day, date) else on_day(day)
    return Dose(id or f"{when}", when, str(cvx), **more)


def evaluations(advice, group="G"):
    """The status and reason of each dose in the group, in the order of the doses."""
    found = advice.group(group)
    return [(str(one.status), None if one.reason is None else str(one.reason)) for one in found.evaluations]
