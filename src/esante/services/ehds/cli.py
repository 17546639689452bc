"""The commands of the European Health Data Space."""

import click


@click.group()
def ehds() -> None:
    """The record in the European Health Data Space (Regulation (EU) 2025/327)."""
