"""The command that checks a nomenclature before it is used."""

import json
from pathlib import Path

import click

MOST_BYTES = 50_000_000


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print {file, acts, periods, refused: [{row, code, reason}]}.")
def nomenclature(file: Path, *, as_json: bool) -> None:
    """Check FILE, a nomenclature as CSV, and print what it holds and every row that is refused.

    A file with a refused row is not used at all; then the exit status is 1. To use a file, name it acts.csv and give
    its folder as ESANTE_BILLING_DATA.
    """
    from esante.services.billing.nomenclature import report_of, use_folder
    from esante.services.billing.settings import BillingSettings
    from esante.settings import Settings

    if file.stat().st_size > MOST_BYTES:
        raise click.ClickException(f"{file.name}: more than {MOST_BYTES:,} bytes")
    try:
        use_folder(Settings.from_environ().of(BillingSettings).billing_data)
        report = report_of(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    periods = sum(len(found) for found in report.acts.values())
    if as_json:
        refused = [{"row": one.row, "code": one.code, "reason": one.reason} for one in report.refusals]
        answer = {"file": file.name, "acts": len(report.acts), "periods": periods, "refused": refused}
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
    else:
        for one in report.refusals:
            click.echo(f"line {one.row}: {one.code or '(no code)'}: {one.reason}")
        click.echo(f"{len(report.acts)} acts with {periods} periods, {len(report.refusals)} refusals")
        click.echo("nothing of it can be used" if report.refusals else "it can be used")
    if report.refusals:
        raise SystemExit(1)
