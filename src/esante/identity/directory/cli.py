"""The commands of the directory: suspensions, referring doctors, delegations, duplicates."""

from collections.abc import Awaitable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import click

from esante.command_line import ProgressBar, ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core.journal import SYSTEM
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import Access
from esante.identity.directory.matching.duplicates import Duplicates
from esante.identity.directory.model import Organization, Person, Practitioner
from esante.identity.directory.service import Directory

R = TypeVar("R")
T = TypeVar("T", Person, Practitioner, Organization)
_DAY = click.DateTime(["%Y-%m-%d"])


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


@directory.command()
@click.argument("person")
@click.argument("doctor")
@click.option("--notified", type=_DAY, required=True, help="The day of the notice (YYYY-MM-DD).")
@click.option("--end", is_flag=True, help="The doctor is the referring doctor no more.")
@platform_command
async def refer(platform: Platform, person: str, doctor: str, *, notified: datetime, end: bool) -> None:
    """Record DOCTOR as the referring doctor of PERSON (keys, or identifiers); the one before ends on the same day."""
    who = _require(await _find(platform, person), Person, person)
    whom = _require(await _find(platform, doctor), Practitioner, doctor)
    await ensure_journal_month(platform)
    functions = platform[Directory].referring_doctors
    if end:
        until = await _carry_out(functions.end(who.id, whom, notified.date(), actor=SYSTEM))
        click.echo(f"{whom.name} is the referring doctor of {who.id} until {until} (exclusive)")
        return
    function = await functions.designate(who.id, whom, notified.date(), actor=SYSTEM)
    click.echo(f"{whom.name} is the referring doctor of {who.id} from {function.since}")


@directory.command()
@click.argument("delegate")
@click.argument("professional")
@click.argument("organization")
@click.option("--since", type=_DAY, help="The first day (YYYY-MM-DD).  [default: today]")
@click.option("--end", is_flag=True, help="The delegation ends before that day.")
@platform_command
async def delegation(
    platform: Platform, delegate: str, professional: str, organization: str, *, since: datetime | None, end: bool
) -> None:
    """Let DELEGATE, of the staff of ORGANIZATION, add documents and see lists in the name of PROFESSIONAL there."""
    who = _require(await _find(platform, delegate), Practitioner, delegate)
    whom = _require(await _find(platform, professional), Practitioner, professional)
    place = _require(await _find(platform, organization), Organization, organization)
    day = since.date() if since else today()
    await ensure_journal_month(platform)
    delegations = platform[Directory].delegations
    if end:
        await _carry_out(delegations.end(who.id, whom.id, day, actor=SYSTEM))
        click.echo(f"{who.name} acts for {whom.name} no more from {day} on")
        return
    await _carry_out(delegations.add(who, whom, place.id, day, actor=SYSTEM))
    click.echo(f"{who.name} acts for {whom.name} at {place.name} from {day} on")


@directory.command()
@platform_command
async def duplicates(platform: Platform) -> None:
    """Compare all entries of persons, and queue the pairs that may be of one person for operators."""
    await ensure_journal_month(platform)
    with ProgressBar("entries read") as progress:
        entries, pairs = await platform[Duplicates].search(progress)
    click.echo(f"{entries:,} entries compared: {pairs:,} pairs wait at /operator/duplicates")


async def _carry_out(act: Awaitable[R]) -> R:
    """Return what an act returns. Raises: ClickException with the words of its refusal."""
    try:
        return await act
    except Problem as problem:
        raise click.ClickException(problem.title) from problem


def _require(found: Person | Practitioner | Organization, kind: type[T], text: str) -> T:
    """Return an entry of a kind. Raises: ClickException for one of another kind."""
    if not isinstance(found, kind):
        raise click.ClickException(f"{text} is not a {kind.__name__.lower()}")
    return found


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
