"""The commands of the health network."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
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
