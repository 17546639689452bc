"""The commands of secondary use."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from esante.services.research.views.model import Row
    from esante.services.research.views.view import TableView

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def research() -> None:
    """Secondary use of health data."""


@research.command()
@click.argument("definition", type=_file)
@click.argument("resources", type=_file, nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["csv", "ndjson"]), default="csv", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows there.")
def view(definition: Path, resources: tuple[Path, ...], form: str, output: Path | None) -> None:
    """Print the rows of the ViewDefinition in DEFINITION over RESOURCES (NDJSON).

    Resources of other types are passed over. Lists stand in CSV as JSON. Exit status 1 when something is wrong; what
    was written before that stays.
    """
    from esante.core.fhir import NotJson, decode
    from esante.services.research.views.definition import read_view
    from esante.services.research.views.model import ViewFault

    try:
        compiled = read_view(decode(definition.read_bytes()))
    except (NotJson, ViewFault) as error:
        raise click.ClickException(f"{definition}: {error}") from error
    with ExitStack() as stack:
        try:
            out = stack.enter_context(output.open("w", encoding="utf-8", newline="")) if output else sys.stdout
        except OSError as error:
            raise click.ClickException(f"{output} cannot be written: {error.strerror}") from error
        _write(compiled, _rows(compiled, resources), form, out)


@research.command()
def doctor() -> None:
    """Say whether jobs can be shut in on this machine. Exit status 1 when they cannot: then none is run."""
    import asyncio
    import tempfile

    from esante.services.research.environment.sandbox import NoIsolation, check_isolation

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        try:
            asyncio.run(check_isolation(Path(folder)))
        except NoIsolation as error:
            raise click.ClickException(f"jobs cannot be shut in, and none is run: {error}") from error
    click.echo("Jobs can be shut in: no network, no files but their data, bounded time, memory and processes.")


def _rows(compiled: "TableView", files: Sequence[Path]) -> "Iterator[Row]":
    """Yield the rows of the resources in files. Raises: ClickException with file and line."""
    from esante.core.fhir import NotJson, decode
    from esante.services.research.views.model import ViewFault

    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    resource = decode(line)
                    if not isinstance(resource, dict):
                        raise ViewFault("resource", "an object is needed")
                    yield from compiled.rows(resource)
                except (NotJson, ViewFault) as error:
                    raise click.ClickException(f"{file}:{number}: {error}") from error


def _write(compiled: "TableView", rows: "Iterator[Row]", form: str, out: TextIO) -> None:
    names = [one.name for one in compiled.columns]
    if form == "ndjson":
        for row in rows:
            out.write(json.dumps({name: row[name] for name in names}, ensure_ascii=False, default=_number) + "\n")
        return
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in names])


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_number)
    return value


def _number(value: Any) -> Any:
    """Return a decimal as JSON has it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent >= 0 else float(value)  # type: ignore[operator]
    raise TypeError(type(value).__name__)
