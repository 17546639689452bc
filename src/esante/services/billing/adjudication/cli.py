"""The command that adjudicates a note in a file."""

import json
from datetime import date, datetime
from pathlib import Path

import click

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--json", "as_json", is_flag=True, help="Print the decision as JSON; amounts are texts with two decimals."
)
@click.option("--born", type=_DAY, help="Birth date of the patient.  [default: as in the note or the matricule]")
@click.option("--covered/--not-covered", default=True, help="Whether the patient is insured.  [default: covered]")
@click.option("--third-party-payer", is_flag=True, help="The insurance pays the whole tariff to the provider.")
@click.option("--profession", default="doctor", show_default=True, help="Profession of whoever did the acts.")
@click.option("--speciality", "specialities", multiple=True, help="Their speciality, repeatable.  [default: all]")
@click.option("--received", type=_DAY, help="The day of the decision.  [default: that of the note]")
@click.option("--without-amounts", is_flag=True, help="Take no notice of what the note charges, as before charging.")
@click.option("--language", type=click.Choice(["fr", "de", "en", "lb"]), default="en", show_default=True)
def simulate(
    file: Path,
    *,
    as_json: bool,
    born: datetime | None,
    covered: bool,
    third_party_payer: bool,
    profession: str,
    specialities: tuple[str, ...],
    received: datetime | None,
    without_amounts: bool,
    language: str,
) -> None:
    """Adjudicate the note in FILE (national XML, ZIP with one, or FHIR Claim) and print each line with its rules.

    Nothing is sent or kept, and no database is needed. Earlier acts and approvals are not known to it.
    """
    from esante.services.billing.adjudication.simulation import (
        Assumptions,
        CannotSimulate,
        as_json_object,
        as_table,
        simulate_file,
    )
    from esante.services.billing.settings import BillingSettings
    from esante.settings import Settings

    assumptions = Assumptions(
        born=_day(born),
        covered=covered,
        third_party_payer=third_party_payer,
        profession=profession,
        specialities=specialities,
        received=_day(received),
        has_amounts=not without_amounts,
    )
    folder = Settings.from_environ().of(BillingSettings).billing_data
    try:
        decided = simulate_file(file, assumptions, folder)
    except CannotSimulate as error:
        raise click.ClickException("\n".join(f"{file.name}: {fault}" for fault in error.faults)) from error
    if as_json:
        click.echo(json.dumps(as_json_object(decided, language), ensure_ascii=False, indent=1))
    else:
        click.echo(as_table(decided, language))


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
