"""The commands of exports."""

from uuid import UUID

import click

from esante.command_line import ensure_journal_month, platform_command
from esante.contract import Platform
from esante.services.export.service import Exports


@click.group()
def export() -> None:
    """Exports: copies of many records at once (FHIR Bulk Data)."""


@export.command("list")
@platform_command
async def list_exports(platform: Platform) -> None:
    """Print every export: id, when it was asked for, its state, persons done of all, who asked."""
    for job in await platform[Exports].all_jobs():
        who = " ".join(filter(None, (job.request.principal["name"], job.request.principal.get("client"))))
        persons = f"{job.done}/{'?' if job.total is None else job.total}"
        at = job.asked_at.isoformat(timespec="seconds")
        click.echo(f"{job.id}  {at}  {job.state:<9}  {persons:>13}  {who}  {job.last_error}".rstrip())


@export.command("cancel")
@click.argument("job_id", type=click.UUID)
@platform_command
async def cancel_export(platform: Platform, job_id: UUID) -> None:
    """End an export and remove its files."""
    await ensure_journal_month(platform)
    if not await platform[Exports].end(job_id):
        raise click.ClickException("there is no such export")
    click.echo(f"cancelled {job_id}")
