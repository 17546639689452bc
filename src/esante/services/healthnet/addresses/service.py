"""The use cases of addresses: assign networks to sites, release them, take those that NetBox has."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID

from asyncpg import ExclusionViolationError, UniqueViolationError

from esante.core import clock
from esante.core.journal import Initiator, Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, Problem
from esante.services.healthnet.addresses import address_store
from esante.services.healthnet.addresses.model import AddressesAssigned, AddressesReleased, SiteAddresses
from esante.services.healthnet.addresses.netbox import Assignment, ExchangeError
from esante.services.healthnet.addresses.plan import REUSE_AFTER, AddressPlan, PlanExhausted

_Chosen = tuple[IPv6Network | IPv4Network, Assignment]


class Addresses:
    """The addresses of sites under a plan."""

    def __init__(self, db: Database, journal: Journal, plan: AddressPlan) -> None:
        self._db, self._journal, self.plan = db, journal, plan

    async def all(self) -> dict[UUID, SiteAddresses]:
        """Return the addresses of all sites."""
        return await address_store.fetch_all(self._db)

    async def assign(self, conn: Connection, initiator: Initiator, site_id: UUID, key: str) -> SiteAddresses:
        """Give a site the first free networks, within the caller's transaction; journal it.

        Raises: Problem 409 when the plan has none left.
        """
        now = clock.now()
        await address_store.lock(conn)
        await address_store.delete_released(conn, now - REUSE_AFTER)
        try:
            found = self.plan.next_free(await address_store.fetch_taken(conn))
        except PlanExhausted as error:
            raise Problem(409, "conflict", N_("The network has no addresses left."), detail=str(error)) from error
        event = AddressesAssigned(site=key, networks=tuple(map(str, found.networks)))
        rows = [*address_store.address_rows(site_id, found.networks, now), *self._journal.rows_for(initiator, event)]
        await insert(conn, rows)
        return found

    async def release(self, conn: Connection, initiator: Initiator, site_id: UUID, key: str) -> None:
        """Take the networks of a site back, within the caller's transaction; journal it."""
        if networks := await address_store.release(conn, site_id, clock.now()):
            event = AddressesReleased(site=key, networks=tuple(map(str, networks)))
            await insert(conn, self._journal.rows_for(initiator, event))

    async def take(self, initiator: Initiator, assignments: Sequence[Assignment], sites: Mapping[str, UUID]) -> int:
        """Give sites the networks that somebody else chose, all or none; return how many sites changed.

        `sites`: the ids of the sites that may have addresses, by key. What a site had of the same version before is
        released.

        Raises: ExchangeError with every fault: an unknown site, a network outside the plan, twice, or of another site.
        """
        chosen = self._accepted(assignments, sites)
        changed = 0
        async with self._db.transaction() as conn:
            await address_store.lock(conn)
            before = await address_store.fetch_all(conn)
            for key, rows in chosen.items():
                site_id = sites[key]
                had = {network.version: network for network in (before[site_id].networks if site_id in before else ())}
                wanted = {**had, **{network.version: network for network, _ in rows}}
                if wanted == had:
                    continue
                changed += 1
                released = await address_store.release(conn, site_id, clock.now())
                await address_store.forget(conn, [one for one in released if one in wanted.values()])
                networks = [wanted[version] for version in sorted(wanted, reverse=True)]
                event = AddressesAssigned(site=key, networks=tuple(map(str, networks)))
                try:
                    async with conn.transaction():
                        await insert(conn, address_store.address_rows(site_id, networks, clock.now()))
                except (ExclusionViolationError, UniqueViolationError) as error:
                    place = rows[0][1].place
                    reason = f"a network of {key} belongs to another site, or did until lately"
                    raise ExchangeError([f"{place}: {reason}; release it there first"]) from error
                await insert(conn, self._journal.rows_for(initiator, event))
        return changed

    def _accepted(self, assignments: Sequence[Assignment], sites: Mapping[str, UUID]) -> dict[str, list[_Chosen]]:
        """Return networks with their assignments by key of the site."""
        faults: list[str] = []
        found: dict[str, list[_Chosen]] = {}
        versions: dict[tuple[str, int], str] = {}
        taken: dict[object, str] = {}
        for one in assignments:
            try:
                network = self.plan.accept(one.network)
            except ValueError as error:
                faults.append(f"{one.place}: {error}")
                continue
            if one.site not in sites:
                faults.append(f"{one.place}: {one.site[:40]!r} is no site with addresses; mend the key, or approve it")
            elif network in taken:
                faults.append(f"{one.place}: {network} stands at {taken[network]} too; remove one of them")
            elif (one.site, network.version) in versions:
                other = versions[one.site, network.version]
                faults.append(f"{one.place}: {one.site} has an IPv{network.version} network at {other}; remove one")
            else:
                taken[network] = versions[one.site, network.version] = one.place
                found.setdefault(one.site, []).append((network, one))
        if faults:
            raise ExchangeError(faults)
        return found
