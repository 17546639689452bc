"""The commands of the SOC."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from esante.command_line import ProgressBar, data_option, ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core.storage import NIL, EmbeddedError, Unavailable
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.services.soc.health.cli import benchmark, detections, invented, watch
from esante.settings import Settings

if TYPE_CHECKING:
    from esante.services.soc.intake.process import IntakePlan

_existing = click.Path(exists=True, path_type=Path)


@click.group()
def soc() -> None:
    """The security operations centre."""


@soc.command()
@click.argument("events", nargs=-1, required=True, type=_existing)
@click.option("--rules", required=True, type=_existing, help="Folder of Sigma rules, or one file.")
@click.option("--json", "as_json", is_flag=True, help="Print [{rule, id, hits}] instead of a table.")
def scan(events: tuple[Path, ...], rules: Path, *, as_json: bool) -> None:
    """Match files of events against Sigma rules, and print the hits of each rule.

    EVENTS are files or folders: JSON (a line each, an array, one after another), EVTX, logs of text lines, ZIP files
    of these. What could not be loaded or read is listed on standard error.
    """
    from esante.services.soc.rules.rule_set import load_rules
    from esante.services.soc.scan.scan import scan as scan_files

    loaded = load_rules(rules)
    for fault in loaded.faults:
        click.echo(f"not loaded: {fault}", err=True)
    with ProgressBar("events") as progress:
        found = scan_files(list(events), loaded, progress)
    for event_fault in found.faults:
        click.echo(f"not read: {event_fault}", err=True)
    if found.unlisted:
        click.echo(f"not read: {found.unlisted:,} more", err=True)
    for key, count in found.dropped.items():
        click.echo(f"{key}: {count:,} groups were dropped, since there are too many at a time", err=True)
    if as_json:
        hits = [{"rule": rule.title, "id": rule.key, "hits": count} for rule, count in found.hits]
        click.echo(json.dumps(hits, ensure_ascii=False, indent=2))
    else:
        for rule, count in found.hits:
            click.echo(f"{count:>9,}  {rule.level:<13}  {rule.title}  ({rule.key})")
        click.echo(
            f"{found.events:,} events, {len(loaded.rules):,} rules and {len(loaded.correlations):,} correlations "
            f"({len(loaded.faults):,} not loaded), {len(found.hits):,} of them with hits."
        )
    if found.faults and not found.events:
        raise click.ClickException("no event could be read.")


@soc.group()
def evidence() -> None:
    """Evidence of cases."""


@evidence.command()
@platform_command
async def verify(platform: "Platform") -> None:
    """Check the evidence of every case: its chain, its contents, and the values that the journal has.

    The exit status is 1 when something was changed or is missing.
    """
    from esante.core.web import translator
    from esante.services.soc.evidence.service import CaseEvidence

    found, gettext = await platform[CaseEvidence].verify_all(), translator("en").gettext
    for reference, faults in found.items():
        for fault in faults:
            click.echo(f"{reference} item {fault.position}: {gettext(fault.what)}")
    count = sum(bool(faults) for faults in found.values())
    click.echo(f"{len(found):,} cases with evidence, {count:,} of them with faults.")
    if count:
        raise SystemExit(1)


@soc.group()
def rules() -> None:
    """Sigma rules."""


@rules.command()
@click.argument("folder", type=_existing)
def check(folder: Path) -> None:
    """Say which rules of a folder can be loaded into the platform.

    A rule needs a positive and a negative sample that hold: NAME.positive.json and NAME.negative.json beside NAME.yml.
    The exit status is 1 when a rule is not admitted.
    """
    from esante.services.soc.scan.samples import load_admitted_rules

    admitted = load_admitted_rules(folder)
    for fault in admitted.faults:
        click.echo(f"not admitted: {fault}")
    count = len(admitted.rules) + len(admitted.correlations)
    click.echo(f"{count:,} rules and correlations admitted, {len(admitted.faults):,} not.")
    if admitted.faults:
        raise SystemExit(1)


@soc.group()
def member() -> None:
    """Members: organisations whose events are watched."""


@member.command("admit")
@click.argument("identifier")
@click.option("--quota", type=int, default=500, show_default=True, help="Events a second that it may send.")
@platform_command
async def admit_member(platform: Platform, identifier: str, quota: int) -> None:
    """Admit the organisation with IDENTIFIER (SYSTEM|VALUE or VALUE)."""
    from esante.identity.directory import Directory
    from esante.services.soc.tenants.service import Tenants

    system, separator, value = identifier.rpartition("|")
    organization = await platform[Directory].find_organization(system if separator else None, value)
    if organization is None:
        raise click.ClickException(f"no organisation has the identifier {identifier}")
    await ensure_journal_month(platform)
    with _problems():
        tenant = await platform[Tenants].admit(_operator(), organization.id, quota)
    click.echo(f"{tenant.tenant_id}  {tenant.name}")


@member.command("list")
@platform_command
async def list_members(platform: Platform) -> None:
    """Print the members: key, quota, whether active, name."""
    from esante.services.soc.tenants.service import Tenants

    cursor, more = None, True
    while more:
        page = await platform[Tenants].page(_operator(), cursor=cursor)
        for one in page.items:
            state = "active" if one.is_active else "ended"
            click.echo(f"{one.tenant_id}  {one.events_per_second:>7,}/s  {state:<6}  {one.name or 'the agency'}")
        cursor, more = page.next, page.next is not None


@soc.group()
def source() -> None:
    """Sources of members, and their keys."""


@source.command("add")
@click.argument("member_id", type=click.UUID)
@click.argument("name")
@click.option("--kind", type=click.Choice(["syslog", "audit", "windows", "application", "files"]), default="syslog")
@click.option("--expected-every", type=int, help="Minutes after which silence is an alert.  [default: never]")
@platform_command
async def add_source(platform: Platform, member_id: UUID, name: str, kind: str, expected_every: int | None) -> None:
    """Add a source with NAME to the member MEMBER_ID; print its key."""
    from esante.services.soc.sources.model import SourceKind
    from esante.services.soc.sources.service import Sources

    await ensure_journal_month(platform)
    every = timedelta(minutes=expected_every) if expected_every is not None else None
    with _problems():
        found = await platform[Sources].add(_operator(), member_id, name, SourceKind(kind), every)
    click.echo(str(found.source_id))


@source.command("list")
@click.argument("member_id", type=click.UUID)
@platform_command
async def list_sources(platform: Platform, member_id: UUID) -> None:
    """Print the sources of a member: events, those that could not be read with a sample, last event, name."""
    from esante.services.soc.sources.service import Sources
    from esante.services.soc.storage.model import EventQuery
    from esante.services.soc.storage.service import EventStore
    from esante.services.soc.tenants.model import Scope

    with _problems():
        found = await platform[Sources].all(_operator(), member_id)
    for one in found:
        last = f"{one.last_event_at:%Y-%m-%d %H:%M:%S}Z" if one.last_event_at else "never"
        click.echo(f"{one.source_id}  {one.kind:<11}  {one.events:>12,}  {last:<20}  {one.name}")
        if one.faults:
            query = EventQuery(source_id=one.source_id, faults=True)
            samples = await platform[EventStore].search(Scope(member_id), query, limit=1)
            reason = samples[0].fault if samples else "older than what is kept"
            click.echo(f"    {one.faults:,} could not be read; the last one: {reason}")


@source.command("key")
@click.argument("member_id", type=click.UUID)
@click.argument("source_id", type=click.UUID)
@click.option("--days", type=int, default=365, show_default=True, help="For how long it works.")
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A client certificate (PEM) to be registered, instead of a new key.",
)
@platform_command
async def issue_key(platform: Platform, member_id: UUID, source_id: UUID, days: int, certificate: Path | None) -> None:
    """Give a source a key, which is printed this once, or register its client certificate."""
    from esante.services.soc.sources.service import Sources

    await ensure_journal_month(platform)
    sources = platform[Sources]
    pem = await asyncio.to_thread(certificate.read_bytes) if certificate is not None else None
    with _problems():
        if pem is not None:
            key = await sources.register_certificate(_operator(), member_id, source_id, pem)
        else:
            key, secret = await sources.issue_key(_operator(), member_id, source_id, days)
            click.echo(secret)
    click.echo(f"key {key.key_id}, until {key.expires_at:%Y-%m-%d}", err=True)


@source.command("revoke")
@click.argument("member_id", type=click.UUID)
@click.argument("key_id", type=click.UUID)
@platform_command
async def revoke_key(platform: Platform, member_id: UUID, key_id: UUID) -> None:
    """Revoke a key or certificate: its connections end within seconds."""
    from esante.services.soc.sources.service import Sources

    await ensure_journal_month(platform)
    with _problems():
        await platform[Sources].revoke(_operator(), member_id, key_id)


@soc.command()
@click.argument("files", nargs=-1, required=True, type=_existing)
@click.option("--member", "member_id", required=True, type=click.UUID, help="The member whose events they are.")
@click.option("--source", "source_id", required=True, type=click.UUID, help="Its source that they are of.")
@platform_command
async def load(platform: Platform, files: tuple[Path, ...], member_id: UUID, source_id: UUID) -> None:
    """Store the events of FILES (EVTX, JSON, ZIP, logs of text lines) for a member, and match them with the rules.

    A finding that was made of the same events before raises no second alert.
    """
    from esante.services.soc.alerts.service import Alerts
    from esante.services.soc.findings.observed_values import ObservedValues
    from esante.services.soc.findings.rule_folder import RuleFolder
    from esante.services.soc.intake.file_loader import load_files
    from esante.services.soc.intake.pipeline import Pipeline
    from esante.services.soc.intelligence.service import Intelligence
    from esante.services.soc.settings import SocSettings
    from esante.services.soc.sharing.sightings import SightingBook
    from esante.services.soc.sources.service import Sources
    from esante.services.soc.storage.service import EventStore

    await ensure_journal_month(platform)
    with _problems():
        found = await platform[Sources].source(_operator(), member_id, source_id)
    folder = platform.settings.of(SocSettings).soc_rules
    rules = RuleFolder(Path(folder) if folder else None)
    await rules.read()
    observed = ObservedValues(platform[Intelligence].matcher, platform[SightingBook])
    await platform[Intelligence].matcher.refresh()
    pipeline = Pipeline(platform.db, platform[EventStore], platform[Alerts], rules.rules, observed, archived=True)
    working = asyncio.create_task(pipeline.run())
    with ProgressBar("events") as progress:
        loaded = await load_files(pipeline, found, list(files), progress)
    await pipeline.drain()
    working.cancel()
    for fault in loaded.faults:
        click.echo(f"not read: {fault}", err=True)
    if loaded.unlisted:
        click.echo(f"not read: {loaded.unlisted:,} more", err=True)
    click.echo(f"{loaded.events:,} events stored, {loaded.unreadable:,} of them unreadable.")


@soc.command()
@click.option("--syslog-tls", multiple=True, help="HOST:PORT of syslog over TLS (RFC 5425); may be repeated.")
@click.option("--syslog", multiple=True, help="HOST:PORT of syslog over TCP without TLS.")
@click.option("--https", multiple=True, help="HOST:PORT of HTTPS.")
@click.option("--http", multiple=True, help="HOST:PORT of HTTP without TLS.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@data_option
def intake(
    syslog_tls: tuple[str, ...],
    syslog: tuple[str, ...],
    https: tuple[str, ...],
    http: tuple[str, ...],
    workers: int,
    data: Path | None,
) -> None:
    """Take events of members. Keys and events pass unprotected where there is no TLS: only within a protected network.

    The certificate is named by ESANTE_SOC_CERTIFICATE and ESANTE_SOC_KEY, the folder of rules by ESANTE_SOC_RULES.
    """
    from esante.services.soc.intake.listener import listen
    from esante.services.soc.intake.process import IntakePlan, run_workers
    from esante.services.soc.settings import SocSettings

    settings = Settings.from_environ(data=data)
    own = settings.of(SocSettings)
    if not any((syslog_tls, syslog, https, http)):
        raise click.UsageError("say where to listen: --syslog-tls, --https, --syslog or --http.")
    if (syslog_tls or https) and not (own.soc_certificate and own.soc_key):
        raise click.UsageError("TLS needs ESANTE_SOC_CERTIFICATE and ESANTE_SOC_KEY.")
    try:
        syslog_sockets, tls_sockets, http_sockets, https_sockets = (
            tuple(map(listen, addresses)) for addresses in (syslog, syslog_tls, http, https)
        )
    except (ValueError, OSError) as error:
        raise click.ClickException(f"cannot listen: {error}") from error
    plan = IntakePlan(
        settings=settings,
        syslog=syslog_sockets,
        syslog_tls=tls_sockets,
        http=http_sockets,
        https=https_sockets,
        certificate=own.soc_certificate,
        key=own.soc_key,
        rules=Path(own.soc_rules) if own.soc_rules else None,
    )
    if workers == 1:
        work(plan)
    else:
        run_workers(work, plan, workers)


def work(plan: "IntakePlan") -> None:
    """Run one process of the intake."""
    from esante.app import open_platform
    from esante.services.soc.alerts.service import Alerts
    from esante.services.soc.findings.observed_values import ObservedValues
    from esante.services.soc.intake.process import Intake, serve_intake
    from esante.services.soc.intelligence.service import Intelligence
    from esante.services.soc.sharing.sightings import SightingBook
    from esante.services.soc.storage.service import EventStore

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")

    async def serve() -> None:
        async with open_platform(plan.settings) as platform:
            stores = platform.db, platform.journal, platform[EventStore], platform[Alerts]
            observed = ObservedValues(platform[Intelligence].matcher, platform[SightingBook])
            await serve_intake(Intake(*stores, observed, plan))

    try:
        # Not by uvloop (0.23): over TLS it drops what it has received when a sender that is held back closes.
        asyncio.run(serve())
    except (Unavailable, EmbeddedError, LookupError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error


def _operator() -> Requester:
    """Return whoever runs a command on the machine of the platform."""
    return Requester(kind="operator", id=NIL, name="esante")


@contextmanager
def _problems() -> Iterator[None]:
    """Show a refusal as a line."""
    from esante.core.web import translator

    try:
        yield
    except Problem as problem:
        _ = translator("en").gettext
        texts = (_(problem.title), _(problem.remedy) if problem.remedy else "")
        raise click.ClickException(" ".join(filter(None, texts))) from problem


for _command in (watch, invented, benchmark, detections):
    soc.add_command(_command)
