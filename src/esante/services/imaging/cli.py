"""The commands of image sharing."""

import logging
import signal
import tempfile
import threading
from pathlib import Path
from types import FrameType

import click


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
