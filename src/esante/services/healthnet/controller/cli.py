"""The commands of the controller."""

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from esante.command_line import ensure_journal_month, platform_command

if TYPE_CHECKING:
    from esante.contract import Platform
    from esante.services.healthnet.controller.service import Controller

T = TypeVar("T")
_file = click.Path(exists=True, path_type=Path, dir_okay=False)


class _Content(click.Path):
    """A file that exists; the parameter is its content."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        return Path(str(super().convert(value, param, ctx))).read_bytes()  # type: ignore[arg-type]


_content = _Content(exists=True, dir_okay=False)


@click.group()
def controller() -> None:
    """The controller of the network: policies, tokens of agents, keys, backup."""


async def _done(platform: "Platform", work: Awaitable[T]) -> T:
    """Return what an act returns; a refusal is shown as an error of the command."""
    from esante.services.healthnet.controller.model import ControlRefused
    from esante.services.healthnet.policy.faults import PolicyError

    await ensure_journal_month(platform)
    try:
        return await work
    except (ControlRefused, PolicyError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _controller(platform: "Platform") -> "Controller":
    from esante.services.healthnet.controller.service import Controller

    return platform[Controller]


@controller.command("release")
@click.argument("policy", type=_content)
@click.option("--canary", multiple=True, help="A site that gets it first; again for another one.")
@click.option("--stages", default="5,25,100", show_default=True, help="Percentages of the sites.")
@click.option("--tolerance", default=2, show_default=True, help="Per cent of the sites that may fail.")
@platform_command
async def release_policy(
    platform: "Platform", policy: bytes, canary: tuple[str, ...], stages: str, tolerance: int
) -> None:
    """Roll out a POLICY in stages; it is undone by itself when sites cannot use it. The first is in force at once."""

    async def begin() -> object:
        percentages = [int(part) for part in stages.split(",")]
        rollouts = _controller(platform).rollouts
        return await rollouts.begin(policy.decode(), canary, stages=percentages, tolerance=tolerance)

    started = await _done(platform, begin())
    click.echo(f"roll-out {started} began" if started else "in force")


@controller.command("stop")
@click.argument("reason")
@platform_command
async def stop_rollout(platform: "Platform", reason: str) -> None:
    """Undo the roll-out that runs, for a REASON."""
    await _done(platform, _controller(platform).rollouts.stop(reason))


@controller.command()
@click.argument("site")
@platform_command
async def token(platform: "Platform", site: str) -> None:
    """Print a new one-time token with which the agent of SITE enrols. Hand it over outside the network."""
    click.echo(await _done(platform, _controller(platform).connections.issue_token(site)))


@controller.command()
@click.argument("site")
@platform_command
async def rotate(platform: "Platform", site: str) -> None:
    """Ask the agent of SITE for a new WireGuard key; tunnels of the old one stay until the new ones work."""
    await _done(platform, _controller(platform).connections.ask_rotation(site))


@controller.command()
@click.argument("site")
@platform_command
async def revoke(platform: "Platform", site: str) -> None:
    """Revoke SITE for good: its requests are refused, other sites end their tunnels with it."""
    await _done(platform, _controller(platform).connections.revoke(site))


@controller.command()
@click.argument("site")
@click.argument("address", default="")
@platform_command
async def endpoint(platform: "Platform", site: str, address: str) -> None:
    """Set the Internet ADDRESS of SITE; without one the site is behind a router that translates addresses."""
    await _done(platform, _controller(platform).connections.set_endpoint(site, address))


@controller.command()
@click.argument("site")
@click.option("--end", "is_over", is_flag=True, help="It relays no more.")
@platform_command
async def relay(platform: "Platform", site: str, *, is_over: bool) -> None:
    """Let SITE, one of the agency with an endpoint, relay tunnels of sites that cannot reach each other."""
    await _done(platform, _controller(platform).connections.set_relay(site, not is_over))


@controller.command("rotate-signing-key")
@platform_command
async def rotate_signing_key(platform: "Platform") -> None:
    """Announce a new key that signs bundles; the old one ends when all sites know the new one, after a day."""
    click.echo(f"key {await _done(platform, _controller(platform).signing_keys.rotate())} announced")


@controller.command("end-signing-key")
@click.option("--force", is_flag=True, help="Also when sites do not know the new key: they must be enrolled again.")
@platform_command
async def end_signing_key(platform: "Platform", *, force: bool) -> None:
    """End the old key at once, as when somebody else may have it."""
    await _done(platform, _controller(platform).signing_keys.end_old(is_forced=force))


@controller.command("agent-file")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def write_agent_file(path: Path) -> None:
    """Write the agent's file to PATH, and its unit for systemd beside it."""
    from esante.services.healthnet.agent.archive import agent_file, unit_file

    path.write_bytes(agent_file())
    path.chmod(0o755)
    path.with_name("healthnet-agent.service").write_text(unit_file(), "utf-8")


@controller.command("release-agent")
@click.argument("file", type=_content)
@platform_command
async def release_agent(platform: "Platform", file: bytes) -> None:
    """Release an agent's FILE to all sites: they install it by themselves, and undo it when it does not work."""
    click.echo(f"release {await _done(platform, _controller(platform).releases.release(file))}")


@controller.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@platform_command
async def backup(platform: "Platform", path: Path) -> None:
    """Write all that the controller keeps into a file; keep the root key apart from it."""
    from esante.services.healthnet.controller.backup import write_backup

    click.echo(f"{await _done(platform, write_backup(platform.db, _controller(platform).signer, path)):,} rows")


@controller.command()
@click.argument("path", type=_file)
@click.confirmation_option(prompt="Replace all that the controller keeps now?")
@platform_command
async def restore(platform: "Platform", path: Path) -> None:
    """Replace all that the controller keeps by a backup."""
    from esante.services.healthnet.controller.backup import read_backup

    click.echo(f"{await _done(platform, read_backup(platform.db, _controller(platform).signer, path)):,} rows")
