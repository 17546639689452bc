"""The commands of the health detections: the watch list, invented persons, the benchmark."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from esante.command_line import ProgressBar, by_option, ensure_journal_month, operator_of_shell, platform_command
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.directory import Address, Directory, Identifier, Person, catalogue
from esante.services.soc.health.context.people import Mark
from esante.services.soc.health.lists.service import MarkLists
from esante.services.soc.health.results.service import DetectionResults

_REASON = click.option("--reason", required=True, help="Why, for those who audit the list.")


@click.group()
def watch() -> None:
    """Persons of whom every opening is looked at, the watch list; two operators decide."""


@click.group()
def invented() -> None:
    """Invented persons, whose opening is an alert; two operators decide."""


@watch.command("propose")
@click.argument("identifier")
@_REASON
@by_option
@platform_command
async def propose_watch(platform: Platform, identifier: str, reason: str, by: str) -> None:
    """Propose to watch the record of the person with an IDENTIFIER (matricule)."""
    person = await platform[Directory].find_person(None, identifier)
    if person is None:
        raise click.ClickException("nobody, or not only one person, has this identifier.")
    await _run(platform, platform[MarkLists].propose_watch(operator_of_shell(by), person.id, reason))
    click.echo(f"proposed {person.id}; another operator confirms it: esante soc watch confirm {person.id}")


@invented.command("propose")
@click.option("--family", required=True)
@click.option("--given", required=True)
@click.option("--born", required=True, type=click.DateTime(["%Y-%m-%d"]))
@click.option("--sex", required=True, type=click.Choice(["female", "male"]))
@click.option("--matricule", required=True, help="A number that nobody has, kept free for this by the registry.")
@click.option("--line", required=True, help="Street and number of an address at which the agency receives post.")
@click.option("--postal-code", required=True)
@click.option("--city", required=True)
@_REASON
@by_option
@platform_command
async def propose_invented(platform: Platform, /, reason: str, by: str, born: datetime, **traits: Any) -> None:
    """Propose an invented person; they are in the directory once another operator confirms."""
    person = Person(
        id=uuid7(),
        identifiers=(Identifier(catalogue().system("matricule").uri, traits["matricule"]),),
        family=traits["family"],
        given=tuple(traits["given"].split()),
        birth_date=born.date(),
        sex=traits["sex"],
        address=Address(traits["line"], traits["postal_code"], traits["city"]),
        languages=("fr",),
    )
    await _run(platform, platform[MarkLists].propose_invented(operator_of_shell(by), person, reason))
    click.echo(f"proposed {person.id}; another operator confirms it: esante soc invented confirm {person.id}")


def _add_common(group: click.Group, mark: Mark) -> None:
    """Add the commands that both lists have."""

    @group.command("confirm")
    @click.argument("person_id", type=click.UUID)
    @by_option
    @platform_command
    async def confirm(platform: Platform, person_id: UUID, by: str) -> None:
        """Confirm what another operator proposed."""
        await _run(platform, platform[MarkLists].confirm(operator_of_shell(by), person_id, mark))
        click.echo(f"in force: {person_id}")

    @group.command("end")
    @click.argument("person_id", type=click.UUID)
    @by_option
    @platform_command
    async def end(platform: Platform, person_id: UUID, by: str) -> None:
        """End a mark, or withdraw a proposal."""
        await _run(platform, platform[MarkLists].end(operator_of_shell(by), person_id, mark))
        click.echo(f"ended: {person_id}")

    @group.command("list")
    @by_option
    @platform_command
    async def show(platform: Platform, by: str) -> None:
        """Print the list for auditors: who, why, who proposed and who confirmed it."""
        for one in await platform[MarkLists].listed(operator_of_shell(by), mark):
            found = one.mark
            click.echo(
                f"{found.person_id}  {found.state:<9} {one.name or '(not registered yet)':<28}"
                f" proposed by {found.proposed_by} on {found.proposed_at:%Y-%m-%d},"
                f" confirmed by {found.confirmed_by or '-'}; {found.reason}"
            )


_add_common(watch, Mark.WATCHED)
_add_common(invented, Mark.INVENTED)


@click.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--weeks", type=click.IntRange(4, 26), default=8, show_default=True)
@click.option("--scale", type=click.FloatRange(0.1, 4), default=1.0, show_default=True, help="1: 5,000 persons.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for entries and labels.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def benchmark(seed: int, weeks: int, scale: float, out: Path | None, *, as_json: bool) -> None:
    """Measure the health detections on a labelled, invented country.

    With --out the set itself is written too: entries.jsonl and labels.jsonl (docs/health-detections.md).
    """
    import asyncio

    from esante.packages import declared_services
    from esante.services.soc.health.benchmark.report import figures_json, figures_table, write_set
    from esante.services.soc.health.benchmark.run import make_set, measure

    declared_services()
    with ProgressBar("benchmark") as progress:
        labelled = make_set(seed, weeks, scale, progress)
        result = asyncio.run(measure(labelled, progress))
    if out is not None:
        write_set(labelled, out)
    click.echo(figures_json(result) if as_json else figures_table(result))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, month by month.")
@by_option
@platform_command
async def detections(platform: Platform, by: str, *, as_json: bool) -> None:
    """Print what became of the alerts of each health detection in the last twelve months.

    Confirmed: the case was closed as an incident. Dismissed: alone, or by a case with another outcome.
    """
    found = await platform[DetectionResults].of_year(operator_of_shell(by))
    if as_json:
        plain = [
            {
                "detection": one.detection.value if one.detection else "all",
                "precision": one.precision,
                "months": [
                    {
                        "month": f"{month.month:%Y-%m}",
                        "raised": month.raised,
                        "confirmed": month.confirmed,
                        "dismissed": month.dismissed,
                    }
                    for month in one.months
                ],
            }
            for one in found
        ]
        click.echo(json.dumps(plain, indent=1))
        return
    click.echo(f"{'detection':<20} {'alerts':>8} {'confirmed':>10} {'dismissed':>10} {'precision':>10}")
    for one in found:
        share = "-" if one.precision is None else f"{one.precision:.0%}"
        name = one.detection.value if one.detection else "all"
        click.echo(f"{name:<20} {one.raised:>8,} {one.confirmed:>10,} {one.dismissed:>10,} {share:>10}")


async def _run(platform: Platform, act: Any) -> None:
    """Await an act of a list; a refusal is the error of the command."""
    await ensure_journal_month(platform)
    try:
        await act
    except Problem as problem:
        raise click.ClickException(" ".join(filter(None, (problem.title, problem.detail)))) from problem
