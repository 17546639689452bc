"""Tunnels that a relay forwards: which ones, through whom, and what each side gets of it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from esante.services.healthnet.bundles.relays import RelayPlan, relay_of
from tests.services.healthnet.bundles.test_compiler import connection, country

RELAYS = ("S23", "S26")
DOCTOR, LABORATORY = "S2", "S25"
"""A practice that may fetch results, and where."""


def with_facts(number, **changes):
    one = connection(number)
    return replace(one, facts=replace(one.facts, **changes))


def behind_nat(*relays, reachable=""):
    """All sites behind NAT, but these relays and a reachable one."""
    changed = {key: {"endpoint": "192.0.2.9", "is_relay": True} for key in relays} | {
        reachable: {"endpoint": "192.0.2.8"}
    }
    return country([with_facts(n, **{"endpoint": "", **changed.get(f"S{n}", {})}) for n in range(30)])


def address(made, key):
    return str(made.connections[key].facts.addresses.relay6)


def test_tunnel_of_two_sites_behind_nat_runs_inside_their_tunnels_with_one_relay():
    made = behind_nat("S23")
    practice, laboratory, relay = (made.parts(key) for key in (DOCTOR, LABORATORY, "S23"))
    for parts, other in ((practice, LABORATORY), (laboratory, DOCTOR)):
        peer = parts["peers"][f"{other}/1.1"]
        assert (peer["relay"], peer["endpoint"].rpartition(":")[0]) == ("S23", f"[{address(made, other)}]")
        assert address(made, other) in parts["peers"]["S23/1.1"]["carries"]
        assert address(made, other) in parts["carried6"]
    pairs = {tuple(one.split(" . ")) for one in relay["relayed6"]}
    assert (address(made, DOCTOR), address(made, LABORATORY)) in pairs
    assert {(b, a) for a, b in pairs} == pairs
    assert relay["peers"][f"{DOCTOR}/1.1"]["carries"] == [address(made, DOCTOR)]


def test_relay_forwards_pairs_with_an_edge_only():
    made = behind_nat("S23")
    for pair in made.parts("S23")["relayed6"]:
        one, other = (next(k for k in made.connections if address(made, k) == end) for end in pair.split(" . "))
        assert any({one, other} == {edge.source, edge.target} for edge in made._networks[1].edges(one))


def test_nothing_is_relayed_when_one_end_can_be_reached_or_no_relay_is_there():
    made = behind_nat("S23", reachable=LABORATORY)
    for one, other in ((DOCTOR, LABORATORY), (LABORATORY, DOCTOR)):
        assert "relay" not in made.parts(one)["peers"][f"{other}/1.1"]
        assert address(made, other) not in made.parts(one).get("carried6", {})
    alone = behind_nat().parts(DOCTOR)
    assert "carried6" not in alone and "relay_address" not in alone["site"]
    assert "relay" not in alone["peers"][f"{LABORATORY}/1.1"]


def test_relay_that_goes_hands_its_pairs_to_the_other_one_and_leaves_those_of_the_other_alone():
    made = behind_nat(*RELAYS)
    used = {key: dict(made._plan.relayed(key)) for key in made.connections}
    assert {relay for of_site in used.values() for relay in of_site.values()} == set(RELAYS)
    made.change("S23", None)
    for key, of_site in used.items():
        for other, relay in of_site.items() if key != "S23" else ():
            if other != "S23":
                assert made._plan.relayed(key)[other] == "S26", (key, other, relay)
    assert "S23" not in made.connections


@given(st.lists(st.tuples(st.sampled_from("ABCD"), st.sets(st.sampled_from("ABCD"))), max_size=12))
def test_clients_of_relays_are_those_of_the_present_plan_whatever_came_before(steps):
    plan, now = RelayPlan(), {}
    for site, others in steps:
        plan.put(site, others - {site}, RELAYS)
        now[site] = others - {site}
    expected = {relay: {} for relay in RELAYS}
    for site, others in now.items():
        for other in others:
            of_relay = expected[relay_of(site, other, RELAYS)]
            of_relay.setdefault(site, set()).add(other)
            of_relay.setdefault(other, set()).add(site)
    assert {relay: plan.clients(relay) for relay in RELAYS} == expected
