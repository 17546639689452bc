"""The listener for HL7 V2 messages of hospitals."""

import asyncio
import signal
import ssl
from pathlib import Path
from uuid import UUID

import click
from cryptography import x509

from esante.command_line import platform_command
from esante.contract import Platform
from esante.identity.directory import Directory
from esante.services.exchange.hospital.certificates import OrganizationCertificates
from esante.services.exchange.mllp.processor import MessageProcessor
from esante.services.exchange.mllp.server import Limits, MllpServer

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.group()
def mllp() -> None:
    """Messages of HL7 V2 from the systems of hospitals."""


@mllp.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address at which systems connect.")
@click.option("--port", default=2575, show_default=True, help="Port at which systems connect; 0: any that is free.")
@click.option("--tls-certificate", type=_FILE, help="Certificate of this server, PEM.")
@click.option("--tls-key", type=_FILE, help="Its key, PEM.")
@click.option("--tls-authorities", type=_FILE, help="Authorities of the certificates of the organisations, PEM.")
@click.option("--organization", help="Without TLS: whose messages come, an identifier such as the provider code.")
@click.option("--max-connections", default=Limits.__dataclass_fields__["connections"].default, show_default=True)
@click.option("--idle-seconds", default=Limits.__dataclass_fields__["idle_seconds"].default, show_default=True)
@platform_command
async def serve(
    platform: Platform,
    host: str,
    port: int,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_authorities: Path | None,
    organization: str | None,
    max_connections: int,
    idle_seconds: float,
) -> None:
    """Take ADT and ORU messages over MLLP until it is stopped.

    With TLS, the certificate of a connection says whose it is (esante hospital register). Without TLS it
    listens on this machine only, for a tunnel of one organisation.
    """
    context = _context(host, tls_certificate, tls_key, tls_authorities, organization)
    sender = await _organization(platform, organization) if organization else None
    certificates = platform[OrganizationCertificates]

    async def owner(certificate: x509.Certificate) -> UUID | None:
        found = await certificates.owner(certificate)
        return found.id if found else None

    await platform.admit()
    limits = Limits(connections=max_connections, idle_seconds=idle_seconds)
    server = MllpServer(answer=platform[MessageProcessor].answer, owner=owner, organization_id=sender, limits=limits)
    listener = await server.start(host, port, context)
    click.echo(f"listening on {host}:{listener.sockets[0].getsockname()[1]}")
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with listener:
        await stopped.wait()


def _context(
    host: str, certificate: Path | None, key: Path | None, authorities: Path | None, organization: str | None
) -> ssl.SSLContext | None:
    """Return the context of TLS with client certificates; None without TLS, on this machine only."""
    given = [one for one in (certificate, key, authorities) if one]
    if not given:
        if host not in _LOOPBACK:
            raise click.UsageError("without TLS it listens on this machine only: give --tls-certificate")
        if organization is None:
            raise click.UsageError("without TLS, say whose messages come: --organization")
        return None
    if len(given) != 3 or organization is not None:
        raise click.UsageError("TLS needs --tls-certificate, --tls-key and --tls-authorities, and no --organization")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate or "", key)
    context.load_verify_locations(authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _organization(platform: Platform, identifier: str) -> UUID:
    found = await platform[Directory].find_organization(None, identifier)
    if found is None:
        raise click.ClickException(f"the directory has no organisation {identifier}, or several")
    return found.id
