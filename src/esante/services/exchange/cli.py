"""The commands of the exchange across borders."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from esante.core.types import Json

if TYPE_CHECKING:
    from esante.services.exchange.conversion import CdaDocument, FhirDocument

T = TypeVar("T")
_file = click.Path(dir_okay=False, allow_dash=True)
_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def exchange() -> None:
    """Documents that cross a border: their codes, their language, their form."""


@exchange.command()
@click.argument("file", type=_file)
@click.option("--to", "language", required=True, metavar="LANG", help="Language of the displays: fr, de, fr-LU.")
@click.option("--catalogue", type=_folder, help="Folder of the catalogue; without it a small sample of HL7's codes.")
@click.option("--json", "as_json", is_flag=True, help="Print the account of every coded element, and the document.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the translated document there.")
def translate(file: str, language: str, catalogue: Path | None, *, as_json: bool, output: Path | None) -> None:
    """Transcode the CDA in FILE (- for standard input) to the pivot and translate its displays.

    Exit status 1 when a coded element cannot be understood, 2 when the file or the catalogue cannot be used.
    """
    from esante.services.exchange.terminology import load_catalogue, sample_catalogue
    from esante.services.exchange.translation import Outcome
    from esante.services.exchange.translation import translate as translate_document

    data = _read(file, as_json=as_json)
    loaded = _usable(lambda: load_catalogue(catalogue) if catalogue else sample_catalogue(), file, as_json=as_json)
    done = _usable(lambda: translate_document(data, language, loaded), file, as_json=as_json)
    if output:
        _write(output, done.document)
    if as_json:
        report: Json = {
            "file": file,
            "language": language,
            "catalogue": {
                "folder": str(catalogue) if catalogue else "sample",
                "date": loaded.day.isoformat() if loaded.day else None,
                "languages": loaded.languages,
                "valueSets": {one.oid: one.version for one in loaded.value_sets.values()},
            },
            "counts": done.counts,
            "elements": [element.as_json() for element in done.elements],
            "document": done.document.decode("utf-8"),
        }
        click.echo(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        for element in done.elements:
            if element.outcome not in (Outcome.FORMER, Outcome.FIXED):
                code, system, display = element.after
                click.echo(f"{element.outcome:17} {code or element.null_flavor} ({system}) {display}  {element.place}")
        click.echo(", ".join(f"{count} {name}" for name, count in done.counts.items() if count))
        if not output:
            click.echo("The document was not written: name a file with --output.", err=True)
    sys.exit(1 if done.faults else 0)


@exchange.command()
@click.argument("file", type=_file)
@click.option("--to", "form", required=True, type=click.Choice(["cda", "fhir"]), help="The form that is wanted.")
@click.option("--json", "as_json", is_flag=True, help="Print the fate of every leaf, and the document.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the converted document there.")
def convert(file: str, form: str, *, as_json: bool, output: Path | None) -> None:
    """Convert the CDA in FILE (- for standard input) to a document of FHIR R4, or one of FHIR to CDA.

    The account lists every attribute, text or primitive of FILE: kept, moved, merged, text only, dropped. Exit status
    2 when the file cannot be used.
    """
    from esante.services.exchange.conversion import cda_to_fhir, fhir_to_cda

    data = _read(file, as_json=as_json)
    done: FhirDocument | CdaDocument
    if form == "fhir":
        done = _usable(lambda: cda_to_fhir(data), file, as_json=as_json)
    else:
        done = _usable(lambda: fhir_to_cda(data), file, as_json=as_json)
    report = done.report()
    if output:
        _write(output, done.encoded())
    if as_json:
        text = done.encoded().decode("utf-8")
        result: Json = {
            "file": file,
            "to": form,
            "counts": report.counts,
            "fidelity": round(report.fidelity, 4),
            "leaves": [leaf.as_json() for leaf in report.leaves],
            "document": json.loads(text) if form == "fhir" else text,
        }
        click.echo(json.dumps(result, ensure_ascii=False, indent=1))
        return
    for leaf in report.leaves:
        if leaf.fate.value in ("dropped", "text only") and not leaf.implied:
            click.echo(f"{leaf.fate.value:9} {leaf.place} {leaf.value[:60]!r}: {leaf.reason}")
    click.echo(", ".join(f"{count} {name}" for name, count in report.counts.items() if count))
    click.echo(f"Carried in elements: {report.fidelity:.1%} of the leaves with content.")
    if not output:
        click.echo("The document was not written: name a file with --output.", err=True)


def _read(file: str, *, as_json: bool) -> bytes:
    try:
        with click.open_file(file, "rb") as stream:
            data: bytes = stream.read()
            return data
    except OSError as error:
        _fail(
            file, [{"message": error.strerror or str(error), "place": file, "remedy": "Name a file"}], as_json=as_json
        )


def _write(output: Path, data: bytes) -> None:
    try:
        output.write_bytes(data)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from error


def _usable(make: Callable[[], T], file: str, *, as_json: bool) -> T:
    """Return what is made; end with status 2 and its faults when the input cannot be used."""
    from esante.services.exchange.model import NotUsable

    try:
        return make()
    except NotUsable as error:
        _fail(file, [fault.as_json() for fault in error.faults], as_json=as_json)
    except ValueError as error:
        _fail(file, [{"message": str(error), "place": "--to", "remedy": "Correct the option"}], as_json=as_json)


def _fail(file: str, faults: list[Json], *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"file": file, "errors": faults}, ensure_ascii=False, indent=1))
    else:
        for fault in faults:
            place = f"{fault['place']}: " if fault["place"] else ""
            click.echo(f"Error: {place}{fault['message']}. {fault['remedy']}.", err=True)
    sys.exit(2)
