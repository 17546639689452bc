"""The commands about exchanged messages, for operators."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esante.command_line import platform_command

if TYPE_CHECKING:
    from datetime import datetime

    from esante.contract import Platform

_month = click.argument("month", metavar="YYYY-MM")
_output = click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it there.")


@click.command()
@_month
@_output
@platform_command
async def figures(platform: "Platform", month: str, output: Path | None) -> None:
    """Print the figures of a month as CSV: transactions, outcomes and times by pair of countries."""
    from esante.services.exchange.audit.figures import write_csv
    from esante.services.exchange.audit.service import AuditTrail
    from esante.services.exchange.settings import ExchangeSettings

    begin, end = _bounds(month)
    rows = await platform[AuditTrail].figures(begin, end)
    _print(write_csv(rows, platform.settings.of(ExchangeSettings).ncp_country), output)


@click.command()
@click.argument("country")
@_month
@_output
@platform_command
async def statement(platform: "Platform", country: str, month: str, output: Path | None) -> None:
    """State the messages of a month with COUNTRY, under the seal of this contact point."""
    from esante.services.exchange.audit.service import AuditTrail
    from esante.services.exchange.audit.statement import FORMAT, Statement, line_of, write_statement
    from esante.services.exchange.contact_points import ContactPoints

    begin, end = _bounds(month)
    trail, own = platform[AuditTrail], platform[ContactPoints].own
    lines = [line_of(one) async for one in trail.messages(country, begin, end)]
    head = await trail.head()
    stated = Statement(
        format=FORMAT, from_=own.country, to=country, month=month, journal=head.note if head else "", messages=lines
    )
    _print(write_statement(stated, own.issuer), output)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@platform_command
async def reconcile(platform: "Platform", file: Path) -> None:
    """Compare the statement of another country in FILE with the messages here; exit status 1 where they differ."""
    from esante.services.exchange.audit.service import AuditTrail
    from esante.services.exchange.audit.statement import line_of, read_statement
    from esante.services.exchange.audit.statement import reconcile as compare
    from esante.services.exchange.contact_points import ContactPoints
    from esante.services.exchange.model import NotUsable

    points = platform[ContactPoints]
    try:
        stated = read_statement(_read(file), await points.all(), points.country)
    except NotUsable as error:
        raise click.ClickException(str(error)) from error
    begin, end = _bounds(stated.month)
    here = [line_of(one) async for one in platform[AuditTrail].messages(stated.from_, begin, end)]
    count = 0
    for count, found in enumerate(compare(here, stated.messages), 1):  # noqa: B007
        line = found.here or found.there
        assert line is not None
        click.echo(f"{found.difference}: {line.transaction} {line.message_id} of {line.at:%Y-%m-%d %H:%M:%S}")
    click.echo(f"{len(here):,} messages here, {len(stated.messages):,} there, {count:,} differences.")
    if count:
        raise SystemExit(1)


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file}: this is no statement ({type(error).__name__})") from error


def _bounds(month: str) -> tuple["datetime", "datetime"]:
    from esante.services.exchange.audit.figures import month_bounds

    try:
        return month_bounds(month)
    except ValueError as error:
        raise click.BadParameter("write the month as 2026-11", param_hint="YYYY-MM") from error


def _print(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from error
