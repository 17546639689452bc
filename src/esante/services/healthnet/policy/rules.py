"""Pure decisions of the policy: the groups of a site, and whether a flow between two sites is allowed, by which rule.

Groups are bits of an integer, the mask of a site: sites with one mask are treated alike, so that decisions are made
between masks and not between sites.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from esante.services.healthnet.policy.model import FEDERATION, Cause, Decision, Effect, Group, Policy, Rule, Site


@dataclass(frozen=True, slots=True)
class Position:
    """What of a site counts: its groups, and whether it is in quarantine."""

    mask: int
    is_quarantined: bool = False


class Groups:
    """The groups of a policy as bits."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        self._bits = {key: 1 << number for number, key in enumerate(groups)}
        self._ordered = list(_in_order(groups))
        self._named = {site for group in groups.values() for site in group.sites}
        self._masks: dict[tuple[str, str, str], int] = {}

    def bits(self, keys: Iterable[str]) -> int:
        """Return the bits of groups."""
        found = 0
        for key in keys:
            found |= self._bits[key]
        return found

    def mask(self, site: Site) -> int:
        """Return the bits of the groups that a site is in."""
        traits = (site.kind, site.profession, site.key if site.key in self._named else "")
        if (found := self._masks.get(traits)) is None:
            found = self._masks[traits] = self._compute(*traits)
        return found

    def _compute(self, kind: str, profession: str, key: str) -> int:
        mask = 0
        for group in self._ordered:
            if group.is_union:
                is_member = bool(mask & self.bits(group.groups))
            else:
                is_member = (
                    (kind in group.kinds if group.kinds else not kind.startswith(FEDERATION))
                    and (not group.professions or profession in group.professions)
                    and (not group.sites or key in group.sites)
                )
            if is_member and not mask & self.bits(group.excluded):
                mask |= self._bits[group.key]
        return mask


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with the bits of its groups; -1: every group, and no group."""

    rule: Rule
    sources: int
    targets: int

    def covers(self, source: int, target: int) -> bool:
        """Return whether a flow between two masks is one of this rule."""
        return bool(source & self.sources) and (self.targets == -1 or bool(target & self.targets))


class Decider:
    """Decides flows by a policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.groups = policy, Groups(policy.groups)
        self._decisions: dict[tuple[str, Position, Position], Decision] = {}

    @cached_property
    def offers(self) -> dict[str, int]:
        """The bits of the groups that offer each service."""
        return {key: self.groups.bits(service.offered_by) for key, service in self.policy.services.items()}

    @cached_property
    def rules(self) -> dict[str, tuple[list[CompiledRule], list[CompiledRule]]]:
        """The allowing and the forbidding rules of each service, in the order of the file."""
        compiled = [
            CompiledRule(one, self.groups.bits(one.sources), self.groups.bits(one.targets) if one.targets else -1)
            for one in self.policy.rules
        ]
        return {
            key: (
                [one for one in compiled if one.rule.effect is Effect.ALLOW and _is_about(one.rule, key)],
                [one for one in compiled if one.rule.effect is Effect.FORBID and _is_about(one.rule, key)],
            )
            for key in self.policy.services
        }

    def position(self, site: Site) -> Position:
        """Return what of a site counts."""
        return Position(self.groups.mask(site), site.is_quarantined)

    def reach(self, source: Site, target: Site, service: str) -> Decision:
        """Return whether a site may reach another by a service, and why."""
        if source.key == target.key:
            return Decision(False, Cause.SAME_SITE)
        return self.decide(service, self.position(source), self.position(target))

    def decide(self, service: str, source: Position, target: Position) -> Decision:
        """Return whether two different sites in these positions may communicate by a service."""
        key = (service, source, target)
        if (found := self._decisions.get(key)) is None:
            found = self._decisions[key] = self._decide(*key)
        return found

    def _decide(self, service: str, source: Position, target: Position) -> Decision:
        if not target.mask & self.offers[service]:
            return Decision(False, Cause.NOT_OFFERED)
        allowing, forbidding = self.rules[service]
        for one in forbidding:
            if one.covers(source.mask, target.mask):
                return Decision(False, Cause.FORBIDDEN, one.rule)
        rule = next((one.rule for one in allowing if one.covers(source.mask, target.mask)), None)
        if rule is None:
            return Decision(False, Cause.NO_RULE)
        quarantine = self.policy.quarantine
        if source.is_quarantined and service not in quarantine.reaches:
            return Decision(False, Cause.SOURCE_QUARANTINED, rule)
        if target.is_quarantined and service not in quarantine.offers:
            return Decision(False, Cause.TARGET_QUARANTINED, rule)
        return Decision(True, Cause.RULE, rule)


def _is_about(rule: Rule, service: str) -> bool:
    return not rule.services or service in rule.services


def _in_order(groups: Mapping[str, Group]) -> Iterable[Group]:
    """Yield groups after those that they are made of. There is no circle (the parser refuses it)."""
    done: dict[str, None] = {}

    def add(key: str) -> None:
        if key not in done:
            for other in sorted(groups[key].groups | groups[key].excluded):
                add(other)
            done[key] = None

    for key in groups:
        add(key)
    return [groups[key] for key in done]
