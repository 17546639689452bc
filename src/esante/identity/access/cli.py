"""The commands of access control: the registry of software, and the access decision."""

import json
import os
import sys
from datetime import datetime
from typing import Any

import click

from esante.command_line import ProgressBar, ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core.time_zone import time_zone
from esante.identity.access.regulation.handbook import access_page
from esante.identity.access.regulation.policy_set import policy_set
from esante.identity.access.service import Access


@click.group()
def client() -> None:
    """Software that may use the API: the systems of organisations, and apps that people use."""


@client.command()
@click.argument("file", type=click.File("rb"))
@platform_command
async def register(platform: Platform, file: Any) -> None:
    """Register the software that the JSON FILE describes (docs/api.md), or change its registration."""
    clients = platform[Access].clients
    try:
        given = json.load(file)
        if not isinstance(given, dict):
            raise ValueError("the file must hold one JSON object")  # noqa: TRY004 - one kind of error
        found = await clients.parse_registration(given)
        await ensure_journal_month(platform)
        await clients.register(found)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"registered {found.client_id}: {'public' if found.public else 'signs in with its key'}")


@client.command("list")
@platform_command
async def list_clients(platform: Platform) -> None:
    """Print every registered software: id, name, whether it is disabled, its scopes."""
    for one in await platform[Access].clients.all():
        state = "disabled  " if one.disabled else ""
        click.echo(f"{one.client_id:<24} {one.name:<32} {state}{' '.join(sorted(one.scopes))}")


@client.command()
@click.argument("client_id")
@platform_command
async def disable(platform: Platform, client_id: str) -> None:
    """End the use of software at once: no token of it serves any more."""
    await ensure_journal_month(platform)
    await platform[Access].clients.disable(client_id)
    click.echo(f"disabled {client_id}")


@click.group()
def access() -> None:
    """The access decision: its rules, and past verdicts decided again."""


@access.command()
def matrix() -> None:
    """Print the access matrix, the contexts of care and the sorting of documents that are packaged, as Markdown."""
    from esante.packages import declared_services

    services = declared_services(os.environ.get("ESANTE_SERVICES", ""))
    labels = {key: label for service in services for key, label in service.categories.items()}
    click.echo(access_page(policy_set(), labels), nl=False)


@access.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The first day.  [default: the first entry]")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The day after the last.  [default: the last entry]")
@click.option("--show", type=int, default=20, show_default=True, help="How many differences are printed in full.")
@platform_command
async def replay(platform: Platform, since: datetime | None, until: datetime | None, *, show: int) -> None:
    """Decide the verdicts of the journal again by the rules of their day; exit status 1 when an outcome differs."""
    found = platform[Access]
    with ProgressBar("replaying") as progress:
        report = await found.replay(_local(since), _local(until), show=show, progress=progress)
    for one in report.first:
        past = one.past
        click.echo(
            f"{past.at:%Y-%m-%d %H:%M} entry {past.seq}: {past.actor.role or past.actor.kind}, {past.action},"
            f" {one.document_class or 'the record'}: {past.event.rule} -> {one.now.rule}"
        )
    for (then, now, role, class_), count in report.differences.most_common():
        click.echo(f"{count:>9,} x {role}, {class_ or 'the record'}: {then} -> {now}")
    others = sum(report.differences.values()) - report.outcomes
    click.echo(
        f"{report.replayed:,} verdicts decided again, {report.left_out:,} left out (not given by the access decision):"
        f" {report.outcomes:,} with another outcome, {others:,} by another rule"
    )
    if report.outcomes:
        sys.exit(1)


def _local(day: datetime | None) -> datetime | None:
    """Return the beginning of a day in the country's time zone."""
    return day.replace(tzinfo=time_zone()) if day else None
