"""The commands of the record: what is due at the end of its periods."""

from collections.abc import Collection

import click

from esante.command_line import ProgressBar, ensure_journal_month, platform_command
from esante.contract import Platform
from esante.identity.access import Access, Act
from esante.services.record.documents.service import Record

_dry_run = click.option("--dry-run", is_flag=True, help="Only print what is planned and due.")


@click.group()
def record() -> None:
    """Records: their closing and deletion, the retention of what they hold."""


@record.command()
@_dry_run
@platform_command
async def lifecycle(platform: Platform, *, dry_run: bool) -> None:
    """Open records whose period of objection has ended; close and delete those that are due.

    The server does the same every hour. Deletions that need two people's approval wait for it.
    """
    if not dry_run:
        await ensure_journal_month(platform)
        click.echo(f"{await platform[Access].lifecycle.open_due():,} records opened")
    await _work(platform, (Act.CLOSE, Act.DELETE), dry_run=dry_run)


@record.command()
@_dry_run
@platform_command
async def retention(platform: Platform, *, dry_run: bool) -> None:
    """Tell persons what ends soon; delete documents and clinical data whose retention is over.

    The server does the same every hour. Deletions that need two people's approval wait for it.
    """
    if not dry_run:
        await ensure_journal_month(platform)
    await _work(platform, (Act.EXPIRE, Act.LOG), dry_run=dry_run)
    if not dry_run:
        click.echo(f"{await platform[Record].retention.removal.run():,} contents removed that no document has")


async def _work(platform: Platform, acts: Collection[Act], *, dry_run: bool) -> None:
    """Plan and do what is due of some acts, and print what there is then."""
    if not dry_run:
        executor = platform.disposition_executor(acts)
        click.echo(f"{await executor.plan():,} planned")
        with ProgressBar("dispositions") as progress:
            click.echo(f"{await executor.work(progress):,} ended")
    dispositions = platform[Access].dispositions
    found = {Act(row["act"]): row for row in await dispositions.count_open()}
    for act in acts:
        row = found.get(act, {"open": 0, "held": 0, "due": 0, "items": 0})
        click.echo(
            f"{act:<8}{row['open']:>9,} planned{row['held']:>9,} held{row['due']:>9,} due, of {row['items']:,} items"
        )
    backlog = await dispositions.unapproved()
    if backlog is not None:
        click.echo(f"{backlog.dispositions:,} deletions wait for the approval of two people")
