"""The policy against a slow plain twin: which policies are refused, which edges there are, what a change recompiles."""

import hypothesis
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.services.healthnet.policy.faults import PolicyError
from esante.services.healthnet.policy.network import Network
from esante.services.healthnet.policy.parser import parse_policy
from tests.support.healthnet import NAMES, WORDS, PlainPolicy, a_site, as_text, policies, sites


def parsed(content):
    """The policy of a made content, or None when it is refused."""
    try:
        return parse_policy("made.yaml", as_text(content), WORDS)
    except PolicyError:
        return None


@given(policies())
@settings(max_examples=400)
def test_policy_is_refused_exactly_when_the_twin_finds_it_unsound(content):
    policy = parsed(content)
    hypothesis.event("sound" if policy else "refused")
    assert (policy is not None) == PlainPolicy(content).is_sound()


@st.composite
def sound_policies(draw):
    """A policy in words that is accepted: rules that contradict and invariants that do not hold are left out."""
    content = draw(policies())
    content.pop("invariants", None)
    if parsed(content) is None:
        content["rules"] = {key: rule for key, rule in content["rules"].items() if "allow" in rule}
    hypothesis.assume(content["rules"] and parsed(content) is not None)
    return content


@given(sound_policies(), sites())
@settings(max_examples=200, suppress_health_check=[hypothesis.HealthCheck.filter_too_much])
def test_edges_are_those_of_the_twin(content, some_sites):
    network = Network(parsed(content), some_sites)
    expected = PlainPolicy(content).edges(some_sites)
    assert network.all_edges() == expected
    for site in some_sites:
        assert network.edges(site.key) == {edge for edge in expected if site.key in edge[:2]}
        for other in some_sites:
            for service in content["services"]:
                decision = network.reach(site.key, other.key, service)
                rule = next((e[3] for e in expected if e[:3] == (site.key, other.key, service)), None)
                assert decision.is_allowed == (rule is not None)
                assert not decision.is_allowed or decision.rule.key == rule


@given(sound_policies(), sites(), st.data())
@settings(max_examples=200, suppress_health_check=[hypothesis.HealthCheck.filter_too_much])
def test_changes_leave_the_edges_of_a_full_compile_and_name_who_is_affected(content, some_sites, data):
    policy = parsed(content)
    network, now = Network(policy, some_sites), {site.key: site for site in some_sites}
    for _ in range(data.draw(st.integers(1, 4))):
        before = {key: network.edges(key) for key in now}
        if now and data.draw(st.booleans()):
            key = data.draw(st.sampled_from(sorted(now)))
            del now[key]
            affected = network.remove(key)
        else:
            key = data.draw(st.sampled_from([*sorted(now), "NEW-1"]))
            hypothesis.assume(key not in NAMES)
            now[key] = data.draw(a_site(key))
            affected = network.put(now[key])
            before.setdefault(key, None)
        full = Network(policy, now.values())
        assert {one: network.edges(one) for one in now} == {one: full.edges(one) for one in now}
        assert affected == {one for one in now if before[one] != network.edges(one)}
