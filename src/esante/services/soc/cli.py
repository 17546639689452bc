"""The commands of the SOC."""

import json
from pathlib import Path

import click

from esante.services.soc.health.cli import benchmark, invented, watch

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
    from esante.command_line import ProgressBar
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


for _command in (watch, invented, benchmark):
    soc.add_command(_command)
