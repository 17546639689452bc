"""The commands of the requirements: record a run of the tests as evidence, print the report."""

import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esante.command_line import by_option, ensure_journal_month, operator_of_shell, platform_command

if TYPE_CHECKING:
    from esante.contract import Platform
    from esante.services.ehds.requirements.model import Report, TestRun

_run_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_run_file)
@click.option("--revision", required=True, help="The revision of the program that was tested.")
@by_option
@platform_command
async def record(platform: "Platform", file: Path, revision: str, by: str) -> None:
    """Record the run of the tests in FILE (JUnit XML of `make test`) as evidence, which the public page shows."""
    from esante.services.ehds.requirements.service import Requirements

    run = _read(file, revision)
    await ensure_journal_month(platform)
    click.echo(_counts(await platform[Requirements].record(operator_of_shell(by), run)))


@click.command()
@click.option("--run", "file", type=_run_file, help="Report on this run (JUnit XML), not on the one recorded last.")
@click.option("--revision", default="unknown", help="The revision that the run of --run tested.")
@click.option("--json", "as_json", is_flag=True, help="Print everything, with the texts in all languages.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the platform.")
@click.pass_context
def report(context: click.Context, file: Path | None, revision: str, data: Path | None, *, as_json: bool) -> None:
    """Print the requirements, each with the tests that show it and what they said.

    Exit status 1 when a test of a requirement failed.
    """
    from esante.services.ehds.requirements.model import Standing
    from esante.services.ehds.requirements.requirement_file import requirements
    from esante.services.ehds.requirements.rules import report_as_json, report_on

    found = report_on(requirements(), _read(file, revision)) if file else context.invoke(_recorded, data=data)
    if as_json:
        click.echo(json.dumps(report_as_json(found), ensure_ascii=False, indent=1))
    else:
        _print(found)
    sys.exit(1 if found.count(Standing.FAILED) else 0)


@platform_command
async def _recorded(platform: "Platform") -> "Report":
    from esante.services.ehds.requirements.service import Requirements

    return await platform[Requirements].report()


def _read(file: Path, revision: str) -> "TestRun":
    """Return the run in a file. Raises: ClickException."""
    from esante.services.ehds.requirements.junit import NoTestRun, read_run

    try:
        return read_run(file.read_bytes(), revision)
    except (OSError, NoTestRun) as error:
        raise click.ClickException(f"{file}: {error}") from error


def _print(report: "Report") -> None:
    for line in report.lines:
        one = line.requirement
        click.echo(f"{one.id:<8} {line.standing.value:<10} {one.text['en']}")
        for test, outcome in line.outcomes.items():
            click.echo(f"{'':19} {outcome.value if outcome else 'not in the run'}: {test}")
        if one.missing:
            click.echo(textwrap.indent(one.missing["en"], " " * 20))
        source = line.article.legal_source
        click.echo(f"{'':19} {source}{'' if line.article.verified else '; its text was not verified'}")
    click.echo(_counts(report))
    click.echo("Tests show what the program does. They are no certificate and no declaration of conformity.")


def _counts(report: "Report") -> str:
    """Return the counts of a report in one line."""
    from esante.services.ehds.requirements.model import Standing

    counts = ", ".join(f"{report.count(one)} {one.value.replace('-', ' ')}" for one in Standing)
    run = report.run
    about = f"run of {run.ran_at:%Y-%m-%d %H:%M} UTC, revision {run.revision}" if run else "no run is recorded"
    return f"{len(report.lines)} requirements: {counts} ({about})"
