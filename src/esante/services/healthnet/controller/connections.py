"""The use cases of connected sites: facts, tokens of enrolment, quarantine, revocation, keys."""

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import Database, insert, uuid7
from esante.services.healthnet.bundles.secrets import Secrets
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.model import (
    AgentTokenIssued,
    BundleReceived,
    Connection,
    ConnectionSuspended,
    ControlRefused,
    QuarantineSet,
    SiteConnected,
    SiteFacts,
    SiteRevoked,
    TunnelKeyChanged,
)
from esante.services.healthnet.controller.rollout import bundle_store, rollout_store
from esante.services.healthnet.policy.model import PLATFORM

TOKEN_VALIDITY = timedelta(days=7)
ROTATE_AFTER = timedelta(days=30)
"""The age at which an agent is asked for a new WireGuard key."""


class Connections:
    """The sites that the controller knows."""

    def __init__(self, db: Database, journal: Journal, secrets: Secrets) -> None:
        self._db, self._journal, self._secrets = db, journal, secrets

    async def put(self, facts: SiteFacts, actor: Actor = SYSTEM) -> None:
        """Add a site, or change its facts; it has no tunnels before its agent has enrolled.

        Raises: ControlRefused before there is a policy, for a revoked site, for networks of another site.
        """
        networks = tuple(str(network) for network in facts.addresses.networks)
        try:
            async with self._db.transaction() as conn:
                version = await rollout_store.version_in_force(conn)
                before = await connection_store.fetch_connection(conn, facts.site)
                if version == 0:
                    raise ControlRefused(409, "there is no policy yet: release one first")
                if before and before.is_revoked:
                    raise ControlRefused(409, f"site {facts.site} is revoked; a site that comes back gets a new key")
                if before and before.facts == facts:
                    return
                await connection_store.put_facts(conn, facts, version)
                await bundle_store.ask(conn, {facts.site: 0})
                event = SiteConnected(site=facts.site, kind=facts.kind, networks=networks)
                await insert(conn, self._journal.rows(event, actor=actor))
        except UniqueViolationError as error:
            raise ControlRefused(409, f"another site has one of the networks {', '.join(networks)}") from error

    async def has_policy(self) -> bool:
        """Return whether a policy is in force."""
        return await rollout_store.version_in_force(self._db) > 0

    async def all(self) -> list[Connection]:
        """Return all sites, by key."""
        return await connection_store.fetch_connections(self._db)

    async def set_endpoint(self, site: str, endpoint: str, actor: Actor = SYSTEM) -> None:
        """Set the address at which other sites reach a site from the Internet. Raises: ControlRefused, ValueError."""
        found = await self.site(site)
        await self.put(replace(found.facts, endpoint=str(ip_address(endpoint)) if endpoint else ""), actor)

    async def set_relay(self, site: str, is_relay: bool, actor: Actor = SYSTEM) -> None:
        """Let a site of the agency relay tunnels of sites that cannot reach each other, or end that.

        Raises: ControlRefused for a site of others, and for one that cannot be reached from the Internet.
        """
        found = await self.site(site)
        if is_relay and (found.facts.kind != PLATFORM or not found.facts.endpoint):
            raise ControlRefused(409, f"site {site} cannot relay: a relay is a site of the agency with an endpoint")
        await self.put(replace(found.facts, is_relay=is_relay), actor)

    async def site(self, site: str) -> Connection:
        """Return a site. Raises: ControlRefused for an unknown one."""
        found = await connection_store.fetch_connection(self._db, site)
        if found is None:
            raise ControlRefused(404, f"there is no site {site}")
        return found

    async def issue_token(self, site: str, actor: Actor = SYSTEM) -> str:
        """Return a new one-time token with which the agent of a site enrols; tokens of before that wait are ended.

        Raises: ControlRefused for an unknown or revoked site.
        """
        token_id = uuid7()
        async with self._db.transaction() as conn:
            found = await connection_store.fetch_connection(conn, site)
            if found is None or found.is_revoked:
                raise ControlRefused(404, f"there is no site {site}")
            await connection_store.end_tokens(conn, site)
            row = (connection_store.TOKEN, (token_id, site, clock.now() + TOKEN_VALIDITY))
            event = AgentTokenIssued(site=site, token_id=token_id)
            await insert(conn, [row, *self._journal.rows(event, actor=actor)])
        secret = urlsafe_b64encode(self._secrets.token_secret(token_id)).decode().rstrip("=")
        return f"hn1.{token_id}.{site}.{secret}"

    async def set_quarantine(self, site: str, is_quarantined: bool, actor: Actor = SYSTEM) -> None:
        """Put a site into quarantine, where it keeps the flows that its policy names, or take it out."""
        async with self._db.transaction() as conn:
            if await connection_store.set_quarantine(conn, site, is_quarantined):
                await bundle_store.ask(conn, {site: 0})
                event = QuarantineSet(site=site, is_quarantined=is_quarantined)
                await insert(conn, self._journal.rows(event, actor=actor))

    async def set_suspended(self, site: str, is_suspended: bool, actor: Actor = SYSTEM) -> None:
        """Take a site off the network, until it is brought back: no other site has a tunnel with it meanwhile."""
        async with self._db.transaction() as conn:
            if await connection_store.set_suspended(conn, site, is_suspended):
                await bundle_store.ask(conn, {site: 0})
                event = ConnectionSuspended(site=site, is_suspended=is_suspended)
                await insert(conn, self._journal.rows(event, actor=actor))

    async def revoke(self, site: str, actor: Actor = SYSTEM) -> None:
        """Revoke a site for good: its requests are refused, and no other site has a tunnel with it any more."""
        async with self._db.transaction() as conn:
            if await connection_store.revoke(conn, site):
                await bundle_store.ask(conn, {site: 0})
                await insert(conn, self._journal.rows(SiteRevoked(site=site), actor=actor))

    async def ask_rotation(self, site: str) -> None:
        """Ask the agent of a site for a new WireGuard key, at its next heartbeat."""
        async with self._db.transaction() as conn:
            await connection_store.age_keys(conn, site, clock.now() - ROTATE_AFTER)
            await connection_store.touch(conn, [site])

    async def add_key(self, site: str, generation: int, public: str) -> None:
        """Keep the WireGuard key of a new generation; tunnels of the old one stay until the new ones carry traffic.

        A key that is kept already is no fault. Raises: ControlRefused for a wrong key, a generation that is not the
        next one, a rotation before the last one has ended, a key of another site.
        """
        check_key(public)
        try:
            async with self._db.transaction() as conn:
                found = await connection_store.fetch_connection(conn, site)
                if found is None or found.is_revoked:
                    raise ControlRefused(404, "there is no such site")
                if found.keys.get(generation) == public:
                    return
                if found.keys and (generation <= max(found.keys) or len(found.keys) > 1):
                    raise ControlRefused(409, "the last rotation has not ended, or this generation is not the next")
                row = (connection_store.TUNNEL_KEY, (site, generation, public, clock.now()))
                await insert(conn, [row, *self._journal.rows(TunnelKeyChanged(site=site, generation=generation))])
                await bundle_store.ask(conn, {site: 0})
                await connection_store.touch(conn, [site])
        except UniqueViolationError as error:
            raise ControlRefused(409, "this key is in use") from error

    async def keep_receipt(self, received: BundleReceived, in_force: int, origin: str) -> None:
        """Keep what an agent says of a bundle; `in_force`: the serial of the bundle that it has now."""
        actor = Actor(kind="system", name=f"agent of {received.site}")
        async with self._db.transaction() as conn:
            if received.serial:
                await connection_store.keep_receipt(
                    conn, received.site, received.serial, received.outcome, received.reason, in_force
                )
            await insert(conn, self._journal.rows(received, actor=actor, origin=origin))


def check_key(public: str) -> None:
    """Raise ControlRefused for what is no WireGuard public key."""
    try:
        is_right = len(b64decode(public, validate=True)) == 32
    except (NoBase64, ValueError):
        is_right = False
    if not is_right:
        raise ControlRefused(400, "a WireGuard public key has 32 bytes in base64")
