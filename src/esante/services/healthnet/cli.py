"""The commands of the health network."""

import getpass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esante.command_line import ensure_journal_month, platform_command

if TYPE_CHECKING:
    from esante.contract import Platform
    from esante.services.healthnet.addresses.zone_file import ZoneFile
    from esante.services.healthnet.policy.model import Policy, Site
    from esante.services.healthnet.policy.parser import Vocabulary

_file = click.Path(exists=True, path_type=Path, dir_okay=False)
_sites = click.option("--sites", "sites_file", type=_file, help="CSV of sites: site,kind,profession,quarantined.")


@click.group()
def healthnet() -> None:
    """The national health network: who may reach what."""


@healthnet.command()
@click.argument("policy", type=_file, required=False)
@_sites
def check(policy: Path | None, sites_file: Path | None) -> None:
    """Check a POLICY: language, contradictions, invariants; each fault with line and remedy.

    Invariants are proved for every site that could exist. With --sites the policy is also compiled for the sites that
    there are. Without POLICY the packaged sample is checked. The exit status is 1 when something is wrong.
    """
    from esante.services.healthnet.policy.faults import PolicyError
    from esante.services.healthnet.policy.network import Network, check_sites

    loaded, sites, _ = _load(policy, sites_file)
    network = Network(loaded, sites)
    if sites_file:
        try:
            check_sites(loaded, network)
        except PolicyError as error:
            raise click.ClickException(str(error)) from error
    click.echo(
        f"{loaded.title}: {len(loaded.services)} services, {len(loaded.groups)} groups, {len(loaded.rules)} rules; "
        f"{len(loaded.invariants)} invariants hold." + ("" if loaded.is_verified else "  not verified")
    )
    if sites_file:
        click.echo(f"{len(sites):,} sites, {len(network.all_edges()):,} edges.")


@healthnet.command()
@click.argument("source", metavar="A")
@click.argument("target", metavar="B")
@click.argument("service")
@click.option("--policy", type=_file, help="File of the policy.  [default: the packaged sample]")
@_sites
@click.pass_context
def reach(
    context: click.Context, source: str, target: str, service: str, policy: Path | None, sites_file: Path | None
) -> None:
    """Say whether A reaches B by SERVICE, and the rule that says so; the exit status is 1 when it does not.

    A and B are keys of --sites, or KIND[/PROFESSION][+quarantined] for any such site: practice/doctor, hospital,
    practice/dentist+quarantined.
    """
    from esante.services.healthnet.policy.rules import Decider
    from esante.services.healthnet.policy.site_pattern import site_of

    loaded, sites, words = _load(policy, sites_file)
    by_key = {site.key: site for site in sites}
    try:
        one = site_of(source, by_key, words, place="source")
        other = site_of(target, by_key, words, place="target")
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if service not in loaded.services:
        raise click.UsageError(f"service {service!r} is unknown: one of {', '.join(loaded.services)}")
    decision = Decider(loaded).reach(one, other, service)
    verb = "reaches" if decision.is_allowed else "does not reach"
    click.echo(f"{source} {verb} {target} by {service}: {decision.cause}.")
    if decision.rule:
        because = f": {decision.rule.because}" if decision.rule.because else ""
        click.echo(f"{loaded.path}:{decision.rule.line}: rule {decision.rule.key}{because}")
    if not decision.is_allowed:
        context.exit(1)


def _load(policy: Path | None, sites_file: Path | None) -> "tuple[Policy, list[Site], Vocabulary]":
    from esante.services.healthnet.policy.faults import PolicyError
    from esante.services.healthnet.policy.parser import load_policy
    from esante.services.healthnet.policy.sites_file import load_sites
    from esante.services.healthnet.policy.vocabulary import national_vocabulary

    words = national_vocabulary()
    try:
        with as_file(files("esante.services.healthnet") / "data" / "policy.yaml") as packaged:
            loaded = load_policy(policy or packaged, words)
        return loaded, load_sites(sites_file, words) if sites_file else [], words
    except PolicyError as error:
        raise click.ClickException(str(error)) from error


@healthnet.command()
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@platform_command
async def prefixes(platform: "Platform", form: str) -> None:
    """Print the networks of all sites for NetBox, as CSV of its bulk import or as JSON of its API."""
    from esante.services.healthnet.addresses.netbox import to_csv, to_json
    from esante.services.healthnet.addresses.service import Addresses
    from esante.services.healthnet.sites.service import Sites

    sites, addresses = await platform[Sites].live(), await platform[Addresses].all()
    of_sites = {site.key: addresses[site.site_id] for site in sites if site.site_id in addresses}
    click.echo((to_csv if form == "csv" else to_json)(of_sites, {site.key: site.name for site in sites}), nl=False)


@healthnet.command("import-prefixes")
@click.argument("file", type=_file)
@click.option(
    "--by", default=getpass.getuser, help="The person named in the journal.  [default: the account of the shell]"
)
@platform_command
async def import_prefixes(platform: "Platform", file: Path, by: str) -> None:
    """Give sites the networks that a FILE of NetBox has (CSV or JSON), all or none; each fault with its place."""
    from esante.core.storage import uuid8
    from esante.identity.access import Requester
    from esante.services.healthnet.addresses.netbox import ExchangeError, parse_prefixes
    from esante.services.healthnet.addresses.service import Addresses
    from esante.services.healthnet.sites.service import Sites

    operator = Requester(kind="operator", id=uuid8(by.encode()), name=by)
    await ensure_journal_month(platform)
    try:
        found = parse_prefixes(_read(file))
        keys = {site.key: site.site_id for site in await platform[Sites].live()}
        changed = await platform[Addresses].take(operator, found, keys)
    except (ExchangeError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(found):,} networks, {changed:,} sites changed.")


@healthnet.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@platform_command
async def zones(platform: "Platform", folder: Path) -> None:
    """Write the private zone and its reverse zones to a FOLDER, a file each; those of before are replaced."""
    from esante.core import clock
    from esante.services.healthnet.addresses.service import Addresses
    from esante.services.healthnet.addresses.zone_file import zone_files
    from esante.services.healthnet.policy.rules import Decider
    from esante.services.healthnet.settings import HealthnetSettings
    from esante.services.healthnet.sites.service import Sites, policy_site

    settings = platform.settings.of(HealthnetSettings)
    loaded, _, _ = _load(Path(settings.healthnet_policy) if settings.healthnet_policy else None, None)
    decider, addresses = Decider(loaded), await platform[Addresses].all()
    sites = await platform[Sites].connected()
    of_sites = {site.key: addresses[site.site_id] for site in sites if site.site_id in addresses}
    masks = {site.key: decider.groups.mask(policy_site(site)) for site in sites}
    offered = {key: [site for site, mask in masks.items() if mask & bits] for key, bits in decider.offers.items()}
    serial = int(clock.now().timestamp())
    _write_zones(folder, zone_files(settings.healthnet_zone, serial, platform[Addresses].plan, of_sites, offered))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _write_zones(folder: Path, zones: "list[ZoneFile]") -> None:
    """Write each zone, and then put it in the place of the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    for zone in zones:
        written = folder / f".{zone.name}.part"
        written.write_text(zone.text, encoding="utf-8")
        written.replace(folder / f"{zone.name}.zone")
        click.echo(f"{zone.name}.zone")
