"""The commands of notices."""

from typing import BinaryIO

import click

from esante.command_line import ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core.storage import NIL
from esante.identity.access import Requester
from esante.services.notices.letters import Letters


@click.group()
def notices() -> None:
    """Notices to persons."""


@notices.command()
@click.option("--out", type=click.File("wb", lazy=True), help="Write the list here (CSV).")
@click.option("--by", default="operator", show_default=True, help="Who takes the list.")
@click.option("--dry-run", is_flag=True, help="Only say how many letters wait.")
@platform_command
async def letters(platform: Platform, *, out: BinaryIO | None, by: str, dry_run: bool) -> None:
    """Take the letters that wait for persons who never signed in, as a list to print and send."""
    waiting = await platform[Letters].count_waiting()
    if dry_run or not waiting:
        click.echo(f"{waiting:,} letters wait")
        return
    if out is None:
        raise click.UsageError("say where to write the list: --out FILE")
    await ensure_journal_month(platform)
    requester = Requester(kind="operator", id=NIL, name=by)
    batch_id = await platform[Letters].take(requester)
    if batch_id is not None:
        out.write(await platform[Letters].file(requester, batch_id))
        click.echo(f"batch {batch_id} of {waiting:,} letters is written")
