"""The commands of the demo: the synthetic country, who is in it, tokens for them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import click

from esante.app import open_platform
from esante.command_line import ProgressBar, data_option, platform_command, run, serve_platform
from esante.contract import DemoProcess, Platform
from esante.demo.accounts import issue_token, list_people, list_personas
from esante.demo.load import load, load_background
from esante.demo.second_country import cli as second_country
from esante.packages import declared_services
from esante.settings import Settings

START_SECONDS = 30


@click.command()
@data_option
@click.option("--port", type=int, help="Where to listen on 127.0.0.1.  [default: 8000]")
@click.option("--persons", type=click.IntRange(20, 100_000), help="[default: 2000; of a second country 200]")
@click.option("--seed", type=int, help="Another seed, another country.  [default: 1; of a second country 2]")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option(
    "--history",
    type=click.IntRange(0, 120),
    help="Months of invented use, for the bulletin.  [default: 36; of a second country none]",
)
@click.option(
    "--country",
    type=click.Choice(["a", "b"]),
    default="a",
    show_default=True,
    help="b: a second country beside a demo that is loaded; the two exchange documents.",
)
@click.option(
    "--neighbour",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the demo beside which a second country is.  [default: ./var, or ESANTE_DATA]",
)
@click.option(
    "--exchange-ports",
    type=(int, int),
    default=(8443, 8444),
    show_default=True,
    help="Where the contact points of a first and a second country listen on 127.0.0.1.",
)
@click.option("--load-only", is_flag=True, help="Fill the database and stop.")
def demo(
    data: Path | None,
    port: int | None,
    persons: int | None,
    seed: int | None,
    workers: int,
    history: int | None,
    country: str,
    neighbour: Path | None,
    exchange_ports: tuple[int, int],
    *,
    load_only: bool,
) -> None:
    """Make a synthetic Luxembourg and serve it; every person in it is invented."""
    first = second_country.first_settings(neighbour, exchange_ports[0]) if country == "b" else None
    if first is None and neighbour is not None:
        raise click.UsageError("--neighbour goes with --country b.")
    if first is None:
        settings = Settings.from_environ(data=data, port=port, demo=True)
        size = persons or 2_000, 1 if seed is None else seed, 36 if history is None else history
    else:
        settings = second_country.second_settings(data, port, first, exchange_ports[1])
        size = persons or second_country.PERSONS, second_country.SEED if seed is None else seed, history or 0

    async def fill() -> None:
        async with open_platform(settings, migrate=True) as platform:
            await _fill(platform, *size)
            if first is not None:
                await second_country.link(first, platform)

    run(fill)
    if not load_only:
        signal.signal(signal.SIGTERM, _end)  # the server raises it again once it has ended
        with ExitStack() as beside:
            for process in _partners():
                listening = _free_port()
                os.environ[process.variable] = f"http://127.0.0.1:{listening}"
                beside.enter_context(_beside(settings, *process.command, "--port", str(listening)))
                _wait_for(listening)
            beside.enter_context(_beside(settings, "demo-background"))
            if first is not None:
                for one, listening in zip((first, settings), exchange_ports, strict=True):
                    beside.enter_context(_beside(one, "ncp", "serve", "--port", str(listening)))
                for listening in exchange_ports:
                    _wait_for(listening)
            serve_platform(settings, workers)


@click.command("demo-background", hidden=True)
@data_option
def background(data: Path | None) -> None:
    """Load the demonstration data that take long; runs by itself, beside the server."""
    settings = Settings.from_environ(data=data, demo=True)

    async def work() -> None:
        async with open_platform(settings) as platform:
            await load_background(platform)

    os.nice(10)
    run(work)


@click.command()
@platform_command
async def people(platform: Platform) -> None:
    """Print the people of the demo as a JSON array.

    Each has `name`, `role` and `identifiers`; professionals and organisations also `patients`: the identifiers of
    the persons they have a grant for right now.
    """
    click.echo(json.dumps(await list_people(platform), ensure_ascii=False, indent=1))


@click.command()
@click.option("--as", "name", required=True, help="The name of one of `esante people`.")
@click.option("--hours", type=click.IntRange(1, 24), default=8, show_default=True)
@platform_command
async def token(platform: Platform, name: str, hours: int) -> None:
    """Print a bearer token for the API, for one of the demo's people."""
    click.echo(await issue_token(platform, name, timedelta(hours=hours)))


async def _fill(platform: Platform, persons: int, seed: int, history: int) -> None:
    with ProgressBar("making the country") as progress:
        await load(platform, persons=persons, seed=seed, history=history, progress=progress)
    url = platform.settings.base_url
    click.echo(f"\n  esante is at {url}\n\n  Sign in there as one of these invented people:")
    for persona in await list_personas(platform):
        click.echo(f"    {persona['name']:<34} {persona['role']:<14} {persona.get('detail', '')}")
    click.echo("\n  esante people   lists all;  esante token --as NAME   gives a token for the API")
    if history:
        click.echo(f"  The bulletin of its past appears at {url}/bulletin in a minute or two")
    click.echo()


def _end(number: int, frame: object) -> None:
    """End as after an exit, so that what runs beside is ended too."""
    raise SystemExit(0)


def _partners() -> list[DemoProcess]:
    """Return the mocks of partners outside whose addresses nobody has set."""
    services = declared_services(os.environ.get("ESANTE_SERVICES", ""))
    processes = [process for service in services for process in service.demo_processes]
    return [process for process in processes if process.variable not in os.environ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    """Wait until a process listens on a port, for at most `START_SECONDS`: the demo works without it."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


@contextmanager
def _beside(settings: Settings, *command: str) -> Iterator[None]:
    """Run another command of esante meanwhile, in a process of its own."""
    environment = {**os.environ, **settings.environ()}
    process = subprocess.Popen([sys.executable, "-m", "esante.cli", *command], env=environment)  # noqa: S603 - our own
    try:
        yield
    finally:
        process.terminate()
        process.wait()
