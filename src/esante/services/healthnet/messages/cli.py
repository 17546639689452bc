"""The commands of messages, for sites, and the check of receipts, for anybody."""

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

if TYPE_CHECKING:
    from esante.services.healthnet.messages.client import MessageClient

_file = click.Path(exists=True, path_type=Path, dir_okay=False)
_folder = click.option(
    "--site",
    "folder",
    type=click.Path(exists=True, path_type=Path, file_okay=False),
    envvar="ESANTE_SITE_FOLDER",
    required=True,
    help="Folder of the site: certificate.pem, key.pem, root.pem, platform.key.  [env: ESANTE_SITE_FOLDER]",
)
_url = click.option("--url", envvar="ESANTE_SITE_URL", required=True, help="The platform.  [env: ESANTE_SITE_URL]")
_ca = click.option("--ca", type=_file, help="Certificates that TLS trusts.  [default: those of the system]")


@click.group()
def message() -> None:
    """Messages between sites: send, fetch, acknowledge, with the certificate of the site (docs/healthnet.md)."""


@message.command()
@click.argument("recipient", required=False)
@click.argument("file", type=_file, required=False)
@click.option("--type", "media_type", default="application/octet-stream", show_default=True)
@_folder
@_url
@_ca
def send(recipient: str | None, file: Path | None, media_type: str, folder: Path, url: str, ca: Path | None) -> None:
    """Send FILE to the site RECIPIENT; without them, send again what was not accepted before."""
    from esante.services.healthnet.messages.envelope import MAX_CONTENT

    with _client(folder, url, ca) as client:
        for receipt in client.send_waiting():
            click.echo(f"{receipt.message_id}  {receipt.state}  {receipt.recipient}")
        if recipient and file:
            if file.stat().st_size > MAX_CONTENT:
                raise click.ClickException(f"{file}: more than {MAX_CONTENT:,} bytes; send less at a time")
            receipt = client.send(recipient, file.name, media_type, file.read_bytes())
            click.echo(f"{receipt.message_id}  {receipt.state}  {receipt.recipient}")


@message.command()
@click.argument("into", type=click.Path(path_type=Path, file_okay=False))
@_folder
@_url
@_ca
def fetch(into: Path, folder: Path, url: str, ca: Path | None) -> None:
    """Fetch the messages that wait into the folder INTO; each is acknowledged when it is on disk.

    A message that cannot be read stays; the exit status is then 1. Refuse it with `ack`.
    """
    from esante.services.healthnet.messages.envelope import NotReadable
    from esante.services.healthnet.messages.receipt import NotProved

    failed = False
    with _client(folder, url, ca) as client:
        client.announce()
        for listed in client.waiting():
            try:
                click.echo(f"{listed['id']}  delivered  {client.fetch(listed, into)}")
            except (NotReadable, NotProved) as error:
                failed = True
                click.echo(f"{listed['id']}  NOT READ  {error}", err=True)
    if failed:
        sys.exit(1)


@message.command()
@click.argument("message_id", type=click.UUID)
@click.option("--refuse", "reason", default="", help="Refuse it, for a reason: unreadable, unknown-patient...")
@_folder
@_url
@_ca
def ack(message_id: UUID, reason: str, folder: Path, url: str, ca: Path | None) -> None:
    """Say that the message with an id was read, or refuse it."""
    from esante.services.healthnet.messages.model import MessageState

    with _client(folder, url, ca) as client:
        receipt = client.acknowledge(message_id, MessageState.REFUSED if reason else MessageState.READ, reason)
        click.echo(f"{receipt.message_id}  {receipt.state}  {receipt.reason}".rstrip())


@message.command()
@click.argument("message_id", type=click.UUID)
@_folder
@_url
@_ca
def receipts(message_id: UUID, folder: Path, url: str, ca: Path | None) -> None:
    """Fetch the receipts of a message with their proofs into the folder of the site."""
    with _client(folder, url, ca) as client:
        for file in client.receipts(message_id):
            click.echo(file)


@click.group()
def receipt() -> None:
    """Receipts of messages: check one, without a network."""


@receipt.command()
@click.argument("file", type=_file)
@click.option("--key", required=True, help="The key of the platform, as `esante journal key` prints it, or its file.")
@click.option("--message", "message_id", type=click.UUID, help="The message that it must be about.")
@click.option("--content", type=_file, help="The encrypted content that it must be about.")
@click.option("--stamps", type=_file, help="Certificates (PEM) of time-stamp authorities that you trust.")
def verify(file: Path, key: str, message_id: UUID | None, content: Path | None, stamps: Path | None) -> None:
    """Check the receipt in FILE: signature, entry in the journal, head. Exit status 1 when it proves nothing."""
    import hashlib

    from cryptography import x509

    from esante.core.journal import NoteVerifier
    from esante.services.healthnet.messages.receipt import NotProved, verify_file

    try:
        verifier = NoteVerifier.parse((Path(key).read_text() if Path(key).is_file() else key).strip())
        roots = x509.load_pem_x509_certificates(stamps.read_bytes()) if stamps else ()
    except (OSError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    try:
        found = verify_file(file.read_bytes(), verifier, verifier.name, roots)
        said = found.receipt
        if message_id and said.message_id != message_id:
            raise NotProved(f"the receipt is about message {said.message_id}")
        if content and said.digest != hashlib.sha256(content.read_bytes()).hexdigest():
            raise NotProved("the receipt is about another content")
    except NotProved as error:
        raise click.ClickException(f"{file.name} proves nothing: {error}.") from error
    why = f" ({said.reason})" if said.reason else ""
    click.echo(f"Message {said.message_id} from {said.sender} to {said.recipient}: {said.state}{why} at {said.at}.")
    click.echo(f"Content: {said.size:,} bytes, SHA-256 {said.digest}.")
    click.echo(f"Signature: of {verifier.name}.")
    if found.entry is None:
        click.echo("Journal: this file has no proof yet. Download it again in a minute.")
        return
    click.echo(
        f"Journal: its entry is in the tree of {found.entry.size:,} entries, signed at {found.entry.sealed_at}."
    )
    stamped = f"{found.stamped_at} by an authority that you trust" if found.stamped_at else "not checked"
    click.echo(f"Time-stamp: {stamped}.")


@contextmanager
def _client(folder: Path, url: str, ca: Path | None) -> "Iterator[MessageClient]":
    """Open a client of a site; what fails is shown without a trace."""
    import httpx

    from esante.services.healthnet.messages.client import MessageClient, Refused, SiteFolder

    try:
        context: Any = ssl.create_default_context(cafile=str(ca) if ca else None)
        if url.startswith("https:"):
            context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        with httpx.Client(base_url=url, verify=context, timeout=60, trust_env=False) as http:
            yield MessageClient(SiteFolder(folder), http)
    except httpx.HTTPError as error:
        raise click.ClickException(
            f"{url} cannot be reached ({error}); what is sealed is sent the next time"
        ) from error
    except (OSError, ValueError, Refused) as error:
        raise click.ClickException(str(error)) from error
