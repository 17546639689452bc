"""What the commands of all services share: opening the platform, progress, errors without a trace.

Imports are late: a command that needs no platform starts at once.
"""

import getpass
import hashlib
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from esante.core import clock
from esante.settings import Settings

if TYPE_CHECKING:
    from esante.contract import Platform
    from esante.identity.access import Requester

P = ParamSpec("P")
T = TypeVar("T")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for everything a run writes: database, objects, keys.  [default: ./var, or ESANTE_DATA]",
)

by_option = click.option(
    "--by", default=getpass.getuser, help="The person named in the journal.  [default: the account of the shell]"
)


def platform_command(work: Callable[Concatenate["Platform", P], Coroutine[Any, Any, T]]) -> Callable[..., T]:
    """Make a command of a coroutine function whose first parameter is the platform of the folder `--data`."""

    def command(data: Path | None, *args: P.args, **options: P.kwargs) -> T:
        async def opened() -> T:
            from esante.app import open_platform

            async with open_platform(Settings.from_environ(data=data)) as platform:
                return await work(platform, *args, **options)

        return run(opened)

    command.__name__, command.__doc__ = work.__name__, work.__doc__
    return data_option(command)


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function; an error that the caller can mend is shown without a trace."""
    import uvloop

    from esante.core.storage import EmbeddedError, Unavailable

    try:
        return uvloop.run(work())
    except (Unavailable, EmbeddedError, LookupError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error


def serve_platform(settings: Settings, workers: int) -> None:
    """Serve the platform of these settings in so many processes, until a signal."""
    from esante.core.web.server import serve

    os.environ.update(settings.environ())
    serve("esante.app:app_from_environ", settings.host, settings.port, workers)


async def ensure_journal_month(platform: "Platform") -> None:
    """Make this month's partition of the journal, where no server has run yet that would have."""
    now = clock.now()
    await platform.journal.ensure_months(now, now)


def operator_of_shell(name: str) -> "Requester":
    """Return whoever runs a command on the machine of the platform as an operator; the same name has the same key."""
    from esante.core.storage import uuid8
    from esante.identity.access import Requester

    return Requester(kind="operator", id=uuid8(hashlib.blake2b(name.encode(), digest_size=16).digest()), name=name)


class ProgressBar:
    """A progress bar on stderr; calling it with (done, total, step) moves it."""

    def __init__(self, label: str) -> None:
        self._label, self._step = label, ""
        self._bar: Any = None

    def __enter__(self) -> "ProgressBar":
        return self

    def __call__(self, done: int, total: int, step: str = "") -> None:
        """Show that `done` of `total` are done of a step."""
        if self._bar is None or step != self._step:
            self.__exit__()
            self._step = step
            label = f"{step or self._label:<24}"
            self._bar = click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True)
        self._bar.update(done - self._bar.pos)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
