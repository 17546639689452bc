"""The keys that work, as an intake process knows them: read again every two seconds."""

import asyncio
import hashlib
import logging
import ssl
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.storage import Database, Unavailable
from esante.identity.access import SECRET_PATTERN, hash_secret
from esante.services.soc.sources import source_store

REFRESH_SECONDS = 2.0
STALE_SECONDS = 60.0
"""Without the database keys are believed for so long."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: member, source, key, and how many events a second the member may send."""

    tenant_id: UUID
    source_id: UUID
    key_id: UUID
    quota: int
    expires_at: datetime


class ValidKeys:
    """The valid keys. `keep_fresh` must run beside its use; a key that was revoked is gone within seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._by_hash: dict[bytes, Sender] = {}
        self._by_key: dict[UUID, Sender] = {}
        self._certificates: dict[bytes, bytes] = {}
        self._trusted: set[bytes] = set()
        self._contexts: list[ssl.SSLContext] = []
        self._read_at = float("-inf")

    def of_secret(self, secret: str) -> Sender | None:
        """Return whose bearer key a secret is, or None."""
        return self._valid(self._by_hash.get(hash_secret(secret))) if SECRET_PATTERN.fullmatch(secret) else None

    def of_certificate(self, der: bytes) -> Sender | None:
        """Return who has a client certificate, or None."""
        return self._valid(self._by_hash.get(hashlib.sha256(der).digest()))

    def current(self, key_id: UUID) -> Sender | None:
        """Return who sends with a key, as it is now; None when it no longer works."""
        return self._valid(self._by_key.get(key_id))

    def trust_in(self, context: ssl.SSLContext) -> None:
        """Have a server's context accept the registered certificates, now and whenever keys are read again.

        A certificate that no longer works still passes the handshake; whoever has it is then nobody.
        """
        self._contexts.append(context)
        for der in self._trusted:
            context.load_verify_locations(cadata=der)

    async def refresh(self) -> None:
        """Read the keys. Raises: `Unavailable`."""
        found = await source_store.fetch_valid_keys(self._db, clock.now())
        by_hash = {
            key.hash: Sender(key.tenant_id, key.source_id, key.key_id, quota, key.expires_at) for key, quota in found
        }
        self._by_hash, self._by_key = by_hash, {sender.key_id: sender for sender in by_hash.values()}
        for key, _ in found:
            if key.certificate is not None and key.certificate not in self._trusted:
                self._trusted.add(key.certificate)
                for context in self._contexts:
                    context.load_verify_locations(cadata=key.certificate)
        self._read_at = asyncio.get_running_loop().time()

    async def keep_fresh(self) -> None:
        """Read the keys again and again."""
        while True:
            try:
                await self.refresh()
            except Unavailable:
                log.warning("keys cannot be read: the database is not available")
            await asyncio.sleep(REFRESH_SECONDS)

    @property
    def are_fresh(self) -> bool:
        """Whether the keys were read lately; if not, nobody can be recognised."""
        return asyncio.get_running_loop().time() - self._read_at < STALE_SECONDS

    def _valid(self, sender: Sender | None) -> Sender | None:
        return sender if sender is not None and self.are_fresh and clock.now() < sender.expires_at else None
