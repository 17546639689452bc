"""Make bundles: what is pending becomes bundles of the sites that it concerns, all in one transaction.

One process works at a time. A process that was killed has changed nothing: what was pending still is.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import orjson

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Row, insert, insert_in_batches
from esante.services.healthnet.bundles.format import Parts, canonical
from esante.services.healthnet.bundles.relays import SILENT_AFTER, silent_relays
from esante.services.healthnet.bundles.secrets import Secrets
from esante.services.healthnet.bundles.signer import VALIDITY, Signers, head_of
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.country import Country
from esante.services.healthnet.controller.model import BundlesIssued
from esante.services.healthnet.controller.rollout import bundle_store, rollout_store
from esante.services.healthnet.controller.rollout.rollouts import Rollouts
from esante.services.healthnet.controller.rollout.signing_keys import SigningKeys
from esante.services.healthnet.controller.rotation import Rotation
from esante.services.healthnet.policy.model import Policy

_RENEW_DAYS = 10
"""Bundles that expire within these days are made again."""
_RENEW_EVERY = 30.0
"""Seconds between looks for such bundles, and for those that sites undid."""
_RETRY = 300
"""Seconds after which a bundle that a site undid is offered again."""
_STANDBY = 2.0
"""Seconds for which a process that made no bundles lately leaves the work to the one that did."""
Policies = Callable[[str], Policy]


class Compilation:
    """Makes bundles, one transaction for each `advance`. `read_policy` parses the text of a policy."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        secrets: Secrets,
        keys: SigningKeys,
        read_policy: Policies,
        check_service: str = "",
    ) -> None:
        self._db, self._journal, self._secrets, self._keys = db, journal, secrets, keys
        self._read_policy, self._check_service = read_policy, check_service
        self._rollouts, self._rotation = Rollouts(db, journal, read_policy), Rotation(journal)
        self._country: Country | None = None
        self._signers = Signers([])
        self._number = -1
        self._renew_at, self._began = 0.0, monotonic()
        self._silent: frozenset[str] = frozenset()
        self._digests: dict[str, str] = {}
        self._policies: dict[int, Policy] = {}

    async def advance(self) -> int:
        """Make the bundles that are pending, and take the next step of roll-outs and rotations; return how many."""
        try:
            async with self._db.transaction() as conn:
                if not await bundle_store.lock(conn):
                    return 0
                await self._rollouts.step(conn)
                await self._rotation.retire(conn)
                await self._renew(conn)
                waited = await bundle_store.oldest_pending(conn)
                number = await bundle_store.fetch_number(conn)
                if waited is None or (number != self._number >= 0 and waited < _STANDBY):
                    return 0
                signers = await self._keys.signers(conn)
                is_fresh = number != self._number or signers.trusted != self._signers.trusted or not self._country
                self._signers = signers
                if is_fresh:
                    await self._load(conn)
                made = await self._make(conn, is_fresh=is_fresh)
                await bundle_store.advance_number(conn)
        except BaseException:
            self._country, self._silent = None, frozenset()  # they may be ahead of the database
            raise
        self._number = number + 1
        return made

    async def _renew(self, conn: Conn) -> None:
        if monotonic() < self._renew_at:
            return
        self._renew_at = monotonic() + _RENEW_EVERY
        await self._keys.step(conn)
        await self._watch_relays(conn)
        expiring = await bundle_store.fetch_expiring(conn, _RENEW_DAYS)
        undone = await bundle_store.fetch_undone(conn, _RETRY)
        if expiring or undone:
            await bundle_store.ask(conn, dict.fromkeys([*expiring, *undone], 0), is_forced=True)

    async def _watch_relays(self, conn: Conn) -> None:
        """Move tunnels away from relays that fell silent, and back; not before agents had time to be heard."""
        if monotonic() - self._began < SILENT_AFTER.total_seconds():
            return
        silent = silent_relays(await bundle_store.fetch_relays_heard(conn), clock.now())
        if changed := silent ^ self._silent:
            self._silent = silent
            await bundle_store.ask(conn, dict.fromkeys(changed, 0))

    async def _load(self, conn: Conn) -> None:
        await self._load_policies(conn)
        connections = await connection_store.fetch_connections(conn)
        self._digests = {
            site: orjson.loads(head)["digest"] for site, head in (await bundle_store.fetch_heads(conn)).items()
        }
        self._silent = silent_relays(await bundle_store.fetch_relays_heard(conn), clock.now())
        self._country = await asyncio.to_thread(
            Country,
            self._policies,
            connections,
            self._secrets,
            self._signers.trusted,
            self._check_service,
            self._silent,
        )

    async def _load_policies(self, conn: Conn) -> None:
        rows = {row["version"]: row["text"] for row in await rollout_store.fetch_policies(conn)}
        self._policies = {
            version: self._policies[version] if version in self._policies else self._read_policy(text)
            for version, text in rows.items()
        }

    async def _make(self, conn: Conn, *, is_fresh: bool) -> int:
        """Make bundles of the sites that what is pending concerns; return how many.

        `is_fresh`: the sites were just read, with what is pending, so every site may be concerned.
        """
        country = self._country
        assert country is not None
        await self._load_policies(conn)
        pending = await bundle_store.take_pending(conn)
        found = {one.facts.site: one for one in await connection_store.fetch_connections(conn, pending)}
        now = clock.now()

        def compute() -> tuple[list[Row], dict[str, int], dict[str, str]]:
            country.set_policies(self._policies)
            country.set_silent(self._silent)
            affected = set(country.connections) if is_fresh else set()
            for key in pending:
                affected |= country.change(key, found.get(key))
            return self._rows(country, sorted(affected), pending, now)

        rows, serials, digests = await asyncio.to_thread(compute)
        if serials:
            await insert_in_batches(conn, rows)
            await bundle_store.keep_serials(conn, serials)
            event = BundlesIssued(number=len(serials), sites=tuple(sorted(serials))[:50])
            await insert(conn, self._journal.rows(event))
        await self._rollouts.note_serials(conn)
        self._digests |= digests
        for key, serial in serials.items():
            country.note_serial(key, serial)
        return len(serials)

    def _rows(
        self, country: Country, affected: Iterable[str], pending: dict[str, tuple[int, bool]], now: datetime
    ) -> tuple[list[Row], dict[str, int], dict[str, str]]:
        rows: list[Row] = []
        serials: dict[str, int] = {}
        digests: dict[str, str] = {}
        for key in affected:
            connection = country.connections.get(key)
            if connection is None or connection.identity is None:
                continue
            restores, is_forced = pending.get(key, (0, False))
            parts = country.parts(key)
            serial = max(connection.serial, connection.in_force, connection.receipt_serial) + 1
            head = head_of(key, serial, parts, now.timestamp(), restores)
            if head.digest == self._digests.get(key) and not is_forced and connection.serial:
                continue
            rows.append((bundle_store.BUNDLE, self._bundle(key, serial, head.encoded(), parts, now)))
            serials[key], digests[key] = serial, head.digest
        return rows, serials, digests

    def _bundle(self, key: str, serial: int, head: bytes, parts: Parts, now: datetime) -> tuple[Any, ...]:
        signatures = canonical(self._signers.sign(head))
        expires = datetime.fromtimestamp(int(now.timestamp()) + VALIDITY, UTC)
        return key, serial, head.decode(), signatures, canonical(parts), expires
