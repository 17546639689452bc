"""What a policy may say of foreign networks, and the commands that answer for them without a network."""

from itertools import product

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from esante.services.healthnet.declaration import healthnet
from esante.services.healthnet.federation.model import FederationKind
from esante.services.healthnet.federation.rules import federation_faults
from esante.services.healthnet.policy.faults import PolicyError
from esante.services.healthnet.policy.model import FEDERATION, Site
from esante.services.healthnet.policy.parser import parse_policy
from esante.services.healthnet.policy.rules import Decider
from tests.support.federations import POLICY, OtherOperator, terms
from tests.support.healthnet import WORDS


def faults(text, **agreements):
    policy = parse_policy("p.yaml", text, WORDS)
    return [one.reason for one in federation_faults(policy, agreements, WORDS.kinds, WORDS.professions)]


def test_policy_within_the_agreement_has_no_fault():
    assert faults(POLICY, luxith=terms()) == []


def test_federation_without_an_agreement_may_reach_nothing():
    assert len(faults(POLICY)) == 2 and all("no agreement with it is in force" in one for one in faults(POLICY))


def test_group_of_all_sites_has_no_foreign_one():
    text = POLICY.replace("practices: {kind: practice}", "practices: {kind: practice}\n  everybody: {all: true}")
    text = text.replace("own: {allow: practices", "own: {allow: everybody")
    assert faults(text, luxith=terms()) == []


def test_invariant_about_a_foreign_network_is_proved():
    text = POLICY.replace("never: luxith, reach: practices", "never: luxith, reach: laboratories")
    with pytest.raises(PolicyError, match="a federation:luxith reaches a laboratory by results"):
        parse_policy("p.yaml", text, WORDS)


def test_transit_between_two_foreign_networks_is_refused():
    text = POLICY.replace("luxith: {federation: luxith}", "luxith: {federation: luxith}\n  other: {federation: other}")
    text = text.replace("images: {allow: practices,", "images: {allow: [practices, other],")
    found = faults(text, luxith=terms(), other=terms("other", uses=frozenset({"images"}), offers=frozenset()))
    assert any("reach each other through this one by images" in one for one in found)


def test_cross_border_gateway_reaches_the_site_of_the_contact_point_only():
    agreed = terms(
        "europe", kind=FederationKind.CROSS_BORDER, uses=frozenset({"cross-border-exchange"}), offers=frozenset(),
        sites=frozenset({"P-1"}),
    )  # fmt: skip
    assert faults(BORDER, europe=agreed) == []
    every = BORDER.replace("contact: {kind: platform, sites: [P-1]}", "contact: {kind: platform}")
    assert any("sites other than P-1" in one for one in faults(every, europe=agreed))


BORDER = """\
language: 1
title: B
groups:
  contact: {kind: platform, sites: [P-1]}
  europe: {federation: europe}
services:
  cross-border-exchange: {title: X, offered-by: contact, ports: tcp/443}
rules:
  border: {allow: europe, by: cross-border-exchange}
"""


@pytest.mark.parametrize(
    "group",
    ["{federation: luxith, kind: practice}", "{federation: Luxith}", "{federation: []}", "{federation: {a: b}}"],
)
def test_group_of_a_federation_has_no_other_selector(group):
    with pytest.raises(PolicyError):
        parse_policy("p.yaml", POLICY.replace("{federation: luxith}", group), WORDS)


@given(st.sets(st.sampled_from(["results", "images"])), st.sets(st.sampled_from(["results", "images"])))
def test_faults_are_exactly_the_flows_that_the_agreement_does_not_name(uses, offers):
    """Against a plain enumeration of sites."""
    policy, agreed = parse_policy("p.yaml", POLICY, WORDS), terms(uses=frozenset(uses), offers=frozenset(offers))
    decider, foreign = Decider(policy), Site(key="F", kind=FEDERATION + "luxith")
    beyond = set()
    for kind, service in product(WORDS.kinds, policy.services):
        own = Site(key="X", kind=kind)
        if decider.reach(foreign, own, service).is_allowed and service not in uses:
            beyond.add(service)
        if decider.reach(own, foreign, service).is_allowed and service not in offers:
            beyond.add(service)
    found = federation_faults(policy, {"luxith": agreed}, WORDS.kinds, WORDS.professions)
    assert bool(found) == bool(beyond) and all(any(f"by {one}," in f.reason for f in found) for one in beyond)


def test_commands_answer_for_foreign_networks(tmp_path):
    (tmp_path / "p.yaml").write_text(POLICY)
    (tmp_path / "a.txt").write_text(OtherOperator(tmp_path).document())
    run = CliRunner().invoke
    policy = str(tmp_path / "p.yaml")
    done = run(healthnet, ["check", policy, "--agreement", str(tmp_path / "a.txt")])
    assert done.exit_code == 0, done.output
    done = run(healthnet, ["check", policy])
    assert (done.exit_code, "p.yaml:13" in done.output, "no agreement" in done.output) == (1, True, True), done.output
    for source, target, service, status in (
        ("federation/luxith", "laboratory", "results", 0),
        ("federation/luxith", "practice/doctor", "results", 1),
        ("practice/doctor", "federation/luxith", "images", 0),
        ("hospital", "federation/luxith", "images", 1),
        ("federation/other", "laboratory", "results", 1),
    ):
        done = run(healthnet, ["reach", source, target, service, "--policy", policy])
        assert done.exit_code == status, done.output
