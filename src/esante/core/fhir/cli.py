"""The commands of FHIR."""

import json
import sys
import time

import click

from esante.command_line import ProgressBar


@click.group()
def fhir() -> None:
    """FHIR R4 resources in files."""


@fhir.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print an array of {file, valid, issues}.")
@click.option("--profile", metavar="URL", multiple=True, help="Check against this profile too; any other tells which.")
def validate(files: tuple[str, ...], *, as_json: bool, profile: tuple[str, ...]) -> None:
    """Tell all that is wrong with the resource in each FILE (- for standard input), each problem with line and column.

    Exit status 1 when there is an error, 2 when a file cannot be read.
    """
    from esante.core.fhir import DefinitionsMissing
    from esante.core.fhir.profiles import UnknownProfile
    from esante.core.fhir.validation import FileReport, check_file, summarise

    began = time.monotonic()
    found: list[FileReport] = []
    try:
        with ProgressBar("checking") as progress:
            for name in files:
                if len(files) > 1 and time.monotonic() - began > 2:
                    progress(len(found), len(files))
                found.append(check_file(name, profile))
    except (DefinitionsMissing, UnknownProfile) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(line for one in found for line in one.lines()))
        if len(found) > 1:
            click.echo(summarise(found))
    sys.exit(0 if all(one.valid for one in found) else 1 if all(one.usable for one in found) else 2)
