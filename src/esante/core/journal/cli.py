"""The commands of the journal."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from esante.command_line import ProgressBar, platform_command
from esante.contract import Platform
from esante.identity.directory import Directory


@click.group()
def journal() -> None:
    """The journal: its signed head, its verification, a person's proof, the end of retention."""


@journal.command()
@platform_command
async def head(platform: Platform) -> None:
    """Print the newest signed checkpoint: publish it, and nobody can shorten the journal unseen."""
    checkpoint = await platform.journal.head()
    if checkpoint is None:
        raise click.ClickException("nothing is sealed yet; the server seals about once a second")
    click.echo(checkpoint.note, nl=False)


@journal.command()
@platform_command
async def verify(platform: Platform) -> None:
    """Recompute the whole journal; exit status 1 and the first wrong entry when anything was altered."""
    with ProgressBar("verifying") as progress:
        report = await platform.journal.verify(platform.dsn, progress)
    for problem in report.problems:
        click.echo(f"WRONG: {problem}")
    click.echo(
        f"{report.entries:,} entries sealed, {report.expired:,} past their retention,"
        f" {report.waiting:,} waiting for the seal: {'all is as it was written' if report.ok else 'NOT INTACT'}"
    )
    if not report.ok:
        sys.exit(1)


@journal.command()
@click.option("--dry-run", is_flag=True, help="Only say which policies are due.")
@platform_command
async def expire(platform: Platform, *, dry_run: bool) -> None:
    """End the retention of entries that are past it: their contents go, their places in the tree stay."""
    for type_, before in platform.journal.retention(datetime.now(UTC)):
        count = 0 if dry_run else await platform.journal.expire(type_, before)
        click.echo(f"{type_:<32} before {before:%Y-%m-%d}  {'due' if dry_run else f'{count:,} removed'}")


@journal.command()
@click.argument("identifier")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the proof here.")
@platform_command
async def prove(platform: Platform, identifier: str, out: Path | None) -> None:
    """Print the proof file of the person with IDENTIFIER (a matricule): their entries, and that they are all."""
    person = await platform[Directory].find_person(None, identifier)
    if person is None:
        raise click.ClickException("no person has this identifier")
    text = json.dumps(await platform.journal.prove(person.id), ensure_ascii=False, indent=1)
    if out:
        await asyncio.to_thread(out.write_text, text, encoding="utf-8")
    else:
        click.echo(text)
