"""The commands of the register of sites, for operators."""

import getpass
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import click

from esante.command_line import by_option, ensure_journal_month, operator_of_shell, platform_command

if TYPE_CHECKING:
    from esante.contract import Platform
    from esante.services.healthnet.sites.model import NetworkSite, SiteRequest

T = TypeVar("T")
_key = click.argument("key", metavar="SITE")
_reason = click.option("--reason", required=True, help="Why, for the journal.")


@click.group()
def site() -> None:
    """The register of sites: ask for a connection, decide, suspend, put into quarantine, end; two persons decide."""


@site.command("list")
@click.option("--text", default="", help="A part of key, provider code, name, label or town.")
@click.option("--state", default="", help="Only sites in a state: requested, approved, active, suspended...")
@platform_command
async def list_sites(platform: "Platform", text: str, state: str) -> None:
    """List sites, the newest first."""
    from esante.services.healthnet.sites.service import Sites

    cursor: str | None = None
    while True:
        page = await _done(platform[Sites].page(operator_of_shell(getpass.getuser()), text, state, cursor))
        for one in page.items:
            _print(one)
        if (cursor := page.next) is None:
            return


_PLACE = (
    click.option("--label", default="1", show_default=True, help="Tells the places of a provider apart."),
    click.option("--line", required=True, help="Street and number."),
    click.option("--postal-code", required=True),
    click.option("--city", required=True),
    click.option("--service-class", required=True, help="A key of data/service_classes.toml."),
    click.option("--contact", required=True, help="The name of whom to call."),
    click.option("--phone", required=True),
    click.option("--email", required=True),
    by_option,
)


def _with_place(command: Callable[..., T]) -> Callable[..., T]:
    """Add the options that say where a site is, whom to call, and what it gets."""
    for option in reversed(_PLACE):
        command = option(command)
    return command


@site.command()
@click.argument("provider_code")
@_with_place
@platform_command
async def request(platform: "Platform", /, provider_code: str, by: str, **place: str) -> None:
    """Ask for a connection of a place of the provider with a PROVIDER_CODE."""
    from esante.services.healthnet.sites.service import Sites

    await ensure_journal_month(platform)
    _print(await _done(platform[Sites].request(operator_of_shell(by), _asked(provider_code, place))))


@site.command("request-platform")
@click.argument("name")
@_with_place
@platform_command
async def request_platform(platform: "Platform", /, name: str, by: str, **place: str) -> None:
    """Ask for a site of the agency itself, which has no provider code; NAME is that of the place."""
    from esante.services.healthnet.sites.service import Sites

    await ensure_journal_month(platform)
    _print(await _done(platform[Sites].request_platform(operator_of_shell(by), name, _asked("", place))))


@site.command()
@_key
@click.option("--refuse", is_flag=True, help="Refuse the request; a reason is needed.")
@click.option("--reason", default="", help="Why, for the journal.")
@by_option
@platform_command
async def decide(platform: "Platform", key: str, reason: str, by: str, *, refuse: bool) -> None:
    """Approve the request of a SITE, which gives it addresses, or refuse it; somebody else must have asked."""
    from esante.services.healthnet.sites.service import Sites

    found = await _found(platform, key)
    _print(
        await _done(platform[Sites].decide(operator_of_shell(by), found.site_id, approved=not refuse, reason=reason))
    )


@site.command()
@_key
@click.option("--end", "is_over", is_flag=True, help="End the quarantine.")
@_reason
@by_option
@platform_command
async def quarantine(platform: "Platform", key: str, reason: str, by: str, *, is_over: bool) -> None:
    """Put a SITE into quarantine, which keeps what the policy chose, or out of it."""
    from esante.services.healthnet.sites.service import Sites

    found = await _found(platform, key)
    act = platform[Sites].quarantine(operator_of_shell(by), found.site_id, reason, quarantined=not is_over)
    _print(await _done(act))


@site.command()
@_key
@click.option("--end", "is_over", is_flag=True, help="End the suspension.")
@_reason
@by_option
@platform_command
async def suspend(platform: "Platform", key: str, reason: str, by: str, *, is_over: bool) -> None:
    """Take a SITE off the network until the suspension ends."""
    from esante.services.healthnet.sites.service import Sites

    found, sites = await _found(platform, key), platform[Sites]
    act = sites.resume if is_over else sites.suspend
    _print(await _done(act(operator_of_shell(by), found.site_id, reason)))


@site.command()
@_key
@_reason
@by_option
@platform_command
async def end(platform: "Platform", key: str, reason: str, by: str) -> None:
    """End the connection of a SITE for good; its certificates are revoked."""
    from esante.services.healthnet.certificates.service import Certificates
    from esante.services.healthnet.sites.service import Sites

    found = await _found(platform, key)
    await _done(platform[Certificates].revoke(operator_of_shell(by), found, reason))
    _print(await _done(platform[Sites].end(operator_of_shell(by), found.site_id, reason)))


def _asked(code: str, place: Mapping[str, str]) -> "SiteRequest":
    """Return the request that the options of `_with_place` make."""
    from esante.identity.directory import Address
    from esante.services.healthnet.sites.model import Contact, SiteRequest

    return SiteRequest(
        provider_code=code,
        label=place["label"],
        address=Address(place["line"], place["postal_code"], place["city"]),
        service_class=place["service_class"],
        contact=Contact(name=place["contact"], phone=place["phone"], email=place["email"]),
    )


async def _found(platform: "Platform", key: str) -> "NetworkSite":
    """Return the site with a key. Raises: ClickException when there is none."""
    from esante.services.healthnet.sites.service import Sites

    await ensure_journal_month(platform)
    found = await platform[Sites].by_key(key)
    if found is None:
        raise click.ClickException(f"there is no site {key}: see `esante healthnet site list`")
    return found


async def _done(act: Awaitable[T]) -> T:
    """Await an act; a refusal is shown without a trace."""
    from esante.core.web import Problem

    try:
        return await act
    except Problem as problem:
        words = (problem.place and f"{problem.place}:", problem.title, problem.remedy, problem.detail)
        raise click.ClickException(" ".join(filter(None, words))) from problem


def _print(one: "NetworkSite") -> None:
    state = one.state.value + (" in quarantine" if one.is_quarantined else "")
    click.echo(f"{one.key}  {state:<12}  {one.provider_code:<8}  {one.kind:<12}  {one.name}, {one.label}")
