"""The commands of the journal."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import click

from esante.command_line import ProgressBar, ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core import clock
from esante.identity.directory import Directory


@click.group()
def journal() -> None:
    """The journal: its signed head, its witnesses, its verification, a person's proof, the end of retention."""


@journal.command()
@platform_command
async def head(platform: Platform) -> None:
    """Print the newest signed checkpoint: publish it, and nobody can shorten the journal unseen."""
    checkpoint = await platform.journal.head()
    if checkpoint is None:
        raise click.ClickException("nothing is sealed yet; the server seals about once a second")
    click.echo(checkpoint.note, nl=False)


@journal.command()
@platform_command
async def key(platform: Platform) -> None:
    """Print the key that signs the heads, in the form in which a witness is given it."""
    click.echo(str(platform.journal.signer.verifier))


@journal.command()
@platform_command
async def status(platform: Platform) -> None:
    """Print what is sealed and what waits, how far each reader is, and what each witness has co-signed."""
    state = await platform.journal.state()
    sealed = f", the last seal at {state['sealed_at']:%Y-%m-%d %H:%M:%S}Z" if state["sealed_at"] else ""
    click.echo(f"{state['size']:,} entries sealed{sealed}, {state['waiting']:,} waiting for the seal")
    for reader in state["consumers"]:
        failed = f", failed {reader['failures']} times: {reader['last_error']}" if reader["failures"] else ""
        click.echo(f"reader {reader['reader']}: entry {reader['seq']:,}{failed}")
    for witness in state["witnesses"]:
        signed = (
            f"co-signed {witness.size:,} entries at {witness.signed_at:%Y-%m-%d %H:%M:%S}Z" if witness.size else ""
        )
        failed = f", failed {witness.failures} times: {witness.error}" if witness.failures else ""
        click.echo(f"witness {witness.name}: {signed or 'co-signed nothing yet'}, {witness.behind:,} behind{failed}")


@journal.command()
@click.option(
    "--head",
    "heads",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A signed head that was printed earlier: the journal must begin with its tree.  [repeatable]",
)
@platform_command
async def verify(platform: Platform, *, heads: Sequence[Path]) -> None:
    """Recompute the whole journal; exit status 1 and the first wrong entry when anything was altered.

    With a head that was kept elsewhere also a journal that was shortened or written anew is found.
    """
    notes = {str(path): path.read_text(encoding="utf-8", errors="replace") for path in heads}
    with ProgressBar("verifying") as progress:
        report = await platform.journal.verify(platform.dsn, progress, notes)
    for problem in report.problems:
        click.echo(f"WRONG: {problem}")
    for path in [] if report.problems else heads:
        click.echo(f"the journal begins with the tree of {path}")
    click.echo(
        f"{report.entries:,} entries sealed, {report.expired:,} past their retention,"
        f" {report.waiting:,} waiting for the seal: {'all is as it was written' if report.ok else 'NOT INTACT'}"
    )
    if not report.ok:
        sys.exit(1)


@journal.command()
@click.option("--dry-run", is_flag=True, help="Only say which policies are due.")
@platform_command
async def expire(platform: Platform, *, dry_run: bool) -> None:
    """End the retention of entries that are past it: their contents go, their places in the tree stay."""
    await ensure_journal_month(platform)
    for type_, of_person, before in platform.journal.retention(clock.now()):
        count = 0 if dry_run else await platform.journal.expire(type_, before, of_person=of_person)
        whose = "of persons" if of_person else "of the platform"
        click.echo(f"{type_:<32} {whose:<16} before {before:%Y-%m-%d}  {'due' if dry_run else f'{count:,} removed'}")
    queued = await platform.journal.queued_expiries()
    count = 0 if dry_run else await platform.journal.expire_queued()
    click.echo(f"entries whose data is gone: {f'{queued:,} due' if dry_run else f'{count:,} removed'}")


@journal.command()
@click.argument("identifier")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the proof here.")
@platform_command
async def prove(platform: Platform, identifier: str, out: Path | None) -> None:
    """Print the proof file of the person with IDENTIFIER (a matricule): their entries, and that they are all."""
    person = await platform[Directory].find_person(None, identifier)
    if person is None:
        raise click.ClickException("no person has this identifier")
    with open_output(out) as file:
        if not await platform.journal.proofs.write(person.id, file):
            raise click.ClickException("nothing is sealed yet; the server seals about once a second")


def open_output(path: Path | None) -> AbstractContextManager[BinaryIO]:
    """Open a file to be written, or the standard output."""
    return path.open("wb") if path else nullcontext(sys.stdout.buffer)
