"""The commands of the controller."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esante.command_line import ensure_journal_month, platform_command

if TYPE_CHECKING:
    from esante.contract import Platform
    from esante.services.healthnet.controller.service import Controller

_file = click.Path(exists=True, path_type=Path, dir_okay=False)


@click.group()
def controller() -> None:
    """The controller of the network: policies, tokens of agents, quarantine, keys, backup."""


def _controller(platform: "Platform") -> "Controller":
    from esante.services.healthnet.controller.service import Controller

    return platform[Controller]


@controller.command("release")
@click.argument("policy", type=_file)
@click.option("--canary", multiple=True, help="A site that gets it first; again for another one.")
@click.option("--stages", default="5,25,100", show_default=True, help="Percentages of the sites.")
@click.option("--tolerance", default=2, show_default=True, help="Per cent of the sites that may fail.")
def release_policy(policy: Path, canary: tuple[str, ...], stages: str, tolerance: int) -> None:
    """Roll out a POLICY in stages; it is undone by itself when sites cannot use it. The first is in force at once."""

    @platform_command
    async def work(platform: "Platform") -> str:
        from esante.services.healthnet.controller.model import ControlRefused
        from esante.services.healthnet.policy.faults import PolicyError

        await ensure_journal_month(platform)
        try:
            percentages = [int(part) for part in stages.split(",")]
            started = await _controller(platform).rollouts.begin(
                policy.read_text("utf-8"), canary, stages=percentages, tolerance=tolerance
            )
        except (ControlRefused, PolicyError, ValueError) as error:
            raise click.ClickException(str(error)) from error
        return f"roll-out {started} began" if started else "in force"

    click.echo(work())


def _act(name: str, method: str, about: str) -> None:
    """Add a command that calls a use case of connections with a site."""

    @controller.command(name, help=about)
    @click.argument("site")
    def command(site: str) -> None:
        @platform_command
        async def work(platform: "Platform") -> str:
            from esante.services.healthnet.controller.model import ControlRefused

            await ensure_journal_month(platform)
            connections = _controller(platform).connections
            try:
                await connections.site(site)
                done = await getattr(connections, method)(site)
            except ControlRefused as error:
                raise click.ClickException(str(error)) from error
            return str(done or "done")

        click.echo(work())


_act(
    "token",
    "issue_token",
    "Print a new one-time token with which the agent of SITE enrols. Hand it over outside the network.",
)
_act(
    "rotate",
    "ask_rotation",
    "Ask the agent of SITE for a new WireGuard key; tunnels of the old one stay until the new ones work.",
)
_act(
    "revoke",
    "revoke",
    "Revoke SITE for good: its requests are refused, other sites end their tunnels with it.",
)


@controller.command("endpoint")
@click.argument("site")
@click.argument("address", default="")
def endpoint(site: str, address: str) -> None:
    """Set the Internet ADDRESS of SITE; without one the site is behind a router that translates addresses."""

    @platform_command
    async def work(platform: "Platform") -> None:
        from esante.services.healthnet.controller.model import ControlRefused

        await ensure_journal_month(platform)
        try:
            await _controller(platform).connections.set_endpoint(site, address)
        except (ControlRefused, ValueError) as error:
            raise click.ClickException(str(error)) from error

    work()


@controller.command("agent-file")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def write_agent_file(path: Path) -> None:
    """Write the agent's file to PATH, and its unit for systemd beside it."""
    from esante.services.healthnet.agent.packing import agent_file, unit_file

    path.write_bytes(agent_file())
    path.chmod(0o755)
    path.with_name("healthnet-agent.service").write_text(unit_file())


@controller.command("release-agent")
@click.argument("path", type=_file)
def release_agent(path: Path) -> None:
    """Release an agent's file to all sites: they install it by themselves, and undo it when it does not work."""

    @platform_command
    async def work(platform: "Platform") -> int:
        await ensure_journal_month(platform)
        return await _controller(platform).releases.release(path.read_bytes())

    click.echo(f"release {work()}")


@controller.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def backup(path: Path) -> None:
    """Write all that the controller keeps into a file; keep the root key apart from it."""

    @platform_command
    async def work(platform: "Platform") -> int:
        from esante.services.healthnet.controller.backup import write_backup

        return await write_backup(platform.db, _controller(platform).signer, path)

    click.echo(f"{work():,} rows")


@controller.command()
@click.argument("path", type=_file)
@click.confirmation_option(prompt="Replace all that the controller keeps now?")
def restore(path: Path) -> None:
    """Replace all that the controller keeps by a backup."""

    @platform_command
    async def work(platform: "Platform") -> int:
        from esante.services.healthnet.controller.backup import read_backup
        from esante.services.healthnet.controller.model import ControlRefused

        try:
            return await read_backup(platform.db, _controller(platform).signer, path)
        except ControlRefused as error:
            raise click.ClickException(str(error)) from error

    click.echo(f"{work():,} rows")
