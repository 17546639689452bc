"""All sites with their edges, held in memory: which bundles a change of one site makes new."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from esante.services.healthnet.bundles.compiler import Compiler, ConnectedSite
from esante.services.healthnet.bundles.format import Parts
from esante.services.healthnet.bundles.relays import RelayPlan
from esante.services.healthnet.bundles.secrets import Secrets
from esante.services.healthnet.controller.model import Connection
from esante.services.healthnet.policy.model import Policy, Site
from esante.services.healthnet.policy.network import Network


class Country:
    """The sites under one policy, or under two while one is rolled out: each site has the edges of its own."""

    def __init__(
        self,
        policies: Mapping[int, Policy],
        connections: Iterable[Connection],
        secrets: Secrets,
        trusted: Mapping[str, Mapping[str, str]],
        check_service: str = "",
        silent: frozenset[str] = frozenset(),
    ) -> None:
        found = [one for one in connections if _takes_part(one)]
        self._secrets, self._trusted, self._check_service = secrets, trusted, check_service
        self.connections = {one.facts.site: one for one in found}
        self._sites = {one.facts.site: self._site(one) for one in found}
        self._networks: dict[int, Network] = {}
        self._compilers: dict[int, Compiler] = {}
        self.set_policies(policies)
        self._silent = silent
        self._relays = {key for key in self.connections if self._is_relay(key)}
        self._plan = RelayPlan()
        for key in self.connections:
            self._plan_relays(key)

    def set_policies(self, policies: Mapping[int, Policy]) -> None:
        """Use these policies, by version; those that are known already stay compiled."""
        for version in self._networks.keys() - policies.keys():
            del self._networks[version], self._compilers[version]
        for version in policies.keys() - self._networks.keys():
            policy = policies[version]
            self._networks[version] = Network(policy, [_policy_site(one) for one in self.connections.values()])
            self._compilers[version] = Compiler(
                services=policy.services,
                sites=self._sites,
                secrets=self._secrets,
                trusted=self._trusted,
                check_service=self._check_service if self._check_service in policy.services else "",
            )

    def set_silent(self, silent: frozenset[str]) -> None:
        """Take the relays that fell silent; it counts for each with its next `change`."""
        self._silent = silent

    def change(self, key: str, connection: Connection | None) -> set[str]:
        """Take what a site is now (None, revoked, suspended: gone); return the sites whose bundles that may change."""
        affected = self._change(key, connection)
        is_other = self._is_relay(key) != (key in self._relays)
        if is_other:
            self._relays ^= {key}
        for site in [key, *self.connections] if is_other else [key, *affected]:
            if moved := self._plan_relays(site):
                affected |= {site, *moved}
        return affected & self.connections.keys()

    def _change(self, key: str, connection: Connection | None) -> set[str]:
        before = self._sites.get(key)
        if connection is None or not _takes_part(connection):
            if before is None:
                return set()
            affected = {other for network in self._networks.values() for other in network.remove(key)}
            del self._sites[key], self.connections[key]
            return affected
        affected = {key}
        self.connections[key] = connection
        self._sites[key] = now = self._site(connection)
        for network in self._networks.values():
            affected |= network.put(_policy_site(connection))
            if now != before:
                affected |= {edge.source for edge in network.edges(key)} | {edge.target for edge in network.edges(key)}
        if now != before:  # keys and addresses of a site are part of the bundles of its relays and of those it relays
            affected |= {*self._plan.relayed(key).values(), *self._plan.clients(key)}
        return affected

    def _is_relay(self, key: str) -> bool:
        site = self._sites.get(key)
        return site is not None and site.is_relay and bool(site.endpoint and site.keys) and key not in self._silent

    def _plan_relays(self, key: str) -> set[str]:
        """Plan relays for tunnels of a site neither end of which can be reached; return those that this changes."""
        site, others = self._sites.get(key), set()
        if site is not None and not site.endpoint:
            edges = self._networks[self.connections[key].policy_version].edges(key)
            ends = {edge.source for edge in edges} | {edge.target for edge in edges}
            others = {other for other in ends - {key} if not self._sites[other].endpoint}
        return self._plan.put(key, others, self._relays)

    def parts(self, key: str) -> Parts:
        """Return the parts of a site's bundle under its policy. Raises: KeyError."""
        version = self.connections[key].policy_version
        edges, plan = self._networks[version].edges(key), self._plan
        return self._compilers[version].parts(key, edges, plan.relayed(key), plan.clients(key))

    def note_serial(self, key: str, serial: int) -> None:
        """Note the serial of the newest bundle of a site."""
        self.connections[key] = replace(self.connections[key], serial=serial)

    def _site(self, one: Connection) -> ConnectedSite:
        facts = one.facts
        return ConnectedSite(
            key=facts.site,
            addresses=facts.addresses,
            endpoint=facts.endpoint,
            rate_kbit=facts.rate_kbit,
            mtu=facts.mtu,
            keys=one.keys,
            is_relay=facts.is_relay,
            sealing_key=self._secrets.sealing_key(one.token_id) if one.token_id else b"",
        )


def _takes_part(one: Connection) -> bool:
    return not one.is_revoked and not one.is_suspended


def _policy_site(one: Connection) -> Site:
    facts = one.facts
    return Site(key=facts.site, kind=facts.kind, profession=facts.profession, is_quarantined=one.is_quarantined)
