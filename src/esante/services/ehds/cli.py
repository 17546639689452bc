"""The commands of the European Health Data Space."""

import click

from esante.services.ehds.formats.cli import check
from esante.services.ehds.requirements.cli import record, report


@click.group()
def ehds() -> None:
    """The record in the European Health Data Space (Regulation (EU) 2025/327)."""


ehds.add_command(report)
ehds.add_command(record)
ehds.add_command(check)
