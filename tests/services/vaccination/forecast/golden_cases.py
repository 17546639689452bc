"""Golden cases of a calendar: every dose on the day before and on each boundary of its ages and intervals.

    python -m tests.services.vaccination.forecast.golden_cases

prints `golden/lu-2026.md`, made of the data; a change of the file in a diff is a change of advice, to be read by somebody.
Each series stands alone, for a person born on 15 January 2024; the doses before are given on their recommended days.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path

from esante.services.vaccination.forecast import Dose, Observation, Patient, RuleSet, SeriesStatus, advise, load_rules
from esante.services.vaccination.forecast.durations import add, as_date
from esante.services.vaccination.forecast.handbook import duration_text
from esante.services.vaccination.forecast.rules.model import IntervalFrom, Series, SeriesKind, TargetDose

FILE = Path(__file__).with_name("golden") / "lu-2026.md"
BIRTH = date(2024, 1, 15)
ONSET = date(2054, 1, 10)
"""The onset of a pregnancy, for series that are measured from one."""
PERSON = Patient(BIRTH, "female", (Observation("170", ONSET),))
FAR = date(2200, 1, 1)


def alone(rules: RuleSet, series: Series) -> RuleSet:
    """The rules with one series only, that everybody follows."""
    only = replace(series, kind=SeriesKind.STANDARD, default=True, indications=(), genders=frozenset())
    antigen = replace(rules.antigens[series.antigen], series=(only,), contraindications=(), birth_immunity=())
    return replace(rules, antigens={series.antigen: antigen})


def page(rules: RuleSet) -> str:
    lines = [f"# Golden cases of {rules.name}", "", (__doc__ or "").split("\n\n")[0], ""]
    done = set()
    for antigen in rules.antigens.values():
        for series in antigen.series:
            if series.rule not in done:
                done.add(series.rule)
                lines += [
                    f"## {series.name}",
                    "",
                    "| dose | boundary | the day before | on the day |",
                    "|---|---|---|---|",
                ]
                lines += list(rows(alone(rules, series), series))
                lines.append("")
    return "\n".join(lines)


def rows(rules: RuleSet, series: Series):
    given: list[Dose] = []
    for target in series.doses:
        vaccine = next((row for row in (*target.preferable, *target.allowable)), None)
        for what, day in sorted(boundaries(target, given), key=lambda pair: pair[1]):
            before, on = (outcome(rules, given, each, series) for each in (day - 1, day))
            yield f"| {target.number} | {what} ({as_date(day)}) | {before} | {on} |"
        following = next_dose(rules, given, series)
        if following is None or vaccine is None:
            return
        given.append(following)


def boundaries(target: TargetDose, given: list[Dose]):
    """The boundaries of a target dose, each with its day."""
    age = target.ages[0]
    ages = (("absolute minimum", age.absolute_minimum), ("minimum", age.minimum), ("maximum", age.maximum))
    for what, span in ages:
        if span is not None:
            of = f", minimum {duration_text(age.minimum)}" if what == "absolute minimum" else f" {duration_text(span)}"
            yield f"{what} age{of}", add(BIRTH.toordinal(), span)
    for row in target.intervals:
        reference = {
            IntervalFrom.PREVIOUS: given[-1].given_on if given else None,
            IntervalFrom.TARGET_DOSE: given[row.target - 1].given_on if 0 < row.target <= len(given) else None,
            IntervalFrom.OBSERVATION: ONSET,
        }[row.start]
        if reference is not None:
            minimum = duration_text(row.minimum)
            yield f"absolute minimum interval, minimum {minimum}", add(reference.toordinal(), row.absolute_minimum)
            yield f"minimum interval {minimum}", add(reference.toordinal(), row.minimum)


def candidates(series: Series):
    return dict.fromkeys(row.cvx for target in series.doses for row in (*target.preferable, *target.allowable))


def outcome(rules: RuleSet, given: list[Dose], day: int, series: Series) -> str:
    """What a dose of the vaccine that does best counts for on a day."""
    if day < BIRTH.toordinal():
        return "before birth"
    found = []
    for cvx in candidates(series):
        dose = Dose("asked", date.fromordinal(day), str(cvx))
        advice = advise(PERSON, [*given, dose], FAR, rules)
        found += [one for one in advice.by_antigen[0].evaluations if one.dose == "asked"]
    best = min(
        found, key=lambda one: (str(one.status) != "Valid", str(one.reason) == "Not a preferable or allowable vaccine")
    )
    return f"{best.status}{f': {best.reason}' if best.reason else ''}"


def next_dose(rules: RuleSet, given: list[Dose], series: Series) -> Dose | None:
    """The next dose on its recommended day."""
    on = given[-1].given_on if given else BIRTH
    for _ in range(3):
        advice = advise(PERSON, given, on, rules).by_antigen[0]
        if advice.status is not SeriesStatus.NOT_COMPLETE:
            return None
        on = max(advice.recommended, on)
    for cvx in candidates(series):
        dose = Dose(f"{len(given) + 1}", on, str(cvx))
        if any(
            str(one.status) == "Valid" and one.dose == dose.id
            for one in advise(PERSON, [*given, dose], FAR, rules).by_antigen[0].evaluations
        ):
            return dose
    return None


if __name__ == "__main__":
    FILE.write_text(page(load_rules("lu", on=date(2026, 11, 29))), encoding="utf-8")
    print(FILE)
