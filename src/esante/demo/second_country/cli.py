"""A second country beside a demo: its settings, and how the two are linked so that they exchange documents."""

from dataclasses import replace
from pathlib import Path

import click

from esante.app import open_platform
from esante.command_line import ensure_journal_month, operator_of_shell
from esante.contract import Platform
from esante.demo import store
from esante.demo.accounts import find_account, list_personas
from esante.identity.access import Requester
from esante.services.exchange import neighbours
from esante.services.exchange.settings import ExchangeSettings
from esante.settings import Settings

PERSONS, SEED, PORT = 200, 2, 8001


def second_settings(data: Path | None, port: int | None, first: Settings, exchange_port: int) -> Settings:
    """Return the settings of the second country beside the first.

    It has another host name on this machine: browsers keep cookies by name and not by port.
    """
    folder = data or first.data.with_name(f"{first.data.name}-b")
    listening = port or PORT
    settings = Settings.from_environ(
        data=folder, port=listening, demo=True, public_url=f"http://localhost:{listening}"
    )
    return replace(settings, of_services=(neighbours.second_country(exchange_port),))


def first_settings(neighbour: Path | None, exchange_port: int) -> Settings:
    """Return the settings of the first country, whose contact point answers."""
    settings = Settings.from_environ(data=neighbour, demo=True)
    return replace(settings, of_services=(neighbours.first_country(settings.of(ExchangeSettings), exchange_port),))


async def link(settings: Settings, second: Platform) -> None:
    """Link the second country with the first, and print whom one can look for on each side.

    Raises: LookupError when the first one has no demo.
    """
    if not settings.data.is_dir():
        raise LookupError(
            f"there is no demo in {settings.data}; run: esante demo, or name its folder with --neighbour"
        )
    async with open_platform(settings) as first:
        if await store.find_world(first.db) is None:
            raise LookupError(f"there is no demo in {settings.data}; run: esante demo")
        for one in (first, second):
            await ensure_journal_month(one)
        await neighbours.link_both(first, second, operator_of_shell("demo"))
        for here, there in ((first, second), (second, first)):
            await _prepare(here, there)


async def _prepare(here: Platform, there: Platform) -> None:
    """Let the patients of a side allow the other, and print those who have a summary and a prescription."""
    country, other = (one.settings.of(ExchangeSettings).ncp_country for one in (here, there))
    patients = await _patients(here)
    await neighbours.consent(here, patients, other)
    click.echo(f"\n  Patients of {country} for professionals of {other} ({there.settings.base_url}/from-abroad):")
    for name, identifier, birth in await neighbours.travellers(here, patients):
        click.echo(f"    {identifier}  {birth}  {name}")


async def _patients(platform: Platform) -> list[Requester]:
    found = [await find_account(platform, one["id"]) for one in await list_personas(platform)]
    return [one for one in found if one is not None and one.kind == "patient"]
