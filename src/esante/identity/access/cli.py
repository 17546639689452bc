"""The commands of access control: the registry of software."""

import json
from typing import Any

import click

from esante.command_line import ensure_journal_month, platform_command
from esante.contract import Platform
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
