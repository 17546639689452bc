"""The commands of the SOC."""

import click


@click.group()
def soc() -> None:
    """The security operations centre."""
