"""Proof of a policy over every possible site: contradictions of rules, ambiguous ports, invariants that do not hold.

A site is possible when it has a kind, a profession where it is a practice, and, where a group names it, the kind that
the group gives it. What holds for every pair of possible sites holds for whatever sites the network will have.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations, product

from esante.services.healthnet.policy.faults import Fault
from esante.services.healthnet.policy.model import FEDERATION, PRACTICE, Invariant, NetworkService, Policy, Site
from esante.services.healthnet.policy.rules import CompiledRule, Decider, Position


def proof_faults(policy: Policy, kinds: Collection[str], professions: Collection[str]) -> list[Fault]:
    """Return the faults of a policy that was parsed without one; invariants are looked at when there is no other."""
    proof = _Proof(policy, kinds, professions)
    return (
        [*proof.empty_groups()]
        or [
            *proof.ambiguous_ports(),
            *proof.idle_rules(),
            *proof.contradictions(),
            *proof.idle_quarantine(),
        ]
        or [*proof.broken_invariants()]
    )


def possible_sites(policy: Policy, kinds: Collection[str], professions: Collection[str]) -> Iterator[Site]:
    """Yield a site of every combination of traits; one without a key stands for any number of sites."""
    foreign = {kind for group in policy.groups.values() for kind in group.kinds if kind.startswith(FEDERATION)}
    for kind in sorted({*kinds, *foreign}):
        yield Site(key="", kind=kind)
        if kind == PRACTICE:
            yield from (Site(key="", kind=kind, profession=profession) for profession in sorted(professions))
    named = {(site, kind) for group in policy.groups.values() for site in group.sites for kind in group.kinds}
    for key, kind in sorted(named):
        yield Site(key=key, kind=kind)
        if kind == PRACTICE:
            yield from (Site(key=key, kind=kind, profession=profession) for profession in sorted(professions))


class _Proof:
    def __init__(self, policy: Policy, kinds: Collection[str], professions: Collection[str]) -> None:
        self._policy, self._decider = policy, Decider(policy)
        found: dict[tuple[int, str], Site] = {}
        for site in possible_sites(policy, kinds, professions):
            found.setdefault((self._decider.groups.mask(site), site.key), site)
        self._sites = [(mask, site) for (mask, _), site in found.items()]

    def empty_groups(self) -> Iterator[Fault]:
        """Yield the groups that no site can be in."""
        reached = 0
        for mask, _ in self._sites:
            reached |= mask
        for group in self._policy.groups.values():
            if not reached & self._decider.groups.bits([group.key]):
                yield self._fault(group.line, f"no site can be in group {group.key}", "mend its selectors or `except`")

    def ambiguous_ports(self) -> Iterator[Fault]:
        """Yield pairs of services that one site can offer on the same port, so that a packet belongs to both."""
        for one, other in combinations(self._policy.services.values(), 2):
            shared = next((a for a in one.ports for b in other.ports if a.overlaps(b)), None)
            if shared is None:
                continue
            offers = self._decider.offers
            site = next((s for mask, s in self._sites if mask & offers[one.key] and mask & offers[other.key]), None)
            if site:
                reason = f"{_name(site)} can offer {one.key} and {other.key}, which share port {shared}"
                yield self._fault(other.line, reason, "give one another port, or let another site offer it")

    def idle_rules(self) -> Iterator[Fault]:
        """Yield rules whose targets offer none of their services, and overrides without effect."""
        for key, (service, compiled) in self._pairs_by_rule().items():
            if not any(self._targets(name, one) for name, one in zip(service, compiled, strict=True)):
                rule = compiled[0].rule
                reason = f"rule {key} is about nothing: no site of its targets offers one of its services"
                yield self._fault(rule.line, reason, "mend `reach` or `by`")

    def _pairs_by_rule(self) -> dict[str, tuple[list[str], list[CompiledRule]]]:
        found: dict[str, tuple[list[str], list[CompiledRule]]] = {}
        for service, (allowing, forbidding) in self._decider.rules.items():
            for one in [*allowing, *forbidding]:
                services, rules = found.setdefault(one.rule.key, ([], []))
                services.append(service)
                rules.append(one)
        return found

    def contradictions(self) -> Iterator[Fault]:
        """Yield pairs of rules of which one allows and the other forbids the same flow, without `overrides`."""
        effective: set[tuple[str, str]] = set()
        reported: set[tuple[str, str]] = set()
        for service, (allowing, forbidding) in self._decider.rules.items():
            for allow, forbid in product(allowing, forbidding):
                pair = (forbid.rule.key, allow.rule.key)
                if pair in reported or not (witness := self._shared_flow(allow, forbid, service)):
                    continue
                effective.add(pair)
                if allow.rule.key not in forbid.rule.overrides:
                    reported.add(pair)
                    source, target = witness
                    reason = (
                        f"rule {forbid.rule.key} forbids what rule {allow.rule.key} (line {allow.rule.line}) allows: "
                        f"{_name(source)} to {_name(target)} by {service}"
                    )
                    remedy = f"write `overrides: {allow.rule.key}`, or narrow one of them"
                    yield self._fault(forbid.rule.line, reason, remedy)
        for rule in self._policy.rules:
            for key in sorted(rule.overrides):
                if (rule.key, key) not in effective:
                    reason = f"rule {rule.key} overrides {key}, with which it shares no flow"
                    yield self._fault(rule.line, reason, "leave it out")

    def _shared_flow(self, allow: CompiledRule, forbid: CompiledRule, service: str) -> tuple[Site, Site] | None:
        sources = [site for mask, site in self._sites if mask & allow.sources and mask & forbid.sources]
        return _pair(sources, self._targets(service, allow, forbid))

    def _targets(self, service: str, *rules: CompiledRule) -> list[Site]:
        """Return the possible sites that offer a service and are targets of all these rules."""
        offers = self._decider.offers[service]
        return [
            site
            for mask, site in self._sites
            if mask & offers and all(rule.targets == -1 or mask & rule.targets for rule in rules)
        ]

    def idle_quarantine(self) -> Iterator[Fault]:
        """Yield services that quarantine keeps although no rule allows them."""
        kept = self._policy.quarantine.reaches | self._policy.quarantine.offers
        for key in sorted(kept):
            if not self._decider.rules[key][0]:
                service = self._policy.services[key]
                yield self._fault(
                    service.line, f"quarantine keeps {key}, which no rule allows", "add a rule, or leave it out"
                )

    def broken_invariants(self) -> Iterator[Fault]:
        """Yield the invariants that do not hold, each with a flow that breaks it and the rule that decides it."""
        for invariant in self._policy.invariants:
            for key in sorted(invariant.services) or self._policy.services:
                fault = self._broken(invariant, self._policy.services[key])
                if fault:
                    yield fault
                    break

    def _broken(self, invariant: Invariant, service: NetworkService) -> Fault | None:
        groups = self._decider.groups
        source_bits, target_bits = groups.bits(invariant.sources), groups.bits(invariant.targets)
        allowing, forbidding = self._decider.rules[service.key]
        relevant_sources = relevant_targets = 0
        for one in [*allowing, *forbidding]:
            relevant_sources |= one.sources
            relevant_targets |= 0 if one.targets == -1 else one.targets
        sources = self._distinct(source_bits, -1, relevant_sources)
        targets = self._distinct(target_bits, self._decider.offers[service.key], relevant_targets)
        what = f"invariant {invariant.key} does not hold"
        if invariant.is_always and not targets:
            reason = f"{what}: no site of its targets offers {service.key}"
            return self._fault(invariant.line, reason, "mend `reach` or `by`")
        for (source_mask, source), (target_mask, target) in product(sources, targets):
            if source.key and source.key == target.key:
                continue
            position = Position(source_mask, invariant.is_quarantined)
            decision = self._decider.decide(service.key, position, Position(target_mask))
            if decision.is_allowed != invariant.is_always:
                why = f"rule {decision.rule.key}, line {decision.rule.line}" if decision.rule else "no rule"
                state = " in quarantine" if invariant.is_quarantined else ""
                reaches = "reaches" if decision.is_allowed else "does not reach"
                flow = f"{_name(source)}{state} {reaches} {_name(target)} by {service.key}"
                reason = f"{what}: {flow} ({why}: {decision.cause})"
                return self._fault(invariant.line, reason, "change the rule, or the invariant")
        return None

    def _distinct(self, groups: int, offers: int, relevant: int) -> list[tuple[int, Site]]:
        """Return the possible sites of some groups that rules tell apart; two where they are single sites."""
        found: dict[int, list[tuple[int, Site]]] = {}
        for mask, site in self._sites:
            if mask & groups and (offers == -1 or mask & offers):
                same = found.setdefault(mask & relevant, [])
                if not same or (len(same) < 2 and same[0][1].key and same[0][1].key != site.key):
                    same.append((mask, site))
        return [one for same in found.values() for one in same]

    def _fault(self, line: int, reason: str, remedy: str) -> Fault:
        return Fault(self._policy.path, line, reason, remedy)


def _pair(sources: Sequence[Site], targets: Sequence[Site]) -> tuple[Site, Site] | None:
    """Return a source and a target that are different sites, or None."""
    for source in sources:
        for target in targets:
            if not source.key or source.key != target.key:
                return source, target
    return None


def _name(site: Site) -> str:
    if site.key:
        return f"site {site.key}"
    return f"a {site.kind}" + (f" of profession {site.profession}" if site.profession else "")
