"""The keys that sign bundles: a new one is announced by bundles of the old one, both sign for a time, the old ends.

Keys are derived from the root key by their generation. The keys that agents trust are part of what is signed, so only
who has a key that is trusted already can announce another one.
"""

from datetime import timedelta

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import Connection as Conn
from esante.core.storage import Database, insert
from esante.services.healthnet.bundles.secrets import Secrets
from esante.services.healthnet.bundles.signer import BundleSigner, Signers
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.model import ControlRefused, SigningKeyChanged
from esante.services.healthnet.controller.rollout import bundle_store

OVERLAP = timedelta(hours=24)
"""For how long both keys sign at least, unless an operator ends the old one."""
_NAMED = 10


class SigningKeys:
    """The keys in use, and their exchange."""

    def __init__(self, db: Database, journal: Journal, secrets: Secrets) -> None:
        self._db, self._journal, self._secrets = db, journal, secrets

    async def signers(self, db: Database | Conn | None = None) -> Signers:
        """Return the keys in use, the oldest first."""
        return Signers([self._signer(one) for one, _ in await bundle_store.fetch_signing_keys(db or self._db)])

    async def rotate(self, actor: Actor = SYSTEM) -> int:
        """Announce a new key to all sites; return its generation. Raises: ControlRefused while one is announced."""
        async with self._db.transaction() as conn:
            await bundle_store.lock_signing_keys(conn)
            live = await bundle_store.fetch_signing_keys(conn)
            if len(live) > 1:
                raise ControlRefused(409, "a new key is announced already: wait until the old one ends, or end it")
            generation = await bundle_store.newest_signing_key(conn) + 1
            await insert(conn, [(bundle_store.SIGNING_KEY, (generation, clock.now()))])
            await self._changed(conn, generation, is_ended=False, actor=actor)
        return generation

    async def end_old(self, *, is_forced: bool = False, actor: Actor = SYSTEM) -> None:
        """End the old key, at once.

        Raises: ControlRefused when there is only one, and for sites that do not know the new one yet: they would
        refuse all bundles, and must be enrolled again. `is_forced`: end it nevertheless, as when others may have it.
        """
        async with self._db.transaction() as conn:
            await bundle_store.lock_signing_keys(conn)
            live = await bundle_store.fetch_signing_keys(conn)
            if len(live) < 2:
                raise ControlRefused(409, "no new key is announced: announce one first")
            if (late := await self._late(conn, live[-1][0])) and not is_forced:
                names = ", ".join(late[:_NAMED]) + (" ..." if len(late) > _NAMED else "")
                raise ControlRefused(409, f"{len(late)} sites do not know the new key yet: {names}")
            await self._end(conn, live[0][0], actor)

    async def step(self, conn: Conn) -> None:
        """End the old key when every site has confirmed a bundle with the new one, and some time has passed."""
        live = await bundle_store.fetch_signing_keys(conn)
        if len(live) < 2 or clock.now() - live[-1][1] < OVERLAP:
            return
        if not await self._late(conn, live[-1][0]):
            await self._end(conn, live[0][0], SYSTEM)

    async def _late(self, conn: Conn, generation: int) -> list[str]:
        return await bundle_store.fetch_sites_without_key(conn, self._signer(generation).key_id)

    async def _end(self, conn: Conn, generation: int, actor: Actor) -> None:
        await bundle_store.end_signing_key(conn, generation, clock.now())
        await self._changed(conn, generation, is_ended=True, actor=actor)

    async def _changed(self, conn: Conn, generation: int, *, is_ended: bool, actor: Actor) -> None:
        sites = [one.facts.site for one in await connection_store.fetch_connections(conn) if not one.is_revoked]
        await bundle_store.ask(conn, dict.fromkeys(sites, 0))
        key = self._signer(generation).key_id
        event = SigningKeyChanged(generation=generation, key=key, is_ended=is_ended)
        await insert(conn, self._journal.rows(event, actor=actor))

    def _signer(self, generation: int) -> BundleSigner:
        return BundleSigner(self._secrets.signing_key_of(generation))
