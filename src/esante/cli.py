"""The `esante` command: `serve`, and the commands that the services declare."""

import os
from pathlib import Path

import click

from esante import __version__
from esante.app import database_of, open_platform
from esante.command_line import Opening, data_option, run, serve_platform
from esante.packages import declared_services
from esante.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="esante")
@click.pass_context
def main(context: click.Context) -> None:
    """The services of a national eHealth agency, as one program.

    Without ESANTE_DATABASE_URL an embedded PostgreSQL runs under --data; without ESANTE_OBJECTS_URL documents are
    files there. All other settings are described in docs/operations.md.
    """
    context.obj = Opening(
        platform=open_platform,
        database=database_of,
        packages=lambda settings: [service.package for service in declared_services(settings.services)],
    )


@main.command()
@data_option
@click.option("--port", type=int, help="Where to listen.  [default: 8000]")
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
def serve(data: Path | None, port: int | None, host: str | None, workers: int) -> None:
    """Serve the platform; GET /health answers 200 when it is ready."""
    settings = Settings.from_environ(data=data, port=port, host=host)
    run(lambda: _try(settings))
    serve_platform(settings, workers)


async def _try(settings: Settings) -> None:
    """Open the platform once, so that an obstacle is shown in a line and not in a trace of every worker."""
    async with open_platform(settings):
        pass


for service in declared_services(os.environ.get("ESANTE_SERVICES", "")):
    for command in service.commands:
        main.add_command(command)


if __name__ == "__main__":
    main()
