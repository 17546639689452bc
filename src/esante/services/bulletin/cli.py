"""The commands of the bulletin."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from esante.command_line import ProgressBar, by_option, platform_command
from esante.contract import Platform
from esante.core.open_data import PortalError
from esante.services.bulletin.dissemination.publisher import PortalPublisher
from esante.services.bulletin.publication.issue_files import publish
from esante.services.bulletin.service import Bulletin


def _month(text: str) -> str:
    """Return a month written YYYY-MM. Raises: BadParameter for any other text."""
    try:
        return f"{datetime.strptime(text, '%Y-%m').replace(tzinfo=UTC):%Y-%m}"
    except ValueError as error:
        raise click.BadParameter("a month is written 2026-10") from error


month_argument = click.argument("month", metavar="YYYY-MM", callback=lambda *given: _month(given[2]))


@click.group()
def bulletin() -> None:
    """Build the monthly figures from the journal and release them; two persons are needed."""


@bulletin.command()
@by_option
@month_argument
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write all files of the draft here.")
@platform_command
async def build(platform: Platform, by: str, month: str, out: Path | None) -> None:
    """Count a month and the earlier months that changed since; may be interrupted and repeated."""
    await _build(platform, month, by, "", out)


@bulletin.command()
@by_option
@month_argument
@click.option("--reason", required=True, help="The reason, as it will be published.")
@platform_command
async def revise(platform: Platform, by: str, month: str, reason: str) -> None:
    """Count public months again by the current specification; differences become a revision, to be released."""
    await _build(platform, month, by, reason, None)


@bulletin.command()
@by_option
@month_argument
@platform_command
async def preview(platform: Platform, by: str, month: str) -> None:
    """Print the issue of a month as it would be released, and the anomalies in its data."""
    issue = await platform[Bulletin].preview(month, by)
    anomalies = await platform[Bulletin].fetch_anomalies(month)
    for cell in issue.vintage.cells:
        category = f"{cell.breakdown}={cell.value_of}" if cell.breakdown else ""
        click.echo(f"{cell.indicator:<28} {category:<40} {'…' if cell.value is None else cell.value:>12}  {cell.flag}")
    for anomaly in anomalies:
        state = anomaly.acknowledged_by or ("TO BE ACKNOWLEDGED" if anomaly.serious else "")
        title = f"{anomaly.period} {anomaly.code} {anomaly.subject!r}"
        click.echo(f"{title:<72} {anomaly.found:g} for {anomaly.expected}  {state}")


@bulletin.command()
@by_option
@month_argument
@click.argument("code")
@click.argument("subject")
@click.option("--note", required=True, help="What was found out.")
@platform_command
async def acknowledge(platform: Platform, by: str, month: str, code: str, subject: str, note: str) -> None:
    """Acknowledge an anomaly in the data of a month."""
    await platform[Bulletin].acknowledge(month, code, subject, by, note)


@bulletin.command()
@by_option
@month_argument
@click.option("--embargo", type=click.DateTime(["%Y-%m-%dT%H:%M%z"]), help="Not before, as 2026-11-10T08:30+0100.")
@platform_command
async def release(platform: Platform, by: str, month: str, embargo: datetime | None) -> None:
    """Release the issue of a month, after a preview, by another person than the one who built it."""
    for one in await platform[Bulletin].release(month, by, embargo_until=embargo):
        until = f" until {one.embargo_until.isoformat()}" if one.state == "approved" and one.embargo_until else ""
        click.echo(f"{one.period}  vintage {one.number}  {one.state.value}{until}")


@bulletin.command("push")
@platform_command
async def push_command(platform: Platform) -> None:
    """Publish released issues on the national portal (ESANTE_PORTAL_URL); a running server does so by itself."""
    publisher = platform.get(PortalPublisher)
    if publisher is None:
        raise click.ClickException("no portal is configured: set ESANTE_PORTAL_URL (not possible in the demo)")
    try:
        done = await publisher.push()
    except PortalError as error:
        raise click.ClickException(f"{error}; nothing is lost, run it again") from error
    click.echo("\n".join(done) if done else "the portal is up to date")


async def _build(platform: Platform, month: str, by: str, reason: str, out: Path | None) -> None:
    with ProgressBar("counting") as progress:
        built = await platform[Bulletin].build(month, by, reason=reason, progress=progress)
    if out:
        issue = await platform[Bulletin].issue(month, including="draft")
        settings = platform.settings
        files = await asyncio.to_thread(publish, issue, out, settings.base_url, synthetic=settings.demo)
        click.echo(f"{len(files)} files of the draft in {out}; not public before the release")
    for vintage in built.new:
        click.echo(f"{vintage.period}  vintage {vintage.number}  {vintage.status.value}  {len(vintage.cells)} cells")
    click.echo(f"{len(built.new)} new vintages; intruder audit: {len(built.disclosed)} disclosed cells")
