"""The commands of the health network."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esante.command_line import by_option, ensure_journal_month, platform_command

if TYPE_CHECKING:
    from esante.contract import Platform
    from esante.services.healthnet.addresses.zone_file import ZoneFile
    from esante.services.healthnet.policy.model import Policy, Site
    from esante.services.healthnet.policy.parser import Vocabulary

_file = click.Path(exists=True, path_type=Path, dir_okay=False)
MIN_PASSWORD = 12
"""Characters of the password of the root's key."""
_sites = click.option("--sites", "sites_file", type=_file, help="CSV of sites: site,kind,profession,quarantined.")


@click.group()
def healthnet() -> None:
    """The national health network: who may reach what."""


@healthnet.command()
@click.argument("policy", type=_file, required=False)
@_sites
@click.option("--agreement", "agreements", type=_file, multiple=True, help="Document of a federation.  [repeatable]")
def check(policy: Path | None, sites_file: Path | None, agreements: tuple[Path, ...]) -> None:
    """Check a POLICY: language, contradictions, invariants; each fault with line and remedy.

    Invariants are proved for every site that could exist. With --sites the policy is also compiled for the sites that
    there are. Without POLICY the packaged sample is checked. What a federation may reach must be named by its
    --agreement (its signature is not looked at here). The exit status is 1 when something is wrong.
    """
    from esante.services.healthnet.policy.faults import PolicyError
    from esante.services.healthnet.policy.network import Network, check_sites

    loaded, sites, words = _load(policy, sites_file)
    _check_federations(loaded, agreements, words)
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

    A and B are keys of --sites, KIND[/PROFESSION][+quarantined] for any such site (practice/doctor, hospital,
    practice/dentist+quarantined), or federation/NAME for the network of another operator.
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


def _check_federations(policy: "Policy", files: tuple[Path, ...], words: "Vocabulary") -> None:
    from esante.services.healthnet.federation.document import NotAgreed, parse_document
    from esante.services.healthnet.federation.rules import federation_faults

    agreements = {}
    for file in files:
        try:
            found = parse_document(file.read_text(encoding="utf-8", errors="replace"))
        except NotAgreed as error:
            raise click.ClickException(f"{file.name}: {error}") from error
        agreements[found.terms.federation] = found.terms
    if faults := federation_faults(policy, agreements, words.kinds, words.professions):
        raise click.ClickException("\n".join(map(str, faults)))


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
@by_option
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


@healthnet.group()
def ca() -> None:
    """The certificate authority: a root that stays offline, and the intermediate authority of this installation."""


@ca.command("make-root")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--organization", required=True, help="The name of the agency in the certificate.")
@click.password_option(help="What the key is encrypted with; asked for where it is not given.")
def make_root(folder: Path, organization: str, password: str) -> None:
    """Make root.pem and root.key in FOLDER, on a machine without a network (docs/healthnet.md, ceremony)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    from esante.core import clock
    from esante.core.storage import read_or_create_key
    from esante.core.time_zone import today
    from esante.services.healthnet.certificates import authority
    from esante.services.healthnet.certificates.algorithms import ALGORITHMS
    from esante.services.healthnet.certificates.terms import terms_on

    if (folder / "root.key").exists():
        raise click.ClickException(f"{folder / 'root.key'} exists: a root is made once; name another folder")
    if len(password) < MIN_PASSWORD:
        raise click.ClickException(f"the password has fewer than {MIN_PASSWORD} characters")
    terms = terms_on(today())
    key = ALGORITHMS[terms.root_algorithm].make_key()
    certificate = authority.make_root(key, organization, clock.now(), terms.root_lasts)
    encryption = BestAvailableEncryption(password.encode())
    read_or_create_key(folder / "root.key", lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    (folder / "root.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    click.echo(f"{terms.root_algorithm}, until {certificate.not_valid_after_utc:%Y-%m-%d}")
    click.echo(f"SHA-256 {certificate.fingerprint(SHA256()).hex(':')}")


@ca.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path, file_okay=False))
@click.argument("request", type=_file)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default="healthnet.pem", show_default=True)
@click.password_option(confirmation_prompt=False, help="The password of the root's key.")
def sign(folder: Path, request: Path, out: Path, password: str) -> None:
    """Sign the REQUEST of an installation with the root in FOLDER, on the machine without a network."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    from esante.core import clock
    from esante.core.time_zone import today
    from esante.services.healthnet.certificates import authority
    from esante.services.healthnet.certificates.terms import terms_on

    try:
        root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
        key = load_pem_private_key((folder / "root.key").read_bytes(), password.encode())
        parsed = authority.parse_request(request.read_bytes())
        lasts = terms_on(today()).intermediate_lasts
        found = authority.sign_intermediate(root, key, parsed, clock.now(), lasts)
    except (OSError, ValueError, TypeError) as error:
        raise click.ClickException(f"{error}") from error
    out.write_bytes(found.public_bytes(Encoding.PEM))
    click.echo(f"{out}: until {found.not_valid_after_utc:%Y-%m-%d}")


@ca.command("request")
@platform_command
async def request_certificate(platform: "Platform") -> None:
    """Print the request of this installation, which the root signs."""
    from esante.services.healthnet.certificates.service import Certificates

    click.echo(platform[Certificates].request(), nl=False)


@ca.command()
@click.argument("certificate", type=_file)
@click.argument("root", type=_file)
@by_option
@platform_command
async def install(platform: "Platform", certificate: Path, root: Path, by: str) -> None:
    """Take the CERTIFICATE that the ROOT signed for this installation into use."""
    from esante.core.storage import uuid8
    from esante.core.web import Problem
    from esante.identity.access import Requester
    from esante.services.healthnet.certificates.service import Certificates

    operator = Requester(kind="operator", id=uuid8(by.encode()), name=by)
    await ensure_journal_month(platform)
    try:
        found = await platform[Certificates].install(operator, _read(certificate).encode(), _read(root).encode())
    except Problem as problem:
        raise click.ClickException(" ".join(filter(None, (problem.title, problem.detail)))) from problem
    click.echo(f"installed, until {found.not_valid_after_utc:%Y-%m-%d}")
