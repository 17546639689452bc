"""The commands of fee notes and their payment."""

import click

from esante.command_line import platform_command
from esante.contract import Platform
from esante.services.billing.adjudication.cli import simulate
from esante.services.billing.client.cli import queue, send
from esante.services.billing.exchange.cli import certificate, exchange
from esante.services.billing.nomenclature.cli import nomenclature
from esante.services.billing.payment.service import Payments


@click.group()
def billing() -> None:
    """Fee notes, accelerated reimbursement, immediate direct payment."""


@billing.command()
@platform_command
async def check(platform: Platform) -> None:
    """Check the ledger against the payments: exit status 1 when a cent is missing, or was paid twice."""
    report = await platform[Payments].check()
    click.echo(f"{report.payments} payments")
    for name in ("validated", "cancelled", "payable", "in_flight", "recoverable", "paid"):
        click.echo(f"{name.replace('_', ' '):12} {getattr(report, name):>16,.2f} EUR")
    for fault in report.faults:
        click.echo(f"WRONG: {fault}", err=True)
    if not report.ok:
        raise SystemExit(1)
    click.echo("the ledger is balanced, and agrees with every payment")


billing.add_command(certificate)
billing.add_command(exchange)
billing.add_command(simulate)
billing.add_command(nomenclature)
billing.add_command(send)
billing.add_command(queue)
