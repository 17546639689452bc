"""The controller follows the register of sites: what is approved, changed, suspended or ended there."""

import logging
from dataclasses import replace
from typing import Any

from esante.core.web import Problem
from esante.services.healthnet.addresses.service import Addresses
from esante.services.healthnet.controller.connections import Connections
from esante.services.healthnet.controller.model import Connection, SiteFacts
from esante.services.healthnet.policy.model import FEDERATION
from esante.services.healthnet.sites.model import NetworkSite, SiteState
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.sites.service_classes import service_classes

log = logging.getLogger(__name__)


class Following:
    """Brings the connections of the controller to what the register says."""

    def __init__(self, connections: Connections, sites: Sites, addresses: Addresses) -> None:
        self._connections, self._sites, self._addresses = connections, sites, addresses

    async def follow(self) -> None:
        """Take over what changed; without a policy there is nothing to do yet.

        The register has no endpoints and relays: they are set at the controller. A site whose connection ended is
        revoked.
        """
        if not await self._connections.has_policy():
            return
        found = await self._connections.all()
        known = {one.facts.site: one for one in found if not one.facts.kind.startswith(FEDERATION)}
        addresses, classes, live = await self._addresses.all(), service_classes(), await self._sites.live()
        for site in live:
            if site.site_id not in addresses:
                continue
            before = known.get(site.key)
            registered: dict[str, Any] = {
                "kind": site.kind,
                "profession": site.profession,
                "addresses": addresses[site.site_id],
                "rate_kbit": classes[site.service_class].up * 1_000,
            }
            facts = replace(before.facts, **registered) if before else SiteFacts(site=site.key, **registered)
            if before is None or before.facts != facts:
                await self._connections.put(facts)
            await self._record_gateway(site, before)
            await self._connections.set_quarantine(site.key, site.is_quarantined)
            await self._connections.set_suspended(site.key, site.state is SiteState.SUSPENDED)
        ended = known.keys() - {site.key for site in live}
        for key in sorted(ended):
            if not known[key].is_revoked:
                await self._connections.revoke(key)

    async def _record_gateway(self, site: NetworkSite, connection: Connection | None) -> None:
        """Tell the register that the agent of a site has enrolled, and its present key."""
        if connection is None or connection.identity is None or connection.is_revoked or not connection.keys:
            return
        key = connection.keys[max(connection.keys)]
        if site.state is SiteState.APPROVED or (site.state is SiteState.ACTIVE and site.wireguard_key != key):
            try:
                await self._sites.record_gateway(site.site_id, key)
            except Problem as problem:
                log.warning("the register does not take the key of site %s: %s", site.key, problem.title)
