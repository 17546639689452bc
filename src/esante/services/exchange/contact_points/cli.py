"""The commands of the national contact point, for operators."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esante.command_line import by_option, data_option, ensure_journal_month, operator_of_shell, platform_command
from esante.settings import Settings

if TYPE_CHECKING:
    from esante.contract import Platform

_folder = click.Path(exists=True, path_type=Path, file_okay=False)
_country = click.argument("country")
_reason = click.option("--reason", required=True, help="Why, for the journal.")


@click.group()
def ncp() -> None:
    """The national contact point for the exchange with other countries."""


@ncp.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The name or address of the contact point.")
@data_option
def keys(data: Path | None, host: str) -> None:
    """Make throw-away keys for a trial: a seal and a certificate for connections, valid for 90 days."""
    from esante.core import clock
    from esante.services.exchange.contact_points.trial_keys import write_trial_keys
    from esante.services.exchange.settings import ExchangeSettings

    settings = Settings.from_environ(data=data)
    folder = settings.data / "exchange"
    try:
        write_trial_keys(folder, settings.of(ExchangeSettings).ncp_country, host, clock.now())
    except FileExistsError as error:
        raise click.ClickException(f"{error}; move the old keys away first") from error
    click.echo(f"Keys for a trial are in {folder}. They have no legal effect.")


@ncp.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@data_option
def export_own(data: Path | None, folder: Path) -> None:
    """Write what other countries need to register this contact point into FOLDER."""
    from esante.core import clock
    from esante.core.time_zone import today
    from esante.services.exchange.contact_points.own import NotConfigured, load_own
    from esante.services.exchange.contact_points.publication import write_publication
    from esante.services.exchange.contact_points.registration import fingerprint
    from esante.services.exchange.contact_points.terms import terms_on
    from esante.services.exchange.settings import ExchangeSettings

    settings = Settings.from_environ(data=data)
    ours = settings.of(ExchangeSettings)
    try:
        own = load_own(settings.data / "exchange", ours.ncp_country, ours.ncp_home)
    except NotConfigured as error:
        raise click.ClickException(str(error)) from error
    _write(folder, write_publication(own, terms_on(today()), ours.ncp_url, clock.now()))
    click.echo(f"SHA-256 of the seal: {fingerprint(own.issuer.certificate)}")


@ncp.command("import")
@click.argument("folder", type=_folder)
@click.option(
    "--fingerprint", "confirmed", multiple=True, help="SHA-256 of a seal, compared with its country.  [repeatable]"
)
@by_option
@platform_command
async def import_country(platform: "Platform", folder: Path, confirmed: tuple[str, ...], by: str) -> None:
    """Register or renew the contact point of another country from FOLDER; all faults are listed."""
    from esante.services.exchange.contact_points.registration import read_files
    from esante.services.exchange.contact_points.service import ContactPoints
    from esante.services.exchange.model import NotUsable

    await ensure_journal_month(platform)
    prints = frozenset(one.replace(":", "").lower() for one in confirmed)
    try:
        found = await platform[ContactPoints].register(operator_of_shell(by), read_files(folder), prints)
    except NotUsable as error:
        raise click.ClickException("\n".join(map(str, error.faults))) from error
    click.echo(f"{found.country} is registered until {found.valid_until:%Y-%m-%d}.")


@ncp.command()
@click.option("--offline", is_flag=True, help="Connect to nobody.")
@platform_command
async def doctor(platform: "Platform", *, offline: bool) -> None:
    """Check keys, clock, registrations, catalogue and connector; exit status 1 when something is wrong."""
    from esante.services.exchange.contact_points.doctor import Level, examine
    from esante.services.exchange.contact_points.service import ContactPoints
    from esante.services.exchange.settings import ExchangeSettings

    is_wrong = False
    settings = platform.settings.of(ExchangeSettings)
    async for check in examine(platform[ContactPoints], settings, is_online=not offline):
        click.echo(str(check))
        is_wrong |= check.level is Level.FAULT
    if is_wrong:
        raise SystemExit(1)


@ncp.command("list")
@platform_command
async def list_countries(platform: "Platform") -> None:
    """List the registered contact points."""
    from esante.services.exchange.contact_points.service import ContactPoints

    for one in await platform[ContactPoints].all():
        state = "suspended" if one.is_suspended else f"until {one.valid_until:%Y-%m-%d}"
        click.echo(f"{one.country}  {state}  {one.home}  {' '.join(sorted(one.endpoints))}")


@ncp.command()
@_country
@_reason
@by_option
@platform_command
async def suspend(platform: "Platform", country: str, reason: str, by: str) -> None:
    """Stop all exchange with COUNTRY at once."""
    from esante.services.exchange.contact_points.service import ContactPoints

    await ensure_journal_month(platform)
    await platform[ContactPoints].suspend(operator_of_shell(by), country, reason)


@ncp.command()
@_country
@_reason
@by_option
@platform_command
async def resume(platform: "Platform", country: str, reason: str, by: str) -> None:
    """Exchange with COUNTRY again."""
    from esante.services.exchange.contact_points.service import ContactPoints

    await ensure_journal_month(platform)
    await platform[ContactPoints].resume(operator_of_shell(by), country, reason)


@ncp.command()
@_country
@_reason
@by_option
@platform_command
async def remove(platform: "Platform", country: str, reason: str, by: str) -> None:
    """Remove the contact point of COUNTRY."""
    from esante.services.exchange.contact_points.service import ContactPoints

    await ensure_journal_month(platform)
    await platform[ContactPoints].remove(operator_of_shell(by), country, reason)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be written: {error.strerror}") from error
