"""The commands of federations, for operators."""

import getpass
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import click

from esante.command_line import by_option, ensure_journal_month, operator_of_shell, platform_command

if TYPE_CHECKING:
    from esante.contract import Platform
    from esante.services.healthnet.federation.model import Agreement

T = TypeVar("T")
_id = click.argument("agreement_id", type=click.UUID)


@click.group()
def federation() -> None:
    """Agreements with networks of other operators; two persons decide."""


@federation.command("list")
@click.option("--text", default="", help="A part of name, prefix or service.")
@platform_command
async def list_agreements(platform: "Platform", text: str) -> None:
    """List agreements, the newest first."""
    from esante.services.healthnet.federation.service import Federations

    cursor: str | None = None
    while True:
        page = await _done(platform[Federations].page(operator_of_shell(getpass.getuser()), text, cursor))
        for one in page.items:
            _print(one)
        if (cursor := page.next) is None:
            return


@federation.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path, dir_okay=False))
@click.option("--key", required=True, help="The key of the other network, compared with its operator.")
@by_option
@platform_command
async def propose(platform: "Platform", file: Path, key: str, by: str) -> None:
    """Propose the agreement in FILE, which another operator signed."""
    from esante.services.healthnet.federation.service import Federations

    await ensure_journal_month(platform)
    _print(await _done(platform[Federations].propose(operator_of_shell(by), _read(file), key)))


@federation.command()
@_id
@click.option("--refuse", is_flag=True, help="Refuse the proposal; a reason is needed.")
@click.option("--reason", default="", help="Why, for the journal.")
@by_option
@platform_command
async def decide(platform: "Platform", agreement_id: UUID, reason: str, by: str, *, refuse: bool) -> None:
    """Approve a proposal, or refuse it; somebody else must have proposed it."""
    from esante.services.healthnet.federation.service import Federations

    await ensure_journal_month(platform)
    act = platform[Federations].decide(operator_of_shell(by), agreement_id, approved=not refuse, reason=reason)
    _print(await _done(act))


@federation.command()
@_id
@click.option("--reason", required=True, help="Why, for the journal.")
@by_option
@platform_command
async def end(platform: "Platform", agreement_id: UUID, reason: str, by: str) -> None:
    """End an agreement at once: the other network is cut off."""
    from esante.services.healthnet.federation.service import Federations

    await ensure_journal_month(platform)
    _print(await _done(platform[Federations].end(operator_of_shell(by), agreement_id, reason)))


@federation.command()
@_id
@platform_command
async def export(platform: "Platform", agreement_id: UUID) -> None:
    """Print our side of an agreement, signed, for the other operator."""
    from esante.services.healthnet.federation.service import Federations

    click.echo(await _done(platform[Federations].export(operator_of_shell(getpass.getuser()), agreement_id)), nl=False)


@federation.command()
@platform_command
async def key(platform: "Platform") -> None:
    """Print the key of this network, with which other operators check documents."""
    from esante.services.healthnet.federation.service import Federations

    click.echo(str(platform[Federations].signer.verifier))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


async def _done(act: Awaitable[T]) -> T:
    """Await an act; a refusal is shown without a trace."""
    from esante.core.web import Problem

    try:
        return await act
    except Problem as problem:
        raise click.ClickException(
            " ".join(filter(None, (problem.title, problem.detail, problem.remedy)))
        ) from problem


def _print(one: "Agreement") -> None:
    prefixes = f"{one.network6} {one.network4 or ''}".strip()
    click.echo(f"{one.agreement_id}  {one.terms.federation}  {one.number}  {one.state.value:<10}  {prefixes}")
