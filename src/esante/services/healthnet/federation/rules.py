"""Pure rules of federations: a policy allows a foreign network nothing that its agreement does not name.

It is decided over every possible site, as other faults of a policy (`policy.proof`).
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import product

from esante.services.healthnet.federation.model import Terms
from esante.services.healthnet.policy.faults import Fault
from esante.services.healthnet.policy.model import FEDERATION, Policy, Site
from esante.services.healthnet.policy.proof import possible_sites
from esante.services.healthnet.policy.rules import Decider


def federation_faults(
    policy: Policy, agreements: Mapping[str, Terms], kinds: Collection[str], professions: Collection[str]
) -> list[Fault]:
    """Return what a policy allows to networks of other operators beyond the agreements, by name of the federation."""
    decider = Decider(policy)
    sites = [*possible_sites(policy, kinds, professions)]
    foreign = [site for site in sites if site.kind.startswith(FEDERATION)]
    own = [site for site in sites if not site.kind.startswith(FEDERATION)]
    faults: dict[str, Fault] = {}
    for found in _beyond(policy, agreements, decider, foreign, own):
        faults.setdefault(found.reason, found)
    return sorted(faults.values())


def _beyond(
    policy: Policy, agreements: Mapping[str, Terms], decider: Decider, foreign: list[Site], own: list[Site]
) -> Iterator[Fault]:
    for site in foreign:
        name = site.kind.removeprefix(FEDERATION)
        terms = agreements.get(name)
        for other, service in product([*own, *foreign], policy.services):
            for source, target in ((site, other), (other, site)):
                decision = decider.decide(service, decider.position(source), decider.position(target))
                if not decision.is_allowed or decision.rule is None:
                    continue
                reason = _reason(terms, name, other, service, is_source=source is site)
                if reason:
                    remedy = "narrow the rule, or agree it with the other operator"
                    yield Fault(policy.path, decision.rule.line, f"rule {decision.rule.key} {reason}", remedy)


def _reason(terms: Terms | None, name: str, other: Site, service: str, *, is_source: bool) -> str:
    """Return why a flow between a foreign network and another site is not agreed; "" when it is."""
    if other.kind.startswith(FEDERATION):
        return f"lets networks of other operators reach each other through this one by {service}"
    direction = "reach" if is_source else "be reached"
    if terms is None:
        return f"lets federation {name} {direction} by {service}: no agreement with it is in force"
    if service not in (terms.uses if is_source else terms.offers):
        return f"lets federation {name} {direction} by {service}, which the agreement does not name"
    if terms.sites and other.key not in terms.sites:
        some = f"sites other than {', '.join(sorted(terms.sites))}"
        return f"lets federation {name} {direction} by {service} from or to {some}"
    return ""
