"""The commands of the directory: suspend somebody, and restore them."""

from uuid import UUID

import click

from esante.command_line import ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core.journal import SYSTEM
from esante.identity.access import Access
from esante.identity.directory.model import Organization, Person, Practitioner
from esante.identity.directory.service import Directory


@click.group()
def directory() -> None:
    """Who may use the platform: professionals, organisations, persons."""


@directory.command()
@click.argument("holder")
@click.option("--reason", required=True, help="Why; stands in the journal.")
@platform_command
async def suspend(platform: Platform, holder: str, reason: str) -> None:
    """Suspend HOLDER (a key, or an identifier), and end all their sessions, tokens and apps at once.

    Servers that run know it within seconds.
    """
    found = await _find(platform, holder)
    await ensure_journal_month(platform)
    await platform[Directory].suspensions.suspend(found, reason, actor=SYSTEM)
    ended = await platform[Access].end_sign_ins(found.id, actor=SYSTEM)
    click.echo(
        f"suspended {found.id}  {found.name}: {ended.sessions} sessions, {ended.tokens} tokens, {ended.apps} apps"
    )


@directory.command()
@click.argument("holder")
@platform_command
async def restore(platform: Platform, holder: str) -> None:
    """Let HOLDER (a key, or an identifier), who was suspended, use the platform again."""
    found = await _find(platform, holder)
    await ensure_journal_month(platform)
    await platform[Directory].suspensions.restore(found, actor=SYSTEM)
    click.echo(f"restored {found.id}  {found.name}")


async def _find(platform: Platform, text: str) -> Person | Practitioner | Organization:
    """Return the one entry with a key or an identifier. Raises: ClickException when there is none, or several."""
    entries = platform[Directory]
    if (key := _parse_key(text)) is not None:
        candidates = [await entries.person(key), await entries.practitioner(key), await entries.organization(key)]
    else:
        practitioners, organizations = (
            await entries.find_practitioners(None, text),
            await entries.find_organizations(None, text),
        )
        candidates = [await entries.find_person(None, text), *practitioners, *organizations]
    found = [holder for holder in candidates if holder is not None]
    if len(found) != 1:
        raise click.ClickException(f"{len(found)} entries of the directory have this key or identifier")
    return found[0]


def _parse_key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
