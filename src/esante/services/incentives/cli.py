"""The commands of incentives."""

from pathlib import Path

import click

from esante.command_line import ProgressBar, by_option, ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core.storage import uuid8
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.services.incentives.decisions.service import Decisions
from esante.services.incentives.evidence.reader import EvidenceReader
from esante.services.incentives.evidence.sources import sources
from esante.services.incentives.schemes.quarter import Quarter
from esante.services.incentives.schemes.scheme_file import SchemeFileError, parse_schemes

_QUARTER = click.argument("quarter", metavar="YYYY-Qn")


@click.group()
def incentives() -> None:
    """Incentives for digital practice: schemes, evidence, decisions; two persons decide a quarter."""


@incentives.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def check(file: Path) -> None:
    """Check a FILE of schemes: values, kinds of evidence, amounts, gaps and overlaps; each fault with its row."""
    try:
        found = parse_schemes(file.read_text(encoding="utf-8"), sources().kinds)
    except (SchemeFileError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from error
    for one in found:
        until = one.valid_until or "no end"
        marks = f"  SAMPLE: {', '.join(one.sample)}" if one.sample else "" if one.verified else "  not verified"
        click.echo(f"{one.key:<24} {one.valid_from} to {until}  {one.unit.value:<12} {one.amount:>10} EUR{marks}")


@incentives.command()
@_QUARTER
@by_option
@click.option("--confirm", is_flag=True, help="Confirm what another person decided: orders of payment are made.")
@platform_command
async def decide(platform: Platform, quarter: str, by: str, *, confirm: bool) -> None:
    """Decide a quarter from the evidence in the journal, again until another person confirms it."""
    decisions = platform[Decisions]
    operator = Requester(kind="operator", id=uuid8(by.encode()), name=by)
    await ensure_journal_month(platform)
    try:
        if confirm:
            await decisions.confirm(operator, quarter)
        else:
            await decisions.ask(operator, quarter)
            with ProgressBar("decisions") as progress:
                while await decisions.advance(progress):
                    pass
        run, (lines, paying, amount) = await decisions.find(operator, quarter)
    except Problem as problem:
        raise click.ClickException(" ".join(filter(None, (problem.title, problem.detail)))) from problem
    if run.error:
        raise click.ClickException(f"the decision failed ({run.error}); see the log of the server")
    click.echo(f"{quarter}  {run.state.value}  {lines:,} lines, {paying:,} with an amount, {amount:,} EUR")


@incentives.command()
@click.argument("provider_code")
@click.option("--quarter", metavar="YYYY-Qn", help="Only documents of a quarter.")
@platform_command
async def evidence(platform: Platform, provider_code: str, quarter: str | None) -> None:
    """List the evidence of a PROVIDER_CODE: kind, day, document, account, software, and when it was taken back."""
    try:
        days = Quarter.parse(quarter) if quarter else None
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    count = 0
    async for one, gone in platform[EvidenceReader].documents(provider_code, days):
        count += 1
        taken_back = f"  taken back {gone}" if gone else ""
        software = one.software or one.client_id
        click.echo(f"{one.kind:<16} {one.on_day}  {one.document_id}  {one.payee_code}  {software}{taken_back}")
    click.echo(f"{count:,} documents", err=True)
