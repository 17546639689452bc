"""The use cases of contact points: register, renew, suspend, remove, find, and connect over mutual TLS."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from esante.core import clock
from esante.core.journal import Initiator, Journal
from esante.core.storage import Connection, Database, insert
from esante.services.exchange.contact_points import contact_store
from esante.services.exchange.contact_points.model import ContactPoint, ContactPointChanged
from esante.services.exchange.contact_points.own import NotConfigured, Own, is_in_force, load_own
from esante.services.exchange.contact_points.registration import fingerprint, read_registration
from esante.services.exchange.model import Fault, NotUsable

REFRESH = timedelta(seconds=2)
"""For so long a change of another process may be unknown."""


class ContactPoints:
    """This contact point, and those of other countries. `folder`: where the keys of this one are."""

    def __init__(self, db: Database, journal: Journal, folder: Path, country: str, home: str) -> None:
        self._db, self._journal, self.folder = db, journal, folder
        self.country, self.home = country, home
        self._own: Own | None = None
        self._known: Sequence[ContactPoint] = ()
        self._read_at = float("-inf")
        self._server_contexts: list[ssl.SSLContext] = []

    @property
    def own(self) -> Own:
        """This contact point. Raises: `NotConfigured`."""
        if self._own is None:
            self._own = load_own(self.folder, self.country, self.home)
        return self._own

    @property
    def is_configured(self) -> bool:
        """Whether this contact point has its keys."""
        try:
            return bool(self.own)
        except NotConfigured:
            return False

    async def all(self) -> Sequence[ContactPoint]:
        """Return the contact points of other countries, the suspended ones too, by country."""
        now = asyncio.get_running_loop().time()
        if now - self._read_at > REFRESH.total_seconds():
            self._take(await contact_store.fetch_all(self._db))
        return self._known

    async def find(self, country: str) -> ContactPoint | None:
        """Return the contact point of a country, None for one that is not registered, suspended or past its time."""
        now = clock.now()
        found = next((one for one in await self.all() if one.country == country), None)
        return found if found and not found.is_suspended and now < found.valid_until else None

    async def of_tls(self, certificate: x509.Certificate) -> ContactPoint | None:
        """Return whose connection it is by the certificate that it showed."""
        if not is_in_force(certificate, clock.now()):
            return None
        found = next((one for one in await self.all() if certificate in one.tls), None)
        return await self.find(found.country) if found else None

    def trusts(self, point: ContactPoint, certificate: x509.Certificate) -> bool:
        """Return whether a certificate is a seal of a contact point, valid now."""
        return certificate in point.seals and is_in_force(certificate, clock.now())

    async def register(
        self, initiator: Initiator, files: Mapping[str, bytes], confirmed: frozenset[str] = frozenset()
    ) -> ContactPoint:
        """Register the contact point that files describe, or renew it (see `registration`). Raises: `NotUsable`."""
        authorities = self.own.authorities if self.is_configured else ()
        new = read_registration(files, authorities, confirmed, clock.now())
        if new.country == self.country or new.home == self.home:
            raise NotUsable(
                Fault("this is the contact point itself", "contact-point.toml", "Give that of another country")
            )
        async with self._db.transaction() as conn:
            await contact_store.lock(conn)
            others = await contact_store.fetch_all(conn)
            if clash := next((one for one in others if one.country != new.country and _shares(one, new)), None):
                raise NotUsable(
                    Fault(f"{clash.country} has the same home community or certificate", "", "Ask both countries")
                )
            before = next((one for one in others if one.country == new.country), None)
            new = replace(new, is_suspended=before.is_suspended if before else False)
            await contact_store.put(conn, new)
            await self._record(conn, initiator, new, "renewed" if before else "registered")
        self._read_at = float("-inf")
        return new

    async def suspend(self, initiator: Initiator, country: str, reason: str) -> ContactPoint:
        """Stop all exchange with a country at once. Raises: KeyError for an unknown one."""
        return await self._set_suspended(initiator, country, reason, is_suspended=True)

    async def resume(self, initiator: Initiator, country: str, reason: str) -> ContactPoint:
        """Exchange with a country again. Raises: KeyError for an unknown one."""
        return await self._set_suspended(initiator, country, reason, is_suspended=False)

    async def remove(self, initiator: Initiator, country: str, reason: str) -> None:
        """Remove the contact point of a country. Raises: KeyError for an unknown one."""
        async with self._db.transaction() as conn:
            found = await self._locked(conn, country)
            await contact_store.delete(conn, country)
            await self._record(conn, initiator, found, "removed", reason)
        self._read_at = float("-inf")

    def client_context(self, point: ContactPoint) -> ssl.SSLContext:
        """Return the context of connections to a contact point: nobody but the holder of its certificate is believed.

        Raises: `NotConfigured`.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the certificate itself is known, whatever name it has
        _trust(context, point.tls)
        return self._with_own(context)

    def server_context(self) -> ssl.SSLContext:
        """Return the context of a server for other contact points; it follows what is registered.

        A certificate that was removed still passes the handshake; `of_tls` then says that it is nobody's. Raises:
        `NotConfigured`.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, [one for point in self._known for one in point.tls])
        self._server_contexts.append(context)
        return self._with_own(context)

    def _with_own(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_cert_chain(self.own.tls_file, self.own.tls_key_file)
        return context

    def _take(self, found: Sequence[ContactPoint]) -> None:
        before = {one for point in self._known for one in point.tls}
        new = [one for point in found for one in point.tls if one not in before]
        for context in self._server_contexts:
            _trust(context, new)
        self._known, self._read_at = found, asyncio.get_running_loop().time()

    async def _set_suspended(
        self, initiator: Initiator, country: str, reason: str, *, is_suspended: bool
    ) -> ContactPoint:
        async with self._db.transaction() as conn:
            found = await self._locked(conn, country)
            changed = replace(found, is_suspended=is_suspended)
            if changed != found:
                await contact_store.put(conn, changed)
                await self._record(conn, initiator, changed, "suspended" if is_suspended else "resumed", reason)
        self._read_at = float("-inf")
        return changed

    async def _locked(self, conn: Connection, country: str) -> ContactPoint:
        await contact_store.lock(conn)
        for one in await contact_store.fetch_all(conn):
            if one.country == country:
                return one
        raise KeyError(country)

    async def _record(
        self, conn: Connection, initiator: Initiator, one: ContactPoint, change: str, reason: str = ""
    ) -> None:
        seals = tuple(fingerprint(seal) for seal in one.seals)
        event = ContactPointChanged(country=one.country, change=change, fingerprints=seals, reason=reason)
        await insert(conn, self._journal.rows_for(initiator, event))


def _trust(context: ssl.SSLContext, certificates: Sequence[x509.Certificate]) -> None:
    for one in certificates:
        context.load_verify_locations(cadata=one.public_bytes(Encoding.DER))


def _shares(one: ContactPoint, other: ContactPoint) -> bool:
    """Return whether two contact points have the same home community, seal or certificate."""
    return one.home == other.home or bool({*one.seals, *one.tls} & {*other.seals, *other.tls})
