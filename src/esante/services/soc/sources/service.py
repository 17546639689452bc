"""The use cases of sources: add, change, end; issue keys, register certificates, revoke."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import UniqueViolationError
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access import Requester, generate_secret, hash_secret
from esante.services.soc.sources import source_store
from esante.services.soc.sources.model import KeyChanged, Source, SourceChanged, SourceKey, SourceKind
from esante.services.soc.tenants.service import Tenants

MAX_DAYS = 825
"""Days for which a key works at most."""
LONGEST_NAME = 80


class Sources:
    """The sources of all members. Operators manage all of them, contacts those of their member."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants) -> None:
        self._db, self._journal, self._tenants = db, journal, tenants

    async def all(self, requester: Requester, tenant_id: UUID) -> list[Source]:
        """Return the sources of a member. Raises: Problem 404."""
        tenant = await self._tenants.tenant(requester, tenant_id)
        return await source_store.fetch_of_tenant(self._db, tenant.tenant_id)

    async def source(self, requester: Requester, tenant_id: UUID, source_id: UUID) -> Source:
        """Return a source of a member. Raises: Problem 404."""
        tenant = await self._tenants.tenant(requester, tenant_id)
        found = await source_store.fetch(self._db, tenant.tenant_id, source_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def keys(self, requester: Requester, tenant_id: UUID, source_id: UUID) -> list[SourceKey]:
        """Return the keys of a source, the newest first. Raises: Problem 404."""
        source = await self.source(requester, tenant_id, source_id)
        return await source_store.fetch_keys(self._db, source.tenant_id, source.source_id)

    async def add(
        self,
        requester: Requester,
        tenant_id: UUID,
        name: str,
        kind: SourceKind,
        expected_every: timedelta | None = None,
    ) -> Source:
        """Add a source to a member.

        Raises: Problem 404, 400 for a wrong name or time, 409 for a name that another source of the member has.
        """
        tenant = await self._tenants.tenant(requester, tenant_id)
        source = Source(
            tenant_id=tenant.tenant_id,
            source_id=uuid7(),
            name=clean_text(name, 2, LONGEST_NAME, "name"),
            kind=kind.value,
            expected_every=_checked(expected_every),
            last_event_at=None,
            events=0,
            faults=0,
            added_at=clock.now(),
            ended_at=None,
        )
        try:
            async with self._db.transaction() as conn:
                rows = self._journal.rows_for(requester, _changed(source))
                await insert(conn, [source_store.source_row(source), *rows])
        except UniqueViolationError as error:
            raise _taken() from error
        return source

    async def change(
        self,
        requester: Requester,
        tenant_id: UUID,
        source_id: UUID,
        *,
        name: str,
        kind: SourceKind,
        expected_every: timedelta | None,
    ) -> Source:
        """Change name, kind and expectation of a source. Raises: as `add`, 409 for one that has ended."""
        source = await self._open_source(requester, tenant_id, source_id)
        source = replace(
            source,
            name=clean_text(name, 2, LONGEST_NAME, "name"),
            kind=kind.value,
            expected_every=_checked(expected_every),
        )
        try:
            async with self._db.transaction() as conn:
                await source_store.update(conn, tenant_id, source_id, source.name, source.kind, source.expected_every)
                await insert(conn, self._journal.rows_for(requester, _changed(source)))
        except UniqueViolationError as error:
            raise _taken() from error
        return source

    async def end(self, requester: Requester, tenant_id: UUID, source_id: UUID) -> None:
        """End a source: its keys are revoked, and its silence raises no alert. Raises: Problem 404, 409."""
        source = await self._open_source(requester, tenant_id, source_id)
        event = SourceChanged(tenant_id=tenant_id, source_id=source_id, name=source.name, ended=True)
        async with self._db.transaction() as conn:
            await source_store.end(conn, tenant_id, source_id, clock.now())
            await insert(conn, self._journal.rows_for(requester, event))

    async def issue_key(
        self, requester: Requester, tenant_id: UUID, source_id: UUID, days: int = 365
    ) -> tuple[SourceKey, str]:
        """Return a new bearer key of a source and its secret, which is shown this once.

        Raises: Problem 404, 409 for a source that has ended, 400 for a wrong number of days.
        """
        source = await self._open_source(requester, tenant_id, source_id)
        if not 1 <= days <= MAX_DAYS:
            raise bad_request("days", N_("A key works for 1 to 825 days."), code="value")
        secret = generate_secret()
        key = _key(source, hash_secret(secret), None, clock.now() + timedelta(days=days))
        await self._insert(requester, key)
        return key, secret

    async def register_certificate(
        self, requester: Requester, tenant_id: UUID, source_id: UUID, pem: bytes
    ) -> SourceKey:
        """Let a source authenticate with a client certificate, until that expires.

        Raises: Problem 404, 400 for what is no certificate or has expired, 409 for one that is registered.
        """
        source = await self._open_source(requester, tenant_id, source_id)
        try:
            certificate = x509.load_pem_x509_certificate(pem)
        except ValueError as error:
            remedy = N_("Choose a certificate in PEM form, without its private key.")
            raise bad_request("certificate", N_("This is not a certificate."), remedy) from error
        expires_at = certificate.not_valid_after_utc
        if expires_at <= clock.now():
            raise bad_request("certificate", N_("This certificate has expired."), code="value")
        der = certificate.public_bytes(Encoding.DER)
        key = _key(source, certificate.fingerprint(SHA256()), der, expires_at)
        try:
            await self._insert(requester, key)
        except UniqueViolationError as error:
            raise Problem(409, "conflict", N_("This certificate is registered already.")) from error
        return key

    async def revoke(self, requester: Requester, tenant_id: UUID, key_id: UUID) -> None:
        """Revoke a key: connections that were opened with it end within seconds. Raises: Problem 404."""
        await self._tenants.tenant(requester, tenant_id)
        async with self._db.transaction() as conn:
            source_id = await source_store.revoke(conn, tenant_id, key_id, clock.now())
            if source_id is None:
                raise Problem(404, "not-found", NOT_FOUND)
            event = KeyChanged(tenant_id=tenant_id, source_id=source_id, key_id=key_id, revoked=True)
            await insert(conn, self._journal.rows_for(requester, event))

    async def _open_source(self, requester: Requester, tenant_id: UUID, source_id: UUID) -> Source:
        source = await self.source(requester, tenant_id, source_id)
        if source.ended_at is not None:
            raise Problem(409, "conflict", N_("This source has ended."), remedy=N_("Add a new one."))
        return source

    async def _insert(self, requester: Requester, key: SourceKey) -> None:
        event = KeyChanged(tenant_id=key.tenant_id, source_id=key.source_id, key_id=key.key_id)
        async with self._db.transaction() as conn:
            await insert(conn, [source_store.key_row(key), *self._journal.rows_for(requester, event)])


def _key(source: Source, hash_: bytes, certificate: bytes | None, expires_at: datetime) -> SourceKey:
    return SourceKey(
        tenant_id=source.tenant_id,
        source_id=source.source_id,
        key_id=uuid7(),
        hash=hash_,
        certificate=certificate,
        added_at=clock.now(),
        expires_at=expires_at,
        revoked_at=None,
    )


def _checked(expected_every: timedelta | None) -> timedelta | None:
    if expected_every is not None and not timedelta(minutes=1) <= expected_every <= timedelta(days=366):
        raise bad_request("expected_every", N_("The time is at least a minute and at most a year."), code="value")
    return expected_every


def _changed(source: Source) -> SourceChanged:
    return SourceChanged(tenant_id=source.tenant_id, source_id=source.source_id, name=source.name)


def _taken() -> Problem:
    return Problem(409, "conflict", N_("The member has a source of this name already."), place="name")
