"""The commands of fee notes and their payment."""

import click

from esante.services.billing.exchange.cli import certificate, exchange


@click.group()
def billing() -> None:
    """Fee notes, accelerated reimbursement, immediate direct payment."""


billing.add_command(certificate)
billing.add_command(exchange)
