"""The commands of image sharing."""

import logging
import signal
import tempfile
import threading
from pathlib import Path
from types import FrameType

import click

from esante.command_line import ensure_journal_month, platform_command
from esante.contract import Platform
from esante.identity.directory import Directory
from esante.services.imaging.federation.locations import Locations
from esante.services.imaging.federation.model import Location


@click.group()
def imaging() -> None:
    """Image sharing."""


@imaging.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address at which devices connect.")
@click.option("--port", default=11112, show_default=True, help="Port at which devices connect.")
@click.option("--aet", default="ESANTE", show_default=True, help="Title of this application entity.")
@click.option("--caller", multiple=True, help="Title of a device that may send; may be repeated. None: any may.")
@click.option("--url", required=True, help="Address of DICOMweb, such as https://esante.example/dicomweb.")
@click.option(
    "--token-file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the bearer token of the software; read anew for each request.",
)
@click.option(
    "--spool",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the instances that wait to be forwarded.",
)
@click.option("--tls-certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--tls-authorities",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Authorities of the certificates that devices need.",
)
def gateway(
    host: str,
    port: int,
    aet: str,
    caller: tuple[str, ...],
    url: str,
    token_file: Path,
    spool: Path,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_authorities: Path | None,
) -> None:
    """Take C-STORE and C-ECHO of devices, and forward what comes to the platform."""
    # Here, since other commands should not wait for the libraries of DICOM.
    from esante.services.imaging.gateway.forwarder import Forwarder
    from esante.services.imaging.gateway.receiver import GatewayAddress, Receiver, tls_context
    from esante.services.imaging.gateway.spool import Spool

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if bool(tls_certificate) != bool(tls_key):
        raise click.UsageError("--tls-certificate and --tls-key belong together.")
    tls = tls_context(tls_certificate, tls_key, tls_authorities) if tls_certificate and tls_key else None
    waiting = Spool(spool)
    tempfile.tempdir = str(waiting.incoming)
    receiver = Receiver(waiting, GatewayAddress(host=host, port=port, ae_title=aet, callers=caller), tls)
    forwarder = Forwarder(waiting, f"{url.rstrip('/')}/studies", lambda: token_file.read_text("ascii").strip())
    try:
        listening = receiver.start()
    except OSError as error:
        raise click.ClickException(f"cannot listen at {host}:{port}: {error.strerror}") from error

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=receiver.stop).start()
        forwarder.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    click.echo(f"{aet} listens at {host}:{listening}{' with TLS' if tls else ''}.")
    forwarder.run()


@imaging.group()
def location() -> None:
    """Archives of hospitals whose images stay there, by the Retrieve Location UID of their manifests."""


@location.command("set")
@click.argument("uid")
@click.argument("url")
@click.option("--organization", required=True, help="An identifier of the organisation whose archive it is.")
@click.option("--token-file", default="", help="File with the bearer token for it; read anew for each request.")
@platform_command
async def set_location(platform: Platform, uid: str, url: str, organization: str, token_file: str) -> None:
    """Set URL, such as https://archive.example/dicomweb, as the address of the archive with UID."""
    system, separator, value = organization.rpartition("|")
    found = await platform[Directory].find_organization(system if separator else None, value)
    if found is None:
        raise click.ClickException(f"no organisation has the identifier {organization}")
    await ensure_journal_month(platform)
    try:
        one = await platform[Locations].set(uid, found.id, found.name, url, token_file)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(_line(one))


@location.command("remove")
@click.argument("uid")
@platform_command
async def remove_location(platform: Platform, uid: str) -> None:
    """Remove the archive with UID: its images are not retrieved any more."""
    await ensure_journal_month(platform)
    if not await platform[Locations].remove(uid):
        raise click.ClickException(f"no archive has the UID {uid}")


@location.command("list")
@platform_command
async def list_locations(platform: Platform) -> None:
    """Print the archives: UID, address, whose."""
    for one in await platform[Locations].all():
        click.echo(_line(one))


def _line(one: Location) -> str:
    return f"{one.location_uid}  {one.url}  {one.name}"
