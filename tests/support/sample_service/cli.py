"""The commands of appointments."""

import click

from esante.command_line import platform_command
from esante.contract import Platform
from tests.support.sample_service.service import Appointments


@click.group()
def appointments() -> None:
    """Appointments of persons."""


@appointments.command()
@platform_command
async def count(platform: Platform) -> None:
    """Print the number of appointments."""
    click.echo(f"{await platform[Appointments].count()} appointments")
