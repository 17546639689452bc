"""The commands of the vaccination card."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esante.command_line import ProgressBar
from esante.services.vaccination.health_cards.cli import keys, verify

if TYPE_CHECKING:
    from esante.services.vaccination.forecast import RuleSet
    from esante.services.vaccination.forecast.cases import CaseResult

_DAY = click.DateTime(["%Y-%m-%d"])
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_rules = click.option(
    "--rules", "name", default="lu", show_default=True, help="The rules: lu (the calendar), or cdsi (with a folder)."
)
_folder = click.option(
    "--supporting-data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="A release of the CDC's supporting data for CDSi: a folder of XML files.",
)


@click.group()
def vaccination() -> None:
    """The vaccination card: rules, evaluation of doses, forecast of the next ones."""


@vaccination.command()
@click.argument("file", type=_FILE)
@_rules
@_folder
@click.option("--json", "as_json", is_flag=True, help="Print {total, agree, groups: [{group, total, agree, ...}]}.")
@click.option("--failures", is_flag=True, help="List the cases that differ, with what differs.")
def cases(file: Path, name: str, folder: Path | None, *, as_json: bool, failures: bool) -> None:
    """Run the cases in FILE (CSV in the layout of the CDC's CDSi test cases) and print how many agree, by group.

    A case agrees when everything in it does: status of the series, the three dates, number of the next dose,
    evaluation of each dose.
    """
    from esante.services.vaccination.forecast.cases import CaseError, read_cases, run_case

    rules = _load(name, folder, date.today())  # noqa: DTZ011 - cases name their own day
    try:
        found = list(read_cases(file, rules))
        results = []
        with ProgressBar("cases") as progress:
            for number, case in enumerate(found, 1):
                results.append(run_case(case, rules))
                if not as_json:
                    progress(number, len(found))
    except CaseError as error:
        raise click.ClickException(str(error)) from error
    _print_json(results, failures=failures) if as_json else _print_table(results, failures=failures)


def _print_json(results: Sequence["CaseResult"], *, failures: bool) -> None:
    from esante.services.vaccination.forecast.cases import tally

    whole, groups = tally(results)
    answer: dict[str, Any] = {
        **whole.as_json(),
        "groups": [{"group": label, **counts.as_json()} for label, counts in groups.items()],
    }
    if failures:
        answer["failures"] = [
            {
                "id": result.case.id,
                "group": result.case.label,
                "name": result.case.name,
                "differences": {
                    check: {"expected": expected, "advised": advised}
                    for check, (expected, advised) in result.differences.items()
                },
            }
            for result in results
            if not result.agrees
        ]
    click.echo(json.dumps(answer, ensure_ascii=False, indent=1))


def _print_table(results: Sequence["CaseResult"], *, failures: bool) -> None:
    from esante.services.vaccination.forecast.cases import CHECKS, tally

    whole, groups = tally(results)
    click.echo(f"{'group':<12}{'total':>7}{'agree':>7}" + "".join(f"{check:>13}" for check in CHECKS))
    for label, counts in (*groups.items(), ("all", whole)):
        checks = "".join(f"{counts.checks[check]:>13}" for check in CHECKS)
        click.echo(f"{label:<12}{counts.total:>7}{counts.agree:>7}{checks}")
    if failures:
        for result in results:
            if not result.agrees:
                click.echo(f"\n{result.case.id} {result.case.label}: {result.case.name}")
                for check, (expected, advised) in result.differences.items():
                    click.echo(f"  {check:<12} expected {expected}, advised {advised}")


@vaccination.command()
@click.argument("file", type=_FILE)
@_rules
@_folder
@click.option("--on", type=_DAY, help="The day of the advice.  [default: that of the file, or today]")
def forecast(file: Path, name: str, folder: Path | None, on: datetime | None) -> None:
    """Evaluate and forecast for the Patient, Immunization and Condition resources of a FHIR R4 Bundle or Parameters.

    Prints a Bundle of ImmunizationEvaluation and ImmunizationRecommendation.
    """
    from esante.core import clock
    from esante.core.time_zone import time_zone
    from esante.services.vaccination.forecast import advise
    from esante.services.vaccination.forecast.fhir_resources import RequestError, advice_bundle, parse_request

    today = clock.now().astimezone(time_zone()).date()
    try:
        resource = json.loads(file.read_bytes())
        if not isinstance(resource, dict):
            raise RequestError("the file is no FHIR resource")
        rules = _load(name, folder, on.date() if on else today)
        request = parse_request(resource, rules)
        day = on.date() if on else request.on or today
        if on is None and request.on is not None:
            rules = _load(name, folder, request.on)
        advice = advise(request.patient, request.doses, day, rules)
    except ValueError as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    for line in request.ignored:
        click.echo(f"left out: {line}", err=True)
    click.echo(json.dumps(advice_bundle(advice, rules, request.reference), ensure_ascii=False, indent=1))


@vaccination.command()
@click.option("--on", type=_DAY, help="The day on which the calendar is in force.  [default: today]")
def calendar(on: datetime | None) -> None:
    """Print the vaccination calendar in force with the source of each rule, as docs/vaccination-calendar.md."""
    from esante.core import clock
    from esante.services.vaccination.forecast.handbook import calendar_page

    day = on.date() if on else clock.now().date()
    click.echo(calendar_page(_load("lu", None, day)), nl=False)


def _load(name: str, folder: Path | None, on: date) -> "RuleSet":
    from esante.services.vaccination.forecast import RulesError, load_rules

    try:
        return load_rules(name, folder, on=on)
    except RulesError as error:
        raise click.ClickException(str(error)) from error


vaccination.add_command(keys)
vaccination.add_command(verify)
