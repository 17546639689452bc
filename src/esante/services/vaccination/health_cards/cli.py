"""The commands of signed cards: the keys of the issuer, the verification of a file."""

import sys
from datetime import datetime
from typing import Any

import click

from esante.command_line import ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core import clock
from esante.core.time_zone import time_zone
from esante.services.vaccination.health_cards.codec import MAX_INPUT
from esante.services.vaccination.health_cards.issuer import HealthCards
from esante.services.vaccination.health_cards.model import Result
from esante.services.vaccination.health_cards.settings import HealthCardSettings
from esante.services.vaccination.health_cards.trust import DirectoryError, by_address, load_directory
from esante.services.vaccination.health_cards.verifier import verify as verify_text


@click.group()
def keys() -> None:
    """The keys that sign vaccination cards."""


@keys.command()
@click.option("--compromised", is_flag=True, help="The present key is in wrong hands: every card under it is invalid.")
@platform_command
async def rotate(platform: Platform, *, compromised: bool) -> None:
    """Make a new key that signs from now on; the private half of the present one is destroyed.

    To be done once a year. The present public key stays published, so that cards under it stay valid.
    """
    await ensure_journal_month(platform)
    key = await platform[HealthCards].rotate(compromised=compromised)
    click.echo(f"signs from now on: {key.kid}")


@keys.command("list")
@platform_command
async def list_keys(platform: Platform) -> None:
    """Print the published keys: id, since when, whether it signs, how many cards under it were revoked."""
    for key in await platform[HealthCards].published_keys():
        state = f"retired {_day(key.retired_at)}" if key.retired_at else "signs"
        click.echo(f"{key.kid}  {_day(key.created_at)}  {state:<18}  {len(key.rids)} revoked")


@click.command()
@click.argument("file", type=click.File("rb"))
@platform_command
async def verify(platform: Platform, file: Any) -> None:
    """Verify the cards in FILE: a .smart-health-card file, or the text of a QR code (shc:/…).

    Exit status: 0 when every card is valid, 1 otherwise.
    """
    content = file.read(MAX_INPUT + 1)
    cards = platform[HealthCards]
    try:
        others = load_directory(platform.settings.of(HealthCardSettings).health_card_issuers)
        text = content.decode()
    except (DirectoryError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from error
    found = verify_text(text, by_address([*others, await cards.trusted()]), clock.now().timestamp())
    for one in found:
        click.echo(f"{one.result.value}{f'  signed by {one.issuer}' if one.issuer else ''}")
    sys.exit(0 if all(one.result is Result.VALID for one in found) else 1)


def _day(at: datetime) -> str:
    return at.astimezone(time_zone()).date().isoformat()
