"""Which addresses are allowed: public ones, named networks, and host names that change."""

import asyncio
from ipaddress import ip_address
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.outbound import AddressNotAllowed, AddressPolicy, address_policy, parse_networks
from tests.support.rest_hook_receiver import resolve_names_to

REFUSED = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.5", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.169.254",
    "168.63.129.16", "192.0.0.192", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::",
    "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001:20::1", "192.88.99.1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "::ffff:168.63.129.16",
    "fec0::1", "feff::1", "4000::1", "2620:fe::5efe:10.0.0.1", "2620:fe::200:5efe:169.254.169.254",
    "fec0::5efe:9.9.9.9",
]  # fmt: skip

PUBLIC = ["9.9.9.9", "2620:fe::fe", "64:ff9b::909:909", "::ffff:9.9.9.9", "2620:fe::5efe:9.9.9.9"]


def policy_allowing(*allowed: str) -> AddressPolicy:
    return AddressPolicy(parse_networks(" ".join(allowed)))


@pytest.mark.parametrize("address", REFUSED)
def test_non_public_address_is_refused(address):
    assert not policy_allowing().allows(ip_address(address), "https")
    assert not policy_allowing().allows(ip_address(address), "http")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_allowed_with_tls_only(address):
    assert policy_allowing().allows(ip_address(address), "https")
    assert not policy_allowing().allows(ip_address(address), "http")


def test_named_network_is_allowed_and_plain_http_on_loopback_only():
    agency = policy_allowing("10.20.0.0/16", "127.0.0.0/8", "::1/128")
    for address, https, http in (
        ("10.20.3.4", True, False),
        ("10.21.3.4", False, False),
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("::ffff:10.21.0.1", False, False),
    ):
        assert (agency.allows(ip_address(address), "https"), agency.allows(ip_address(address), "http")) == (
            https,
            http,
        )


@given(st.ip_addresses())
def test_private_address_is_never_allowed(address):
    for scheme in ("https", "http"):
        if policy_allowing().allows(address, scheme):
            assert address.is_global
            assert not address.is_private


async def test_one_internal_address_among_public_ones_is_refused(monkeypatch):
    resolve_names_to(monkeypatch, ["9.9.9.9", "10.0.0.1"])
    with pytest.raises(AddressNotAllowed):
        await policy_allowing().resolve("https", "mixed.example", 443)


async def test_names_that_resolve_slowly_hold_up_no_other_threads(monkeypatch):
    slow, end = ("https", "slow.example", 443), Event()
    monkeypatch.setattr(address_policy, "look_up", lambda *_: end.wait() and ["9.9.9.9"])
    waiting = [asyncio.ensure_future(policy_allowing().resolve(*slow)) for _ in range(100)]
    try:
        await asyncio.wait_for(asyncio.to_thread(lambda: None), 60)
        assert not any(one.done() for one in waiting)
    finally:
        end.set()
    assert [str(one) for (one,) in await asyncio.gather(*waiting)] == ["9.9.9.9"] * 100


async def test_name_that_does_not_resolve_in_time_is_refused(monkeypatch):
    end = Event()
    monkeypatch.setattr(address_policy, "look_up", lambda *_: end.wait() and ["9.9.9.9"])
    monkeypatch.setattr(address_policy, "RESOLVE_SECONDS", 0.01)
    try:
        with pytest.raises(AddressNotAllowed):
            await policy_allowing().resolve("https", "slow.example", 443)
    finally:
        end.set()
