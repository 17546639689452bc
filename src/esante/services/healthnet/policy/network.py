"""A policy compiled to edges for the sites of the network; a changed site recompiles its own edges only."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from esante.services.healthnet.policy.faults import Fault, PolicyError
from esante.services.healthnet.policy.model import Decision, Edge, Policy, Site
from esante.services.healthnet.policy.rules import Decider, Position


class Network:
    """The edges between sites under a policy."""

    def __init__(self, policy: Policy, sites: Iterable[Site] = ()) -> None:
        self.policy, self._decider = policy, Decider(policy)
        self._sites: dict[str, Site] = {}
        self._at: defaultdict[Position, set[str]] = defaultdict(set)
        self._edges: dict[str, set[Edge]] = {}
        for site in sites:
            if site.key in self._sites:
                raise ValueError(f"site {site.key} is given twice")
            self._sites[site.key] = site
            self._at[self._decider.position(site)].add(site.key)
            self._edges[site.key] = set()
        for edge in self._compile():
            self._edges[edge.source].add(edge)
            self._edges[edge.target].add(edge)

    def _compile(self) -> Iterator[Edge]:
        for service, offers in self._decider.offers.items():
            targets = [(position, keys) for position, keys in self._at.items() if position.mask & offers]
            for source_position, sources in self._at.items():
                for target_position, members in targets:
                    decision = self._decider.decide(service, source_position, target_position)
                    if decision.is_allowed and decision.rule:
                        rule = decision.rule.key
                        for target in members:
                            for source in sources:
                                if source != target:
                                    yield Edge(source, target, service, rule)

    @property
    def sites(self) -> Iterable[Site]:
        """The sites of the network."""
        return self._sites.values()

    def site(self, key: str) -> Site:
        """Return a site. Raises: KeyError."""
        return self._sites[key]

    def edges(self, key: str) -> frozenset[Edge]:
        """Return the edges that begin or end at a site. Raises: KeyError for an unknown site."""
        return frozenset(self._edges[key])

    def all_edges(self) -> set[Edge]:
        """Return every edge."""
        return {edge for key, edges in self._edges.items() for edge in edges if edge.source == key}

    def reach(self, source: str, target: str, service: str) -> Decision:
        """Return whether a site reaches another by a service, and why. Raises: KeyError for an unknown name."""
        if service not in self.policy.services:
            raise KeyError(service)
        return self._decider.reach(self._sites[source], self._sites[target], service)

    def put(self, site: Site) -> set[str]:
        """Add or change a site; return the keys of the sites whose edges changed, and its own when it is new."""
        is_new = site.key not in self._sites
        before = self._edges.get(site.key, set())
        if not is_new:
            self._at[self._decider.position(self._sites[site.key])].discard(site.key)
        self._sites[site.key] = site
        self._at[self._decider.position(site)].add(site.key)
        after = set(self._edges_of(site))
        return self._exchange(site.key, before, after) | ({site.key} if is_new else set())

    def remove(self, key: str) -> set[str]:
        """Remove a site; return the keys of the other sites whose edges changed. Raises: KeyError."""
        site = self._sites.pop(key)
        self._at[self._decider.position(site)].discard(key)
        affected = self._exchange(key, self._edges[key], set())
        del self._edges[key]
        return affected - {key}

    def _edges_of(self, site: Site) -> Iterator[Edge]:
        own = self._decider.position(site)
        for service, offers in self._decider.offers.items():
            for position, keys in self._at.items():
                if position.mask & offers:
                    there = self._decider.decide(service, own, position)
                    if there.is_allowed and there.rule:
                        yield from (Edge(site.key, key, service, there.rule.key) for key in keys if key != site.key)
                if own.mask & offers:
                    here = self._decider.decide(service, position, own)
                    if here.is_allowed and here.rule:
                        yield from (Edge(key, site.key, service, here.rule.key) for key in keys if key != site.key)

    def _exchange(self, key: str, before: set[Edge], after: set[Edge]) -> set[str]:
        affected = set()
        for edge in before - after:
            other = edge.target if edge.source == key else edge.source
            self._edges[other].discard(edge)
            affected |= {key, other}
        for edge in after - before:
            other = edge.target if edge.source == key else edge.source
            self._edges[other].add(edge)
            affected |= {key, other}
        self._edges[key] = after
        return affected


def check_sites(policy: Policy, network: Network) -> None:
    """Check that named sites exist, with the kind that their group gives them, and that "always" has a target.

    Raises: PolicyError with every fault.
    """
    sites = {site.key: site for site in network.sites}
    faults = []
    for group in policy.groups.values():
        for key in sorted(group.sites):
            if key not in sites:
                reason = f"group {group.key} names site {key}, which does not exist"
                faults.append(Fault(policy.path, group.line, reason, "mend the key, or add the site"))
            elif sites[key].kind not in group.kinds:
                reason = f"site {key} is a {sites[key].kind}, group {group.key} says: {min(group.kinds)}"

                faults.append(Fault(policy.path, group.line, reason, "mend the kind in the policy or of the site"))
    decider = Decider(policy)
    masks = [decider.groups.mask(site) for site in sites.values()]
    for one in policy.invariants:
        targets = decider.groups.bits(one.targets)
        for service in sorted(one.services) if one.is_always else ():
            if not any(mask & targets and mask & decider.offers[service] for mask in masks):
                reason = f"invariant {one.key}: no site of its targets offers {service}"
                faults.append(
                    Fault(policy.path, one.line, reason, "connect such a site before this policy is released")
                )
    if faults:
        raise PolicyError(sorted(faults))
