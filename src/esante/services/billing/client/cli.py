"""The commands of the client: send fee notes, look at the queue."""

import sys
from pathlib import Path

import click

from .model import Confirmations, Entry, QueueError, State
from .note_file import NoteFileError
from .platform_api import PlatformApi
from .queue_store import NoteQueue
from .service import FeeNoteClient, ask_later

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_queue = click.option(
    "--queue", "path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File of the queue."
)


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--url", required=True, help="Address of the platform.")
@click.option("--token-file", type=_FILE, required=True, help="File with a bearer token.")
@click.option("--ehealth-id", required=True, help="eHealth number of the professional.")
@click.option("--confirmed", is_flag=True, help="Doctor and patient agree, and the patient has paid their share.")
@_queue
def send(files: tuple[Path, ...], url: str, token_file: Path, ehealth_id: str, path: Path, *, confirmed: bool) -> None:
    """Send the fee notes in FILES (national XML), and go on with those that wait in the queue.

    Each is paid at once where that can be had, else deposited, else to be printed; the same UUID stays. Without
    --confirmed the shares are shown and nothing is paid. Exit status: 1 when a note was refused, 2 when some wait.
    """
    api = PlatformApi(url, token_file.read_text().strip(), ehealth_id)
    client = FeeNoteClient(api, NoteQueue(path))
    confirm = (lambda entry: Confirmations()) if confirmed else ask_later
    shown: dict[str, Entry] = {}
    try:
        for file in files:
            entry = client.send(file.read_bytes(), confirm)
            shown[entry.id] = entry
    except (NoteFileError, QueueError) as error:
        raise click.ClickException(f"{file}: {error}") from error
    shown |= {entry.id: entry for entry in client.catch_up(confirm)}
    for entry in shown.values():
        click.echo(_line(entry))
        if entry.state is State.PRINTED:
            click.echo(f"  2D code: {client.code(entry.id)}")
    states = {entry.state for entry in shown.values()}
    sys.exit(1 if State.REFUSED in states else 2 if states - {State.PAID, State.DEPOSITED} else 0)


@click.command()
@_queue
@click.option("--state", "states", multiple=True, type=click.Choice([one.value for one in State]), help="Only these.")
def queue(path: Path, states: tuple[str, ...]) -> None:
    """Print the notes in the queue: UUID, state, shares, payment, cause."""
    if not path.exists():
        raise click.ClickException(f"{path} does not exist")
    for entry in NoteQueue(path).entries(*map(State, states)):
        click.echo(_line(entry))


def _line(entry: Entry) -> str:
    shares = f"  insurance {entry.statutory}, patient {entry.personal}" if entry.statutory else ""
    payment = f"  payment {entry.payment_id}" if entry.payment_id else ""
    return f"{entry.id}  {entry.state.value:<9}{shares}{payment}{f'  {entry.cause}' if entry.cause else ''}"
