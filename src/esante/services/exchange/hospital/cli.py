"""The commands for systems of hospitals: the certificates by which organisations are known."""

import asyncio
from pathlib import Path

import click

from esante.command_line import by_option, ensure_journal_month, operator_of_shell, platform_command
from esante.contract import Platform
from esante.core.time_zone import day_of
from esante.identity.directory import Directory, Organization
from esante.services.exchange.hospital.certificates import NotRegistered, OrganizationCertificates
from esante.services.exchange.hospital.model import RegisteredCertificate

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def hospital() -> None:
    """The systems of hospitals: who they are."""


@hospital.command()
@click.argument("file", type=_FILE)
@click.argument("organization")
@by_option
@platform_command
async def register(platform: Platform, file: Path, organization: str, by: str) -> None:
    """Register the certificate in FILE (PEM) for ORGANIZATION (an identifier such as the provider code).

    Its key may then sign assertions about the users of the organisation, and open connections for HL7 V2 messages.
    """
    found = await _organization(platform, organization)
    await ensure_journal_month(platform)
    pem = await asyncio.to_thread(file.read_bytes)
    try:
        new = await platform[OrganizationCertificates].register(pem, found, actor=operator_of_shell(by).actor)
    except NotRegistered as error:
        raise click.ClickException(f"{file}: {error}") from error
    click.echo(f"registered for {found.name}: {_line(new)}")


@hospital.command()
@click.argument("fingerprint")
@click.option("--reason", required=True, help="Why; stands in the journal.")
@by_option
@platform_command
async def end(platform: Platform, fingerprint: str, reason: str, by: str) -> None:
    """End the certificate with FINGERPRINT (SHA-256, 64 digits) at once."""
    await ensure_journal_month(platform)
    try:
        known = bytes.fromhex(fingerprint.replace(":", ""))
        ended = await platform[OrganizationCertificates].end(known, reason, actor=operator_of_shell(by).actor)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"ended: {_line(ended)}")


@hospital.command("list")
@click.option("--organization", help="An identifier; without it, the certificates of all.")
@platform_command
async def list_certificates(platform: Platform, organization: str | None) -> None:
    """List the certificates, the newest first."""
    found = await _organization(platform, organization) if organization else None
    certificates = await platform[OrganizationCertificates].of(found)
    if not certificates:
        click.echo("No certificate is registered: esante hospital register FILE ORGANIZATION", err=True)
    names = await platform[Directory].organizations({one.organization_id for one in certificates})
    for one in certificates:
        owner = names.get(one.organization_id)
        state = f"ended {day_of(one.ended_at)}" if one.ended_at else f"until {day_of(one.not_after)}"
        click.echo(f"{one.fingerprint.hex()} {state} {owner.name if owner else one.organization_id} {one.subject}")


async def _organization(platform: Platform, identifier: str) -> Organization:
    found = await platform[Directory].find_organization(None, identifier)
    if found is None:
        raise click.ClickException(f"the directory has no organisation {identifier}, or several")
    return found


def _line(one: RegisteredCertificate) -> str:
    return f"{one.fingerprint.hex()} {one.subject}, until {day_of(one.not_after)}"
