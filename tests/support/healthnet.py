"""A slow plain twin of the policy of the health network, and policies and sites made at random."""

from itertools import product

import yaml
from hypothesis import strategies as st

from esante.services.healthnet.policy.model import Site
from esante.services.healthnet.policy.parser import Vocabulary

WORDS = Vocabulary(
    kinds=frozenset({"hospital", "laboratory", "practice", "platform"}), professions=frozenset({"doctor", "dentist"})
)
NAMES = {"H-1": "hospital", "L-1": "laboratory", "L-2": "laboratory"}
"""Sites that made policies name, with their kinds."""


def as_list(value):
    """A value that may stand alone or in a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


class PlainPolicy:
    """The meaning of a policy (a plain dictionary), read sentence by sentence from the documentation."""

    def __init__(self, content):
        self.content = content
        self.groups, self.services = content["groups"], content["services"]
        self.rules, self.quarantine = content["rules"], content.get("quarantine", {})
        self._members = {}

    def is_member(self, site, group):
        traits = (site.kind, site.profession, site.key, group)
        if traits not in self._members:
            self._members[traits] = self._is_member(site, group)
        return self._members[traits]

    def _is_member(self, site, group):
        parts = self.groups[group]
        if any(self.is_member(site, other) for other in as_list(parts.get("except"))):
            return False
        if "groups" in parts:
            return any(self.is_member(site, other) for other in as_list(parts["groups"]))
        return all(
            value in as_list(parts[field])
            for field, value in (("kind", site.kind), ("profession", site.profession), ("sites", site.key))
            if field in parts
        )

    def in_any(self, site, groups):
        return any(self.is_member(site, group) for group in as_list(groups))

    def offers(self, site, service):
        return self.in_any(site, self.services[service]["offered-by"])

    def matches(self, rule, verb, source, target, service):
        return (
            verb in rule
            and self.in_any(source, rule[verb])
            and ("reach" not in rule or self.in_any(target, rule["reach"]))
            and (rule.get("by", "any") == "any" or service in as_list(rule["by"]))
        )

    def allowed(self, source, target, service, *, source_q=False, target_q=False):
        """The rule that allows a flow, or None."""
        if not self.offers(target, service):
            return None
        if any(self.matches(rule, "forbid", source, target, service) for rule in self.rules.values()):
            return None
        if source_q and service not in as_list(self.quarantine.get("still-reaches")):
            return None
        if target_q and service not in as_list(self.quarantine.get("still-offers")):
            return None
        return next(
            (k for k, rule in self.rules.items() if self.matches(rule, "allow", source, target, service)), None
        )

    def edges(self, sites):
        found = set()
        for source, target, service in product(sites, sites, self.services):
            if source.key != target.key:
                rule = self.allowed(
                    source, target, service, source_q=source.is_quarantined, target_q=target.is_quarantined
                )
                if rule:
                    found.add((source.key, target.key, service, rule))
        return found

    def is_sound(self):
        """Whether nothing contradicts itself and all invariants hold, tried on two sites of every possible kind."""
        sites = list(self._possible())
        pairs = [(a, b) for a, b in product(sites, sites) if a.key != b.key]
        if not all(any(self.is_member(site, group) for site in sites) for group in self.groups):
            return False
        for one, other in product(self.services, self.services):
            shared = set(self._ports(one)) & set(self._ports(other))
            if one < other and shared and any(self.offers(s, one) and self.offers(s, other) for s in sites):
                return False
        for rule in self.rules.values():
            about = self.services if rule.get("by", "any") == "any" else as_list(rule["by"])
            if not any(
                self.offers(site, service) and ("reach" not in rule or self.in_any(site, rule["reach"]))
                for site, service in product(sites, about)
            ):
                return False
        for forbid in (rule for rule in self.rules.values() if "forbid" in rule):
            for key, allow in self.rules.items():
                if "allow" not in allow:
                    continue
                shares = any(
                    self.offers(b, service)
                    and self.matches(forbid, "forbid", a, b, service)
                    and self.matches(allow, "allow", a, b, service)
                    for (a, b), service in product(pairs, self.services)
                )
                if shares != (key in as_list(forbid.get("overrides"))):
                    return False
        for service in {*as_list(self.quarantine.get("still-reaches")), *as_list(self.quarantine.get("still-offers"))}:
            if not any(
                "allow" in rule and (rule.get("by", "any") == "any" or service in as_list(rule["by"]))
                for rule in self.rules.values()
            ):
                return False
        return all(self._holds(invariant, pairs, sites) for invariant in self.content.get("invariants", {}).values())

    def _holds(self, invariant, pairs, sites):
        is_always = "always" in invariant
        verb, by = ("always" if is_always else "never"), invariant.get("by", "any")
        services = self.services if by == "any" else as_list(by)
        state = bool(invariant.get("in-quarantine"))
        for service in services:
            if is_always and not any(
                self.offers(site, service) and self.in_any(site, invariant["reach"]) for site in sites
            ):
                return False
            for a, b in pairs:
                is_concerned = self.in_any(a, invariant[verb]) and self.in_any(b, invariant["reach"])
                is_allowed = self.allowed(a, b, service, source_q=state) is not None
                if is_concerned and self.offers(b, service) and is_allowed != is_always:
                    return False
        return True

    def _possible(self):
        names = {site for parts in self.groups.values() for site in as_list(parts.get("sites"))}
        for number, kind in product((1, 2), sorted(WORDS.kinds)):
            for profession in ("", *sorted(WORDS.professions)) if kind == "practice" else ("",):
                yield Site(key=f"{kind}{profession}{number}", kind=kind, profession=profession)
        yield from (Site(key=name, kind=NAMES[name]) for name in sorted(names))

    def _ports(self, service):
        for text in as_list(self.services[service]["ports"]):
            protocol, _, numbers = text.partition("/")
            first, _, last = numbers.partition("-")
            yield from ((protocol, port) for port in range(int(first), int(last or first) + 1))


def _some(options, most=2):
    return st.lists(st.sampled_from(sorted(options)), min_size=1, max_size=most, unique=True)


@st.composite
def policies(draw):
    """A policy in words, that may contradict itself."""
    groups = {}
    for number in range(draw(st.integers(2, 5))):
        kind = draw(st.sampled_from(["kind", "named", "profession", "union", "all"]))
        parts = {}
        if kind == "union" and groups:
            parts["groups"] = draw(_some(groups))
        elif kind == "named":
            site = draw(st.sampled_from(sorted(NAMES)))
            parts |= {"kind": NAMES[site], "sites": [site]}
        elif kind == "profession":
            parts |= {"kind": "practice", "profession": draw(_some(WORDS.professions))}
        elif kind == "all":
            parts["all"] = "true"
        else:
            parts["kind"] = draw(_some(WORDS.kinds))
        if groups and draw(st.booleans()):
            parts["except"] = draw(_some(groups, 1))
        groups[f"g{number}"] = parts
    services = {
        f"s{number}": {
            "title": "service",
            "offered-by": draw(_some(groups)),
            "ports": [draw(st.sampled_from([f"tcp/{443 + number}", f"udp/{50 + number}-{52 + number}", "tcp/80"]))],
        }
        for number in range(draw(st.integers(1, 3)))
    }
    rules = {}
    for number in range(draw(st.integers(1, 4))):
        verb = draw(st.sampled_from(["allow", "allow", "forbid"]))
        rule = {verb: draw(_some(groups))}
        if draw(st.booleans()):
            rule["reach"] = draw(_some(groups))
        if draw(st.booleans()):
            rule["by"] = draw(_some(services))
        allowing = [key for key, one in rules.items() if "allow" in one]
        if verb == "forbid" and allowing:
            rule["overrides"] = draw(_some(allowing, 3))
        rules[f"r{number}"] = rule
    content = {"language": "1", "title": "made", "services": services, "groups": groups, "rules": rules}
    if draw(st.booleans()):
        content["quarantine"] = {draw(st.sampled_from(["still-reaches", "still-offers"])): draw(_some(services))}
    invariants = {}
    for number in range(draw(st.integers(0, 2))):
        verb = draw(st.sampled_from(["never", "always"]))
        invariants[f"i{number}"] = {
            verb: draw(_some(groups)),
            "reach": draw(_some(groups)),
            "by": draw(_some(services)),
        }
        if draw(st.booleans()):
            invariants[f"i{number}"]["in-quarantine"] = "true"
    if invariants:
        content["invariants"] = invariants
    return content


def as_text(content):
    """A policy as a file has it."""
    return yaml.safe_dump(content, sort_keys=False)


@st.composite
def sites(draw, most=12):
    """Sites of the network, those that policies name among them."""
    names = draw(st.lists(st.sampled_from(sorted(NAMES)), unique=True))
    named = [Site(key=name, kind=NAMES[name], is_quarantined=draw(st.booleans())) for name in names]
    return [*(draw(a_site(f"X-{number}")) for number in range(draw(st.integers(0, most)))), *named]


@st.composite
def a_site(draw, key):
    """A site with this key."""
    kind = draw(st.sampled_from(sorted(WORDS.kinds)))
    profession = draw(st.sampled_from(["", *sorted(WORDS.professions)])) if kind == "practice" else ""
    return Site(key=key, kind=kind, profession=profession, is_quarantined=draw(st.booleans()))
