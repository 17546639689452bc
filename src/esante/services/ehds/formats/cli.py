"""The command that checks documents of the European exchange format."""

import json
import sys

import click


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print an array of {file, guide, article, ok, findings}.")
def check(files: tuple[str, ...], *, as_json: bool) -> None:
    """Tell what of R4, IPS and the European guides the document in each FILE breaks (- for standard input).

    Each finding has its place, the rule, the guide with its article, and what to do. Exit status 1 when there is an
    error, 2 when a file cannot be read.
    """
    from esante.core.fhir import DefinitionsMissing
    from esante.services.ehds.formats.files import check_file

    try:
        found = [check_file(name) for name in files]
    except DefinitionsMissing as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(line for one in found for line in one.lines()))
    sys.exit(0 if all(one.ok for one in found) else 1 if all(one.is_readable for one in found) else 2)
