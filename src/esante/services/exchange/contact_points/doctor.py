"""Checks of a contact point in plain words: keys, clock, registrations, catalogue, connector."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path

import aiohttp
from cryptography import x509

from esante.core import clock
from esante.services.exchange.contact_points.model import ContactPoint
from esante.services.exchange.contact_points.own import SEAL, TLS, NotConfigured
from esante.services.exchange.contact_points.service import ContactPoints
from esante.services.exchange.model import NotUsable
from esante.services.exchange.settings import ExchangeSettings
from esante.services.exchange.terminology import load_catalogue

WARN_BEFORE = timedelta(days=30)
"""How long before its end a certificate or a registration is named."""
OLD_CATALOGUE = timedelta(days=400)
"""Catalogues are published about once a year."""
CLOCK_TOLERANCE = timedelta(seconds=60)
"""By how much clocks of two contact points may differ (assertions, revision 19)."""
SECONDS = 10


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Check:
    """A check: what was found, and what to do ("" for nothing)."""

    level: Level
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return the check as one line."""
        return f"{self.level.upper():8} {self.found}" + (f". {self.remedy}." if self.remedy else "")


async def examine(points: ContactPoints, settings: ExchangeSettings, *, is_online: bool) -> AsyncIterator[Check]:
    """Yield the checks of a contact point. `is_online`: connect to the other ones too."""
    now = clock.now()
    configured = list(_keys(points, now))
    for check in configured:
        yield check
    yield _connector(settings)
    yield await asyncio.to_thread(_catalogue, settings, now)
    registered = await points.all()
    if not registered:
        yield Check(Level.WARNING, "no country is registered", "Register one with: esante ncp import FOLDER")
    for one in registered:
        yield _registration(one, now)
        if is_online and points.is_configured and await points.find(one.country):
            yield await _reach(points, one)


def _keys(points: ContactPoints, now: datetime) -> Iterator[Check]:
    try:
        own = points.own
    except NotConfigured as error:
        yield Check(Level.FAULT, str(error))
        return
    yield _certificate(f"the seal ({SEAL})", own.issuer.certificate, now)
    yield _certificate(f"the certificate of connections ({TLS})", own.tls, now)
    for key_file in sorted(points.folder.glob("*.pem")):
        if key_file.stat().st_mode & 0o077 and b"PRIVATE KEY" in key_file.read_bytes():
            yield Check(
                Level.FAULT, f"{key_file} can be read by others", f"Take their rights away: chmod 600 {key_file}"
            )
    if not own.authorities:
        yield Check(
            Level.WARNING,
            "no authority is trusted (authorities.pem): each seal is confirmed by its fingerprint",
            "Put the issuers of seals into that file",
        )


def _certificate(name: str, certificate: x509.Certificate, now: datetime) -> Check:
    end = certificate.not_valid_after_utc
    if now >= end:
        return Check(
            Level.FAULT, f"{name} ended on {end:%Y-%m-%d}", "Install a new one and publish it to all countries"
        )
    if now < certificate.not_valid_before_utc:
        begin = certificate.not_valid_before_utc
        return Check(Level.FAULT, f"{name} is not valid before {begin:%Y-%m-%d}", "Check the clock of this machine")
    if end - now < WARN_BEFORE:
        remedy = "Order a new one now: other countries need time to register it"
        return Check(Level.WARNING, f"{name} ends in {(end - now).days} days", remedy)
    return Check(Level.OK, f"{name} is valid until {end:%Y-%m-%d}")


def _connector(settings: ExchangeSettings) -> Check:
    if settings.ncp_connector:
        return Check(Level.OK, f"other countries are answered by: {settings.ncp_connector}")
    remedy = "Set ESANTE_NCP_CONNECTOR=record to answer from the shared record of this platform"
    return Check(Level.FAULT, "nothing answers other countries: no connector is set", remedy)


def _catalogue(settings: ExchangeSettings, now: datetime) -> Check:
    if not settings.ncp_catalogue:
        remedy = "Set ESANTE_NCP_CATALOGUE to the folder of the catalogue"
        return Check(Level.WARNING, "translations use a small sample of codes", remedy)
    try:
        catalogue = load_catalogue(Path(settings.ncp_catalogue))
    except NotUsable as error:
        return Check(Level.FAULT, f"the catalogue cannot be used: {error.faults[0]}", "Correct its files")
    if catalogue.day is None:
        return Check(Level.WARNING, "the catalogue has no date", "Write catalogue.toml with its date")
    age = now.date() - catalogue.day
    if age > OLD_CATALOGUE:
        return Check(Level.WARNING, f"the catalogue is {age.days} days old", "Ask whether there is a newer one")
    return Check(Level.OK, f"the catalogue is of {catalogue.day:%Y-%m-%d}")


def _registration(one: ContactPoint, now: datetime) -> Check:
    renew = f"Fetch its service metadata again: esante ncp import FOLDER ({one.country})"
    if one.is_suspended:
        return Check(Level.WARNING, f"{one.country} is suspended", f"Resume it with: esante ncp resume {one.country}")
    if now >= one.valid_until:
        return Check(Level.FAULT, f"the registration of {one.country} ended on {one.valid_until:%Y-%m-%d}", renew)
    if one.valid_until - now < WARN_BEFORE:
        days = (one.valid_until - now).days
        return Check(Level.WARNING, f"the registration of {one.country} ends in {days} days", renew)
    return Check(Level.OK, f"{one.country} is registered until {one.valid_until:%Y-%m-%d}")


async def _reach(points: ContactPoints, one: ContactPoint) -> Check:
    """Connect to a contact point, and compare its clock with that of this machine by the date of its answer."""
    url = next(iter(one.endpoints.values()), "")
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, ssl=points.client_context(one), allow_redirects=False) as answer,
        ):
            date = answer.headers.get("Date", "")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        remedy = f"Check the network, and with {one.country} whether it has our certificate"
        return Check(Level.FAULT, f"{one.country} does not answer at {url} ({type(error).__name__})", remedy)
    try:
        apart = abs(parsedate_to_datetime(date) - clock.now())
    except (ValueError, TypeError):
        return Check(Level.WARNING, f"{one.country} answers, without a date", "Nothing to do here")
    if apart > CLOCK_TOLERANCE:
        remedy = "Set the clock of this machine by NTP; if it is right, tell the other country"
        return Check(
            Level.FAULT, f"our clock and that of {one.country} are {apart.total_seconds():.0f} s apart", remedy
        )
    return Check(Level.OK, f"{one.country} answers, and its clock agrees")
