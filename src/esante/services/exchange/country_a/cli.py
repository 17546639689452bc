"""The command that serves country A."""

from pathlib import Path

import click

from esante.command_line import data_option, ensure_journal_month, run
from esante.settings import Settings


@click.command()
@data_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=int, default=8443, show_default=True, help="Where to listen.")
def serve(data: Path | None, host: str, port: int) -> None:
    """Answer other countries: a listener of its own over mutual TLS, until a signal.

    What answers them is named by ESANTE_NCP_CONNECTOR; without it nothing starts.
    """
    from esante.services.exchange.contact_points import NotConfigured
    from esante.services.exchange.country_a.assembly import require_connector
    from esante.services.exchange.model import NotUsable
    from esante.services.exchange.settings import ExchangeSettings

    try:
        require_connector(Settings.from_environ(data=data).of(ExchangeSettings))
        run(lambda: _serve(Settings.from_environ(data=data), host, port))
    except NotConfigured as error:
        raise click.ClickException(str(error)) from error
    except NotUsable as error:
        raise click.ClickException("\n".join(map(str, error.faults))) from error


async def _serve(settings: Settings, host: str, port: int) -> None:
    from esante.app import open_platform
    from esante.services.exchange.country_a.server import serve as serve_country_a

    async with open_platform(settings) as platform:
        await platform.admit()
        await ensure_journal_month(platform)
        await serve_country_a(platform, host, port)
