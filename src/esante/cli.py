"""The `esante` command: `serve`, and the commands that the services declare."""

import os
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from esante import __version__
from esante.command_line import data_option, run, serve_platform
from esante.packages import PACKAGES, declared_services
from esante.settings import Settings


class ServiceCommands(click.Group):
    """The root command. Importing every service takes more than a second, so a command is sought by its name first."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of this module, of the package of its name, or of any declared service."""
        return super().get_command(ctx, cmd_name) or _of_package(cmd_name) or self._declared.get(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self._declared})

    @cached_property
    def _declared(self) -> Mapping[str, click.Command]:
        services = declared_services(os.environ.get("ESANTE_SERVICES", ""))
        return {command.name or "": command for service in services for command in service.commands}


def _of_package(name: str) -> click.Command | None:
    """Return the command that has the name of a package, from its `cli.py`."""
    package = next((package for package in PACKAGES if package.endswith(f".{name}")), None)
    if package is None or find_spec(f"{package}.cli") is None:
        return None
    command = getattr(import_module(f"{package}.cli"), name, None)
    return command if isinstance(command, click.Command) else None


@click.group(cls=ServiceCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="esante")
def main() -> None:
    """The services of a national eHealth agency, as one program.

    Without ESANTE_DATABASE_URL an embedded PostgreSQL runs under --data; without ESANTE_OBJECTS_URL documents are
    files there. All other settings are described in docs/operations.md.
    """


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
    from esante.app import open_platform

    async with open_platform(settings) as platform:
        await platform.admit()


if __name__ == "__main__":
    main()
