"""The command `esante conformance`: run a kit against a target, and read its report."""

import asyncio
import sys
from pathlib import Path
from typing import IO

import click
import orjson

from esante.command_line import ProgressBar
from esante.core.storage import read_or_create_key
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Kit, Run, Verdict
from esante.services.conformance.kits.report import (
    ReportError,
    new_key,
    read_key,
    read_run,
    report,
    report_pdf,
    sign,
    transcript_line,
    verify,
)
from esante.services.conformance.kits.runner import run_kit


class _Kits(click.Group):
    """The group of kits: each kit is a command."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, or that of a kit."""
        return super().get_command(ctx, cmd_name) or (_command(kits()[cmd_name]) if cmd_name in kits() else None)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the kits and of the other commands."""
        return sorted({*super().list_commands(ctx), *kits()})


@click.group(cls=_Kits)
def conformance() -> None:
    """Test software against the requirements of an interface, and read reports."""


def _command(kit: Kit) -> click.Command:
    """Return the command that runs a kit."""

    def execute(target: str, json_: bool, out: Path | None, sign_with: Path | None, **given: str | None) -> None:
        values = {one.name: given[one.name.replace("-", "_")] for one in kit.options}
        options = {name: _value(value) for name, value in values.items() if value}
        with ProgressBar(kit.name) as progress:
            run = asyncio.run(run_kit(kit, target, options, progress))
        content = report(run, kit)
        if out is not None:
            _write(out, run, kit, sign_with)
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() if json_ else _text(run, kit))
        sys.exit(0 if run.passed else 1)

    options = [
        click.Option(["--target"], required=True, help="Address of what is tested."),
        click.Option(["--json", "json_"], is_flag=True, help="Print the report as JSON."),
        click.Option(["--out"], type=click.Path(path_type=Path), help="Folder for report.json, .jws and .pdf."),
        click.Option(
            ["--sign-with"], type=click.Path(path_type=Path, dir_okay=False), help="Key file; made when missing."
        ),
        *(click.Option([f"--{one.name}"], help=_help(one.help, secret=one.secret)) for one in kit.options),
    ]
    summary = f"{kit.titles['en']}, version {kit.version}: {len(kit.requirements)} requirements."
    return click.Command(kit.name, params=[*options], callback=execute, help=summary)


def _help(text: str, *, secret: bool) -> str:
    return f"{text} Give it as @FILE, so that it does not stand in the history of the shell." if secret else text


def _value(value: str) -> str:
    """Return the value of an option, or the content of the file that it names after an @."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise click.ClickException(f"{value[1:]}: {error.strerror}") from error


def _write(folder: Path, run: Run, kit: Kit, key: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = report(run, kit)
    signing = read_key(read_or_create_key(key or folder / "report-key.pem", new_key))
    (folder / "report.json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    (folder / "report.jws").write_text(sign(content, signing), encoding="utf-8")
    (folder / "report.pdf").write_bytes(report_pdf(run, kit, "en"))


def _text(run: Run, kit: Kit) -> str:
    """Return a run as text: one line a requirement, and what was wrong below it."""
    known, lines = {one.id: one for one in kit.requirements}, []
    for one in run.outcomes:
        requirement = known[one.requirement]
        lines.append(f"{one.requirement}  {one.verdict.value:<14}  {requirement.titles['en']}")
        if one.verdict in (Verdict.FAILED, Verdict.BLOCKED, Verdict.NOT_APPLICABLE):
            lines.append(f"        {one.what} {one.remedy}".rstrip())
        if one.verdict is Verdict.FAILED:
            lines.append(f"        required: {requirement.requires} ({requirement.source})")
            lines += [f"        {transcript_line(exchange)}" for exchange in one.exchanges]
    met, failed = run.count(Verdict.PASSED), run.count(Verdict.FAILED)
    seconds = (run.ended_at - run.started_at).total_seconds()
    return "\n".join([*lines, f"{met} of {len(run.outcomes)} met, {failed} not met, in {seconds:.1f} s"])


@conformance.command("verify")
@click.argument("file", type=click.File("r"))
@click.option(
    "--key", required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Key file: PEM or JWK."
)
def verify_report(file: IO[str], key: Path) -> None:
    """Verify the signature of a report (report.jws) and print its result."""
    try:
        run = read_run(verify(file.read().strip(), read_key(key.read_bytes())))
    except (ReportError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"valid: {run.kit} {run.kit_version} of {run.target}, {'passed' if run.passed else 'not passed'}")
