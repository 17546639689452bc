"""The `esante` command."""

import asyncio
import getpass
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from esante import __version__
from esante.settings import Settings

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for everything a run writes: database, objects, keys.  [default: ./var, or ESANTE_DATA]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="esante")
def main() -> None:
    """The services of a national eHealth agency, as one program.

    \b
    esante demo            a synthetic country on this machine, to try everything
    esante serve           the platform, for real
    esante people          who is in the demo
    esante token           a bearer token to try the API with
    esante client          software and apps that may use the API
    esante export          copies of records that software asked for
    esante journal         prove that nothing was altered
    esante bulletin        the monthly figures: build, look, release, correct
    esante db              the schema, backup and restore
    esante fhir            whether files hold right FHIR resources

    Without ESANTE_DATABASE_URL an embedded PostgreSQL runs under --data; without ESANTE_OBJECTS_URL documents are
    files there. All other settings are described in docs/operations.md.
    """


@main.command()
@data_option
@click.option("--port", type=int, help="Where to listen on 127.0.0.1.  [default: 8000]")
@click.option("--persons", type=click.IntRange(20, 100_000), default=2_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another country.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option(
    "--history",
    type=click.IntRange(0, 120),
    default=36,
    show_default=True,
    help="Months of invented use, for the bulletin.",
)
@click.option("--load-only", is_flag=True, help="Fill the database and stop.")
def demo(
    data: Path | None, port: int | None, persons: int, seed: int, workers: int, history: int, *, load_only: bool
) -> None:
    """Make a synthetic Luxembourg and serve it; every person in it is invented."""
    settings = Settings.from_environ(data=data, port=port, demo=True)
    _run(lambda: _load_demo(settings, persons, seed, history))
    if load_only:
        return
    if history:
        with _beside(settings, "demo-issues"):
            _serve(settings, workers)
    else:
        _serve(settings, workers)


@main.command("demo-issues", hidden=True)
@data_option
def demo_issues(data: Path | None) -> None:
    """Build and release the bulletin of the demo; it does so by itself, beside the server."""

    async def work() -> None:
        from esante.app import open_platform
        from esante.demo import publish

        async with open_platform(_demo(data)) as platform:
            await publish(platform)

    os.nice(10)
    _run(work)


@main.command()
@data_option
@click.option("--port", type=int, help="Where to listen.  [default: 8000]")
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
def serve(data: Path | None, port: int | None, host: str | None, workers: int) -> None:
    """Serve the platform; GET /health answers 200 when it is ready."""
    settings = Settings.from_environ(data=data, port=port, host=host)
    _run(lambda: _try(settings))
    _serve(settings, workers)


@main.command()
@data_option
def people(data: Path | None) -> None:
    """Print the people of the demo as a JSON array.

    Each has `name`, `role` and `identifiers`; professionals and organisations also `patients`: the identifiers of
    the persons they have a grant for right now.
    """

    async def work() -> None:
        from esante.app import open_platform
        from esante.demo import people_json

        async with open_platform(_demo(data)) as platform:
            click.echo(json.dumps(await people_json(platform), ensure_ascii=False, indent=1))

    _run(work)


@main.command()
@data_option
@click.option("--as", "name", required=True, help="The name of one of `esante people`.")
@click.option("--hours", type=click.IntRange(1, 24), default=8, show_default=True)
def token(data: Path | None, name: str, hours: int) -> None:
    """Print a bearer token for the API, for one of the demo's people."""

    async def work() -> None:
        from esante.app import open_platform
        from esante.demo import token_for

        async with open_platform(_demo(data)) as platform:
            click.echo(await token_for(platform, name, timedelta(hours=hours)))

    _run(work)


@main.group()
def client() -> None:
    """Software that may use the API: the systems of organisations, and apps that people use."""


@client.command()
@data_option
@click.argument("file", type=click.File("rb"))
def register(data: Path | None, file: Any) -> None:
    """Register the software that the JSON FILE describes (docs/api.md), or change its registration."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            try:
                given = json.load(file)
                if not isinstance(given, dict):
                    raise ValueError("the file must hold one JSON object")  # noqa: TRY004 - one kind of error
                found = await platform.access.clients.read(given)
                await _ready_to_tell(platform)
                await platform.access.clients.register(found)
            except ValueError as error:
                raise click.ClickException(str(error)) from error
            click.echo(f"registered {found.client_id}: {'public' if found.public else 'signs in with its key'}")

    _run(work)


@client.command("list")
@data_option
def list_clients(data: Path | None) -> None:
    """Print every registered software: id, name, whether it is disabled, its scopes."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            for one in await platform.access.clients.all():
                state = "disabled  " if one.disabled else ""
                click.echo(f"{one.client_id:<24} {one.name:<32} {state}{' '.join(sorted(one.scopes))}")

    _run(work)


@client.command()
@data_option
@click.argument("client_id")
def disable(data: Path | None, client_id: str) -> None:
    """End the use of software at once: no token of it serves any more."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            await _ready_to_tell(platform)
            await platform.access.clients.disable(client_id)
        click.echo(f"disabled {client_id}")

    _run(work)


@main.group()
def export() -> None:
    """Exports: copies of many records at once (FHIR Bulk Data)."""


@export.command("list")
@data_option
def list_exports(data: Path | None) -> None:
    """Print every export: id, when it was asked for, its state, persons done of all, who asked."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            for job in await platform.exports.all():
                who = " ".join(filter(None, (job.asked.principal["name"], job.asked.principal.get("client"))))
                persons = f"{job.done}/{'?' if job.total is None else job.total}"
                at = job.asked_at.isoformat(timespec="seconds")
                click.echo(f"{job.id}  {at}  {job.state:<9}  {persons:>13}  {who}  {job.last_error}".rstrip())

    _run(work)


@export.command("cancel")
@data_option
@click.argument("job_id", type=click.UUID)
def cancel_export(data: Path | None, job_id: UUID) -> None:
    """End an export and remove its files."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            await _ready_to_tell(platform)
            if not await platform.exports.end(job_id):
                raise click.ClickException("there is no such export")
        click.echo(f"cancelled {job_id}")

    _run(work)


@main.group()
def journal() -> None:
    """The journal: its signed head, its verification, a person's proof, the end of retention."""


@journal.command()
@data_option
def head(data: Path | None) -> None:
    """Print the newest signed checkpoint: publish it, and nobody can shorten the journal unseen."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            checkpoint = await platform.journal.head()
            if checkpoint is None:
                raise click.ClickException("nothing is sealed yet; the server seals about once a second")
            click.echo(checkpoint.note, nl=False)

    _run(work)


@journal.command()
@data_option
def verify(data: Path | None) -> None:
    """Recompute the whole journal; exit status 1 and the first wrong entry when anything was altered."""

    async def work() -> bool:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            with _progress("verifying") as progress:
                report = await platform.journal.verify(platform.dsn, progress)
        for problem in report.problems:
            click.echo(f"WRONG: {problem}")
        click.echo(
            f"{report.entries:,} entries sealed, {report.expired:,} past their retention,"
            f" {report.waiting:,} waiting for the seal: {'all is as it was written' if report.ok else 'NOT INTACT'}"
        )
        return report.ok

    if not _run(work):
        sys.exit(1)


@journal.command()
@data_option
@click.argument("identifier")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the proof here.")
def prove(data: Path | None, identifier: str, out: Path | None) -> None:
    """Print the proof file of the person with IDENTIFIER (a matricule): her entries, and that they are all."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            person = await platform.directory.find_person(None, identifier)
            if person is None:
                raise click.ClickException("no person has this identifier")
            text = json.dumps(await platform.journal.prove(person.id), ensure_ascii=False, indent=1)
            if out:
                await asyncio.to_thread(out.write_text, text, encoding="utf-8")
            else:
                click.echo(text)

    _run(work)


@journal.command()
@data_option
@click.option("--dry-run", is_flag=True, help="Only say which policies are due.")
def expire(data: Path | None, *, dry_run: bool) -> None:
    """End the retention of entries that are past it: their contents go, their places in the tree stay."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            for type_, before in platform.journal.retention(datetime.now(UTC)):
                count = 0 if dry_run else await platform.journal.expire(type_, before)
                click.echo(f"{type_:<32} before {before:%Y-%m-%d}  {'due' if dry_run else f'{count:,} removed'}")

    _run(work)


@main.group()
def bulletin() -> None:
    """The monthly figures: counted from the journal, protected, released by two people."""


by_option = click.option(
    "--by", default=getpass.getuser, help="Who does it, as the journal tells it.  [default: the account of the shell]"
)
month_argument = click.argument("month", metavar="YYYY-MM", callback=lambda *given: _month(given[2]))


@bulletin.command()
@data_option
@by_option
@month_argument
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write all files of the draft here.")
def build(data: Path | None, by: str, month: str, out: Path | None) -> None:
    """Count a month, and those before it that changed since; may be broken off and repeated."""
    _run(lambda: _build(data, month, by, "", out))


@bulletin.command()
@data_option
@by_option
@month_argument
@click.option("--reason", required=True, help="Why, in the words that the public will read.")
def revise(data: Path | None, by: str, month: str, reason: str) -> None:
    """Count what is public again, by today's recipe: what differs becomes a revision, to be released like an issue."""
    _run(lambda: _build(data, month, by, reason, None))


@bulletin.command()
@data_option
@by_option
@month_argument
def preview(data: Path | None, by: str, month: str) -> None:
    """Print the issue of a month as it would be released, and what is unusual in the data released with it."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            issue = await platform.bulletin.preview(month, by)
            unusual = await platform.bulletin.unusual(month)
        for cell in issue.vintage.cells:
            place = f"{cell.breakdown}={cell.value_of}" if cell.breakdown else ""
            click.echo(
                f"{cell.indicator:<28} {place:<40} {'…' if cell.value is None else cell.value:>12}  {cell.flag}"
            )
        for finding in unusual:
            state = finding.acknowledged_by or ("TO BE ACKNOWLEDGED" if finding.serious else "")
            what = f"{finding.period} {finding.code} {finding.subject!r}"
            click.echo(f"{what:<72} {finding.found:g} for {finding.expected}  {state}")

    _run(work)


@bulletin.command()
@data_option
@by_option
@month_argument
@click.argument("code")
@click.argument("subject")
@click.option("--note", required=True, help="What was found out.")
def acknowledge(data: Path | None, by: str, month: str, code: str, subject: str, note: str) -> None:
    """Answer for a finding about the data of a month."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            await platform.bulletin.acknowledge(month, code, subject, by, note)

    _run(work)


@bulletin.command()
@data_option
@by_option
@month_argument
@click.option("--embargo", type=click.DateTime(["%Y-%m-%dT%H:%M%z"]), help="Not before, as 2026-11-10T08:30+0100.")
def release(data: Path | None, by: str, month: str, embargo: datetime | None) -> None:
    """Release the issue of a month: by another person than who built it, after somebody looked at it."""

    async def work() -> None:
        from esante.app import open_platform

        async with open_platform(Settings.from_environ(data=data)) as platform:
            for one in await platform.bulletin.release(month, by, embargo_until=embargo):
                until = (
                    f" until {one.embargo_until.isoformat()}" if one.state == "approved" and one.embargo_until else ""
                )
                click.echo(f"{one.period}  vintage {one.number}  {one.state.value}{until}")

    _run(work)


@bulletin.command("push")
@data_option
def push_command(data: Path | None) -> None:
    """Bring what is released to the national portal (ESANTE_PORTAL_URL); a running server does so by itself."""

    async def work() -> list[str]:
        from esante.app import open_platform
        from esante.services.bulletin import PortalError

        async with open_platform(Settings.from_environ(data=data)) as platform:
            if platform.pusher is None:
                raise click.ClickException("no portal is named: set ESANTE_PORTAL_URL (and not in the demo)")
            try:
                return await platform.pusher.push()
            except PortalError as error:
                raise click.ClickException(f"{error}; nothing is lost, run it again") from error

    done = _run(work)
    click.echo("\n".join(done) if done else "the portal has all that is released")


@main.group()
def db() -> None:
    """The database: its schema, its backup."""


@db.command()
@data_option
def migrate(data: Path | None) -> None:
    """Apply the schema changes that are missing."""

    async def work() -> None:
        from esante.app import open_database
        from esante.core.storage import apply_migrations, migrations_in
        from esante.rooms import ROOMS

        async with open_database(Settings.from_environ(data=data)) as (database, _):
            done = await apply_migrations(database, migrations_in(ROOMS))
        click.echo("\n".join(f"applied {m.room}/{m.number:04} {m.name}" for m in done) or "nothing was missing")

    _run(work)


@db.command()
@data_option
def status(data: Path | None) -> None:
    """Say which schema changes are applied and which are missing; exit status 1 when some are."""

    async def work() -> bool:
        from esante.app import open_database
        from esante.core.storage import migrations_in, pending_migrations
        from esante.rooms import ROOMS

        migrations = migrations_in(ROOMS)
        async with open_database(Settings.from_environ(data=data)) as (database, _):
            pending = await pending_migrations(database, migrations)
        for migration in migrations:
            state = "missing" if migration in pending else "applied"
            click.echo(f"{state:<8} {migration.room}/{migration.number:04} {migration.name}")
        return not pending

    if not _run(work):
        sys.exit(1)


@db.command()
@data_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def dump(data: Path | None, file: Path) -> None:
    """Write a backup of the database to FILE, also beside a running server.

    Copy the objects after it and the keys apart: docs/operations.md.
    """

    async def work() -> None:
        from esante.app import open_database
        from esante.core.storage import backup

        async with open_database(Settings.from_environ(data=data)) as (_, dsn):
            await asyncio.to_thread(backup.dump, dsn, file)

    _run(work)


@db.command()
@data_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def restore(data: Path | None, file: Path) -> None:
    """Fill an empty database from the backup FILE; then run `esante journal verify`."""

    async def work() -> None:
        from esante.app import open_database
        from esante.core.storage import backup

        async with open_database(Settings.from_environ(data=data)) as (database, dsn):
            await backup.refuse_unless_empty(database)
            await asyncio.to_thread(backup.restore, dsn, file)

    _run(work)


@db.command()
@data_option
def distribute(data: Path | None) -> None:
    """Spread the tables over a Citus cluster: personal data by person, the directory on every node."""

    async def work() -> None:
        from esante.app import open_database
        from esante.core.storage import distribute_tables

        async with open_database(Settings.from_environ(data=data)) as (database, _):
            for line in await distribute_tables(database):
                click.echo(line)

    _run(work)


@main.group()
def fhir() -> None:
    """FHIR R4 resources in files."""


@fhir.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print an array of {file, valid, issues}.")
@click.option("--profile", metavar="URL", multiple=True, help="Check against this profile too; any other tells which.")
def validate(files: tuple[str, ...], *, as_json: bool, profile: tuple[str, ...]) -> None:
    """Tell all that is wrong with the resource in each FILE (- for standard input), each problem with line and column.

    Exit status 1 when there is an error, 2 when a file cannot be read.
    """
    from esante.core.fhir import DefinitionsMissing
    from esante.core.fhir.profiles import UnknownProfile
    from esante.core.fhir.validation import FileReport, check_file, summarise

    began = time.monotonic()
    found: list[FileReport] = []
    try:
        with _progress("checking") as progress:
            for name in files:
                if len(files) > 1 and time.monotonic() - began > 2:
                    progress(len(found), len(files))
                found.append(check_file(name, profile))
    except (DefinitionsMissing, UnknownProfile) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(line for one in found for line in one.lines()))
        if len(found) > 1:
            click.echo(summarise(found))
    sys.exit(0 if all(one.valid for one in found) else 1 if all(one.usable for one in found) else 2)


async def _ready_to_tell(platform: Any) -> None:
    """Make this month's part of the journal, where no server has run yet that would have."""
    now = datetime.now(UTC)
    await platform.journal.ensure_months(now, now)


def _demo(data: Path | None) -> Settings:
    return Settings.from_environ(data=data, demo=True)


def _month(text: str) -> str:
    """A month as it is written; raises BadParameter for another text."""
    try:
        return f"{datetime.strptime(text, '%Y-%m').replace(tzinfo=UTC):%Y-%m}"
    except ValueError as error:
        raise click.BadParameter("a month is written 2026-10") from error


async def _build(data: Path | None, month: str, by: str, reason: str, out: Path | None) -> None:
    from esante.app import open_platform
    from esante.services.bulletin import publish

    async with open_platform(Settings.from_environ(data=data)) as platform:
        with _progress("counting") as progress:
            built = await platform.bulletin.build(month, by, reason=reason, progress=progress)
        if out:
            issue = await platform.bulletin.issue(month, including="draft")
            about = platform.settings
            files = await asyncio.to_thread(publish, issue, out, about.base_url, synthetic=about.demo)
            click.echo(f"{len(files)} files of the draft in {out}; not public before the release")
    for vintage in built.new:
        click.echo(f"{vintage.period}  vintage {vintage.number}  {vintage.status.value}  {len(vintage.cells)} cells")
    click.echo(f"{len(built.new)} new; the attacker found {len(built.exposed)} protected cells")


async def _load_demo(settings: Settings, persons: int, seed: int, history: int) -> None:
    from esante.app import open_platform
    from esante.demo import load, personas

    async with open_platform(settings, migrate=True) as platform:
        with _progress("making the country") as progress:
            await load(platform, persons=persons, seed=seed, history=history, progress=progress)
        click.echo(f"\n  esante is at {settings.base_url}\n\n  Sign in there as one of these invented people:")
        for persona in await personas(platform):
            click.echo(f"    {persona['name']:<34} {persona['role']:<14} {persona.get('detail', '')}")
        click.echo("\n  esante people   lists all;  esante token --as NAME   gives a token for the API")
        if history:
            click.echo(f"  The bulletin of its past appears at {settings.base_url}/bulletin in a minute or two")
        click.echo()


async def _try(settings: Settings) -> None:
    """Open the platform once, so that what is in its way is told in a line and not in a trace of every worker."""
    from esante.app import open_platform

    async with open_platform(settings):
        pass


def _serve(settings: Settings, workers: int) -> None:
    from esante.core.web.server import serve as serve_app

    os.environ.update(settings.environ())
    serve_app("esante.app:app_from_environ", settings.host, settings.port, workers)


@contextmanager
def _beside(settings: Settings, command: str) -> Iterator[None]:
    """Run another command of esante meanwhile, in a process of its own."""
    environment = {**os.environ, **settings.environ()}
    process = subprocess.Popen([sys.executable, "-m", "esante.cli", command], env=environment)  # noqa: S603 - our own
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a command's work; what a person can mend is told without a trace."""
    import uvloop

    from esante.core.storage import Unavailable
    from esante.core.storage.embedded import EmbeddedError

    try:
        return uvloop.run(work())
    except (Unavailable, EmbeddedError, LookupError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error


class _progress:
    """A progress bar on stderr; calling it with (done, total, what) moves it."""

    def __init__(self, label: str) -> None:
        self._label, self._what = label, ""
        self._bar: Any = None

    def __enter__(self) -> "_progress":
        return self

    def __call__(self, done: int, total: int, what: str = "") -> None:
        if self._bar is None or what != self._what:
            self.__exit__()
            self._what = what
            label = f"{what or self._label:<24}"
            self._bar = click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True)
        self._bar.update(done - self._bar.pos)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()


if __name__ == "__main__":
    main()
