"""The commands of the exchange: the trust list, a server of its own with client certificates."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import click
from starlette.applications import Starlette
from starlette.middleware import Middleware

from esante.command_line import data_option, ensure_journal_month, platform_command
from esante.contract import Platform
from esante.core.journal import SYSTEM
from esante.core.time_zone import day_of
from esante.core.web import HANDLERS, SecurityHeaders
from esante.identity.directory import Directory, Practitioner
from esante.services.billing.exchange.api import ExchangeEndpoints
from esante.services.billing.exchange.certificates import CertificateError
from esante.services.billing.exchange.model import EnrolledCertificate
from esante.services.billing.exchange.service import ExchangeSecurity
from esante.settings import Settings

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def certificate() -> None:
    """The certificates with which professionals sign messages to the exchange."""


@certificate.command()
@click.argument("file", type=_FILE)
@click.argument("professional")
@platform_command
async def add(platform: Platform, file: Path, professional: str) -> None:
    """Enrol the certificate in FILE (PEM) for PROFESSIONAL (an identifier such as the eHealth number)."""
    practitioner = await _practitioner(platform, professional)
    await ensure_journal_month(platform)
    pem = await asyncio.to_thread(file.read_bytes)
    try:
        new = await platform[ExchangeSecurity].certificates.enrol(pem, practitioner, actor=SYSTEM)
    except CertificateError as error:
        raise click.ClickException(f"{file}: {error}") from error
    click.echo(f"enrolled for {practitioner.name}: {_line(new)}")


@certificate.command()
@click.argument("fingerprint")
@click.option("--reason", required=True, help="Why; stands in the journal.")
@platform_command
async def revoke(platform: Platform, fingerprint: str, reason: str) -> None:
    """Revoke the certificate with FINGERPRINT (SHA-256, 64 digits) at once, and the tokens under it."""
    await ensure_journal_month(platform)
    try:
        known = bytes.fromhex(fingerprint.replace(":", ""))
        revoked = await platform[ExchangeSecurity].certificates.revoke(known, reason, actor=SYSTEM)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(_line(revoked))


@certificate.command("list")
@click.option("--professional", help="An identifier of the professional.  [default: all]")
@platform_command
async def list_certificates(platform: Platform, professional: str | None) -> None:
    """Print the enrolled certificates: fingerprint, state, until when, whose, subject."""
    owner = await _practitioner(platform, professional) if professional else None
    found = await platform[ExchangeSecurity].certificates.of(owner)
    names = await platform[Directory].practitioners(one.practitioner_id for one in found)
    for one in found:
        holder = names.get(one.practitioner_id)
        click.echo(f"{_line(one)}  {holder.name if holder else one.practitioner_id}")


@click.command()
@data_option
@click.option("--port", type=int, default=8443, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--tls-cert", type=_FILE, required=True, help="The server's certificate with its chain (PEM).")
@click.option("--tls-key", type=_FILE, required=True, help="Its private key (PEM).")
@click.option("--client-ca", type=_FILE, required=True, help="Who issues the clients' certificates (PEM).")
def exchange(data: Path | None, port: int, host: str, tls_cert: Path, tls_key: Path, client_ca: Path) -> None:
    """Serve the exchange alone, over TLS 1.3, to clients with a certificate (mTLS).

    Beside `esante serve`, over the same database; ESANTE_EXCHANGE_URL is the address that its clients use.
    """
    from esante.core.web.server import ClientCertificates, serve

    settings = Settings.from_environ(data=data, host=host, port=port)
    tls = ClientCertificates(certificate=tls_cert, key=tls_key, client_ca=client_ca)
    try:
        serve(lambda: _exchange_app(settings), host, port, 1, tls)
    except (OSError, ssl.SSLError) as error:
        raise click.ClickException(f"cannot serve with these certificates: {error}") from error


def _exchange_app(settings: Settings) -> Starlette:
    """Return an application with nothing but the exchange, over the platform of the settings."""
    from esante.app import open_platform

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_platform(settings) as platform:
            await platform.admit()
            app.router.routes.extend(platform[ExchangeEndpoints].routes())
            yield

    return Starlette(lifespan=lifespan, middleware=[Middleware(SecurityHeaders)], exception_handlers=HANDLERS)


async def _practitioner(platform: Platform, identifier: str) -> Practitioner:
    found = await platform[Directory].find_practitioners(None, identifier)
    if len(found) != 1:
        raise click.ClickException(f"{len(found)} professionals have the identifier {identifier}")
    return found[0]


def _line(one: EnrolledCertificate) -> str:
    state = f"revoked {_day(one.revoked_at)} ({one.reason})" if one.revoked_at else f"until {_day(one.not_after)}"
    return f"{one.fingerprint.hex()}  {state:<18}  {one.subject}"


def _day(at: datetime) -> str:
    return day_of(at).isoformat()
