"""The commands about the staff of the agency."""

import getpass

import click

from esante.command_line import ensure_journal_month, operator_of_shell, platform_command
from esante.contract import Platform
from esante.core.storage import parse_uuid
from esante.core.web import Problem
from esante.identity.signin.accounts.service import Accounts


@click.group()
def operator() -> None:
    """Staff of the agency who may operate the services."""


@operator.command()
@click.argument("name")
@platform_command
async def invite(platform: Platform, name: str) -> None:
    """Invite NAME as an operator, and print the code with which they sign in for the first time."""
    await ensure_journal_month(platform)
    try:
        invited, code = await platform[Accounts].invite(operator_of_shell(getpass.getuser()), name)
    except Problem as problem:
        raise click.ClickException(problem.title) from problem
    click.echo(f"invited {invited.operator_id}  {invited.name}")
    click.echo(f"code: {code}")
    click.echo(f"to be entered, without a number, at {platform[Accounts].activation_address}")


@operator.command("list")
@platform_command
async def list_operators(platform: Platform) -> None:
    """Print the staff: key, name, since when, and until when they might sign in."""
    for one in await platform[Accounts].operators(operator_of_shell(getpass.getuser())):
        ended = f"  ended {one.ended_at:%Y-%m-%d}" if one.ended_at else ""
        click.echo(f"{one.operator_id}  {one.name:<32} {one.invited_at:%Y-%m-%d}{ended}")


@operator.command()
@click.argument("key")
@platform_command
async def end(platform: Platform, key: str) -> None:
    """Let the operator with a KEY no longer sign in, and sign them out at once."""
    try:
        operator_id = parse_uuid(key)
    except ValueError as error:
        raise click.ClickException(f"{key} is not a key; see: esante operator list") from error
    await ensure_journal_month(platform)
    try:
        ended = await platform[Accounts].end(operator_of_shell(getpass.getuser()), operator_id)
    except Problem as problem:
        raise click.ClickException(f"no operator who may sign in has the key {key}") from problem
    click.echo(f"ended {ended.operator_id}  {ended.name}")
