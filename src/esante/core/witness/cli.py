"""The command that runs a witness."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from esante.core.journal import Cosigner, NoteVerifier
from esante.core.web.server import serve
from esante.core.witness import Witness, WitnessState, create_app


@click.command()
@click.option("--name", required=True, help="The name of the witness's key, for example witness.example/w1.")
@click.option(
    "--log",
    "logs",
    multiple=True,
    required=True,
    metavar="KEY",
    help="The key of a log to witness, as `esante journal key` prints it.  [repeatable]",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("witness"),
    show_default=True,
    help="Folder for what was signed last.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PEM file of the Ed25519 key; made when there is none.  [default: key.pem in the folder]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=int, default=8010, show_default=True, help="Where to listen.")
def witness(name: str, logs: Sequence[str], state: Path, key: Path | None, host: str, port: int) -> None:
    """Co-sign the signed heads of logs that only ever grow, for all who want to rely on them.

    Prints the key of the witness, which the logs and those who check their proofs need. It needs no database. The
    folder must last as long as the key: a witness that has lost it needs a new one.
    """
    try:
        stored = WitnessState.open(state)
        cosigner = Cosigner.open(key or state / "key.pem", name)
        found = Witness(cosigner, [NoteVerifier.parse(log) for log in logs], stored)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"witness key: {cosigner.verifier}")
    click.echo(f"listening on http://{host}:{port}")
    serve(partial(create_app, found), host, port, 1)
